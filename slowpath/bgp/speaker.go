package bgp

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/pkg/apiutil"

	"nave/slowpath/bgp/bgpmsg"
)

// Env is what a speaker needs of its surroundings.
type Env struct {
	// Deliver is given what the speaker wants done, in order, from one goroutine. The labels in it are advertised once it has
	// returned, so it returns when they are installed or surely will be.
	Deliver func(Effects)
	Labels  Labels
	// Within runs a function on a thread in the network namespace of a VRF; nil: no neighbours inside VRFs.
	Within func(vrf string, f func() error) error
	Log    *slog.Logger // nil: silent
}

// Speaker is the BGP of a router. Its methods may be called from any goroutine; they return when GoBGP has been told.
type Speaker struct {
	env   Env
	log   *slog.Logger
	inner *slog.Logger // GoBGP's

	innerKey Secret // between links and GoBGP
	signed   bool   // the kernel has TCP MD5

	mu        sync.Mutex
	cfg       Config
	running   bool
	closed    bool
	began     bool // the first configuration is in place
	start     time.Time
	instances map[string]*instance
	doors     map[place]*door
	vrfs      map[string]*vrf
	locals    map[Key]Local
	vpn       map[vpnKey]*path  // GoBGP's best VPN paths
	owners    map[vpnKey]string // VPN routes of ours: the VRF that each is of
	global    map[netip.Prefix]bool
	swaps     *swaps
	swapping  bool
	setHops   map[netip.Addr]bgpmsg.Hop

	nextAlias  uint32
	freeAlias  []netip.Addr
	stranger   uint64 // connections of no neighbour
	unlabelled uint64 // paths that there was no label for
	version    uint64 // best paths that were new, others, or gone
	stopping   sync.WaitGroup

	queueMu sync.Mutex
	queued  sync.Cond
	queue   []Effects
	ended   bool
	served  chan struct{}
}

// New makes a speaker that does nothing yet.
func New(env Env) *Speaker {
	s := &Speaker{env: env, log: env.Log, served: make(chan struct{}), start: time.Now()}
	if s.log == nil {
		s.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s.inner = slog.New(slog.NewTextHandler(io.Discard, nil))
	var key [32]byte
	rand.Read(key[:]) // it never fails
	s.innerKey = Secret(hex.EncodeToString(key[:]))
	s.signed = canSign()
	if !s.signed {
		s.log.Warn("bgp: this kernel has no TCP MD5 signatures: passwords of neighbours are refused, and other programs on this machine could reach GoBGP's loopback port")
	}
	s.queued.L = &s.queueMu
	s.forget()
	go s.serve()
	return s
}

// forget goes back to the beginning.
func (s *Speaker) forget() {
	if s.locals == nil {
		s.locals, s.swaps = make(map[Key]Local), newSwaps()
	}
	s.instances, s.doors = make(map[string]*instance), make(map[place]*door)
	s.vrfs, s.vpn, s.owners = make(map[string]*vrf), make(map[vpnKey]*path), make(map[vpnKey]string)
	s.global = make(map[netip.Prefix]bool)
	s.running = false
}

// canSign tries whether the kernel has TCP MD5.
func canSign() bool {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), "tcp4", netip.AddrPortFrom(innerAddr, 0).String())
	if err != nil {
		return false
	}
	defer l.Close()
	c, err := l.(*net.TCPListener).SyscallConn()
	return err == nil && signWith(c, netip.PrefixFrom(innerAddr, 32), "probe") == nil
}

// say queues effects for delivery.
func (s *Speaker) say(e Effects) {
	s.queueMu.Lock()
	s.queue = append(s.queue, e)
	s.queueMu.Unlock()
	s.queued.Signal()
}

// serve delivers effects until the speaker is closed. What has come together goes together.
func (s *Speaker) serve() {
	defer close(s.served)
	for {
		s.queueMu.Lock()
		for len(s.queue) == 0 && !s.ended {
			s.queued.Wait()
		}
		batch := s.queue
		s.queue = nil
		done := s.ended
		s.queueMu.Unlock()
		if len(batch) > 0 {
			e := merge(batch)
			s.env.Deliver(e)
			if s.swaps.publish(e.Swaps) {
				go s.resendSwapped()
			}
		}
		if done {
			return
		}
	}
}

// merge makes one of many. A label's entry goes before the routes that need it; the order within each kind stays.
func merge(batch []Effects) Effects {
	if len(batch) == 1 {
		return batch[0]
	}
	var e Effects
	for _, b := range batch {
		e.Swaps = append(e.Swaps, b.Swaps...)
		e.Routes = append(e.Routes, b.Routes...)
		e.Sessions = append(e.Sessions, b.Sessions...)
		e.Settled = e.Settled || b.Settled
	}
	return e
}

// Close ends all sessions, neighbours being told so, and waits for that. What is learned is not withdrawn from the caller.
func (s *Speaker) Close() { s.close(false) }

// Leave is Close for a router that forwards on by what it has until its next speaker starts. With graceful restart neighbours are not
// told, so that they go on, too.
func (s *Speaker) Leave() { s.close(true) }

func (s *Speaker) close(leave bool) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	s.stopAll(leave && s.cfg.GracefulRestart.Enabled)
	s.mu.Unlock()
	s.stopping.Wait()
	s.queueMu.Lock()
	s.ended = true
	s.queueMu.Unlock()
	s.queued.Signal()
	<-s.served
}

// stopAll ends every server, link and door. The caller holds the lock.
func (s *Speaker) stopAll(quiet bool) {
	for _, d := range s.doors {
		d.l.Close()
	}
	for _, in := range s.instances {
		in.shut(quiet)
	}
}

// Configure makes the speaker go by a configuration, and changes only what differs: sessions end only over what they can't
// outlive. A configuration that can't be used changes nothing; an error about a neighbour or a socket leaves the rest in place.
// AS and RemoteAS of 0 are refused; an empty Config with AS 0 and no neighbours ends BGP (`no router bgp`).
func (s *Speaker) Configure(c Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("bgp: closed")
	}
	if c.AS == 0 && len(c.Neighbours) == 0 && len(c.VRFs) == 0 {
		s.end()
		return nil
	}
	if err := c.check(); err != nil {
		return err
	}
	if s.running && (s.cfg.AS != c.AS || s.cfg.RouterID != c.RouterID) {
		s.end()
	}
	old := s.cfg
	s.cfg = c
	if s.swaps == nil {
		s.swaps = newSwaps()
	}
	_, _, s.setHops = hopNames(&s.cfg)
	ctx := context.Background()
	if !s.running {
		in, err := s.startInstance("")
		if err != nil {
			s.cfg = old
			return err
		}
		s.instances[""] = in
		s.running = true
		for k, l := range s.locals {
			if k.VRF == "" {
				s.announce(l)
			}
		}
	}
	errs := s.configureVRFs()
	for name, in := range s.instances {
		errs = append(errs, s.configureNeighbours(ctx, in, s.neighboursOf(name))...)
	}
	s.swapLabels()
	for _, in := range s.instances {
		errs = append(errs, s.refresh(ctx, in))
	}
	errs = append(errs, s.openDoors())
	for _, in := range s.instances {
		for _, l := range in.links {
			if l.stop == nil {
				l.start()
			}
		}
	}
	if !s.began {
		s.began = true
		time.AfterFunc(settleEvery, s.watchSettled)
	}
	return errors.Join(errs...)
}

// end stops BGP and takes back what the caller has of it. The caller holds the lock.
func (s *Speaker) end() {
	s.stopAll(false)
	var e Effects
	for p := range s.global {
		e.Routes = append(e.Routes, Route{Key: Key{"", p}, Withdrawn: true})
	}
	for _, v := range s.vrfs {
		for p := range v.said {
			e.Routes = append(e.Routes, Route{Key: Key{v.Name, p}, Withdrawn: true})
		}
	}
	for k := range s.vpn {
		if w, changed := s.unswap(LabelFor{RD: k.RD, Prefix: k.Prefix}); changed {
			e.Swaps = append(e.Swaps, w)
		}
	}
	for _, v := range s.vrfs {
		for p := range v.learned {
			if w, changed := s.unswap(LabelFor{v.Name, v.RD, p}); changed {
				e.Swaps = append(e.Swaps, w)
			}
		}
	}
	s.forget()
	s.cfg = Config{}
	s.say(e)
}

// neighboursOf are the neighbours configured in a table.
func (s *Speaker) neighboursOf(vrf string) []Neighbour {
	if vrf == "" {
		return s.cfg.Neighbours
	}
	if v := s.vrfs[vrf]; v != nil {
		return v.Neighbours
	}
	return nil
}

// linkConfig is a neighbour's configuration with what the rest says of it. Without a family there is nothing to talk about; GoBGP
// would take IPv4 for granted.
func (s *Speaker) linkConfig(n Neighbour) *linkConfig {
	n.Shutdown = n.Shutdown || len(n.Families) == 0
	return &linkConfig{
		Neighbour: n, port: orDefault(n.Port, s.cfg.port()), external: n.RemoteAS != s.cfg.AS, restart: s.cfg.GracefulRestart.Enabled,
	}
}

// configureNeighbours makes an instance's neighbours those of the configuration.
func (s *Speaker) configureNeighbours(ctx context.Context, in *instance, want []Neighbour) []error {
	var errs []error
	seen := make(map[netip.Addr]bool)
	for _, n := range want {
		seen[n.Address] = true
		cfg := s.linkConfig(n)
		if l := in.links[n.Address]; l != nil {
			l.template = nil
			errs = append(errs, in.update(ctx, l, cfg))
			continue
		}
		_, err := in.add(ctx, n.Address, cfg, nil)
		errs = append(errs, err)
	}
	for addr, l := range in.links {
		if seen[addr] {
			continue
		}
		if l.template != nil {
			if r := s.rangeOf(addr); r != nil {
				n := r.Template
				n.Address, n.Passive = addr, true
				l.template = r
				errs = append(errs, in.update(ctx, l, s.linkConfig(n)))
				continue
			}
		}
		errs = append(errs, in.remove(ctx, l))
	}
	return errs
}

// refresh gives an instance's policies and its links' rules their new form, and resends or looks again where that matters.
func (s *Speaker) refresh(ctx context.Context, in *instance) error {
	err := in.applyPolicies(ctx)
	for _, l := range in.links {
		s.refreshLink(in, l)
	}
	return err
}

// rangeOf is the range of dynamic neighbours that an address is in: the one with the longest prefix.
func (s *Speaker) rangeOf(a netip.Addr) *Range {
	var best *Range
	for i := range s.cfg.Ranges {
		if r := &s.cfg.Ranges[i]; r.Prefix.Contains(a) && (best == nil || r.Prefix.Bits() > best.Prefix.Bits()) {
			best = r
		}
	}
	return best
}

// invite makes a neighbour of whoever connects from a range; nil if it may not. The caller holds the lock.
func (s *Speaker) invite(in *instance, from netip.Addr) *link {
	r := s.rangeOf(from)
	if r == nil {
		return nil
	}
	n := 0
	for _, l := range in.links {
		if l.template != nil {
			n++
		}
	}
	if limit := orDefault(s.cfg.ListenMax, defaultListenMax); n >= limit {
		s.log.Warn("bgp: bgp listen limit reached", "neighbour", from, "limit", limit)
		return nil
	}
	t := r.Template
	t.Address, t.Passive = from, true
	l, err := in.add(context.Background(), from, s.linkConfig(t), r)
	if err != nil {
		s.log.Warn("bgp: dynamic neighbour", "error", err)
		return nil
	}
	if err := s.refresh(context.Background(), in); err != nil {
		s.log.Warn("bgp: dynamic neighbour", "error", err)
	}
	l.start()
	l.expect()
	return l
}

// takeAlias finds an address for a neighbour.
func (s *Speaker) takeAlias() (netip.Addr, error) {
	if n := len(s.freeAlias); n > 0 && s.nextAlias > 1024 { // not at once again
		a := s.freeAlias[0]
		s.freeAlias = s.freeAlias[1:]
		return a, nil
	}
	if s.nextAlias >= 1<<22-16 {
		return netip.Addr{}, errors.New("bgp: more than 4 million neighbours")
	}
	s.nextAlias++
	n := s.nextAlias + 7 // innerAddr is before
	return netip.AddrFrom4([4]byte{127, 64 | byte(n>>16), byte(n >> 8), byte(n)}), nil
}

func (s *Speaker) giveAlias(a netip.Addr) { s.freeAlias = append(s.freeAlias, a) }

// bestPaths takes over what an instance's GoBGP prefers now.
func (s *Speaker) bestPaths(in *instance, ps []*apiutil.Path, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.instances[in.vrf] != in || s.closed {
		return // it has been stopped
	}
	in.pathsChanged(at)
	for _, g := range ps {
		if g != nil {
			s.bestPath(in, g)
		}
	}
}

func (s *Speaker) bestPath(in *instance, g *apiutil.Path) {
	rd, prefix, _, ok := readNLRI(g.Nlri)
	if !ok {
		return
	}
	s.version++
	var p *path
	if !g.Withdrawal {
		if p, ok = in.readPath(g); !ok {
			return
		}
	}
	switch {
	case in.vrf != "":
		v := s.vrfs[in.vrf]
		if p != nil && (p.own() || p.neighbour == importHop) {
			p = nil
		}
		if v != nil {
			s.learnedInVRF(v, prefix, p)
		}
	case rd != 0:
		k := vpnKey{rd, prefix}
		if p != nil && p.own() {
			if p.vrf, ok = s.owners[k]; !ok {
				p = nil // taken back meanwhile
			}
		}
		s.vpnChanged(k, p)
	default:
		if p == nil || p.own() {
			if s.global[prefix] {
				delete(s.global, prefix)
				s.say(Effects{Routes: []Route{{Key: Key{"", prefix}, Withdrawn: true}}})
			}
			return
		}
		s.global[prefix] = true
		s.say(Effects{Routes: []Route{s.routeOf("", p)}})
	}
}

// Announce originates routes, or changes them. Those of a VRF or of BGP itself that is not configured yet wait for it. An error
// about one does not keep the others.
func (s *Speaker) Announce(routes ...Local) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, l := range routes {
		if !l.Prefix.IsValid() || l.Prefix != l.Prefix.Masked() {
			errs = append(errs, fmt.Errorf("bgp: %s is no prefix", l.Prefix))
			continue
		}
		if l.VRF == "" && !l.Prefix.Addr().Is4() {
			errs = append(errs, fmt.Errorf("bgp: %s: IPv6 unicast is not carried in the global table", l.Prefix))
			continue
		}
		s.locals[Key{l.VRF, l.Prefix}] = l
		if s.running {
			errs = append(errs, s.announce(l))
		}
	}
	return errors.Join(errs...)
}

// Retract takes back routes that Announce gave. Unknown ones are no error.
func (s *Speaker) Retract(keys ...Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, k := range keys {
		if _, ok := s.locals[k]; !ok {
			continue
		}
		delete(s.locals, k)
		if s.running {
			errs = append(errs, s.unannounce(k))
		}
	}
	return errors.Join(errs...)
}

// peerState is what a link knows of GoBGP's session, under the speaker's lock but for the last two.
type peerState struct {
	essence   string
	addedDown bool
	rules     time.Time // when what it is sent last became another by the configuration
	up        bool
	since     time.Time // of the last change
	flaps     uint64
	wasUp     bool
	reason    string // of the last end

	sent, received Messages // before GoBGP began to count anew

	dialErr string
	dialAt  time.Time
}

func (p *peerState) noteDial(err error) { p.dialErr, p.dialAt = err.Error(), time.Now() }
