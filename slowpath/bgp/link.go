package bgp

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"nave/slowpath/bgp/bgpmsg"
)

// linkConfig is what a link goes by. It is never written to.
type linkConfig struct {
	Neighbour
	port     uint16
	external bool
	restart  bool // graceful restart: a new connection replaces one that seems to stand (RFC 4724 section 5)
}

// link holds the connection to one neighbour and passes on what comes by it: on one side the network, on the other GoBGP.
type link struct {
	s      *Speaker
	in     *instance
	addr   netip.Addr
	alias  netip.Addr // what GoBGP takes for the neighbour's address
	cfg    atomic.Pointer[linkConfig]
	out    atomic.Pointer[outbound]
	rules  atomic.Pointer[bgpmsg.Rules]
	quiet  atomic.Bool // the end is not announced
	proved atomic.Bool // a session stood since run looked last
	// forwards: what the neighbour was told is forwarded by still, if this connection is lost and another made.
	forwards atomic.Bool
	gate     sync.Mutex // connecting to GoBGP, which takes anybody for a neighbour while it does not know this one
	writing  sync.Mutex // to outer
	stop     context.CancelFunc
	done     chan struct{}
	kick     chan struct{}     // the configuration changed: end what waits
	inbound  chan *net.TCPConn // accepted, not yet taken

	mu      sync.Mutex
	dial    dialState
	outer   *net.TCPConn // nil: none
	adopted time.Time    // since when that is the connection
	opened  time.Time    // when the neighbour first said something on outer
	local   netip.Addr   // of outer, or of the last
	spare   *attempt     // of ours, beside outer, which the neighbour made; nil: none
	era     uint64       // grows when connections that were made before are not wanted any more

	// Of the speaker, under its lock. template is the range that the neighbour came out of; nil if it was configured.
	template *Range
	peer     peerState
	rulesOf  string // what the policies said, to find changes
	stale    bool   // GoBGP keeps the neighbour's routes while it restarts
}

// dialState is what a link without a connection does.
type dialState uint8

const (
	waiting dialState = iota // for the next try, or to be called
	dialling
	connected
)

// collisionTime is for how long a second connection is one that was dialled at the same time, and not a neighbour that has restarted.
const collisionTime = 10 * time.Second

func newLink(in *instance, addr, alias netip.Addr, cfg *linkConfig) *link {
	l := &link{s: in.s, in: in, addr: addr, alias: alias, done: make(chan struct{}), kick: make(chan struct{}, 1), inbound: make(chan *net.TCPConn, 1)}
	l.cfg.Store(cfg)
	l.out.Store(&outbound{})
	l.rules.Store(&bgpmsg.Rules{})
	return l
}

func (l *link) config() *linkConfig { return l.cfg.Load() }

func (l *link) start() {
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	go l.run(ctx)
}

// offer gives the link a connection that the neighbour made; false if it is not wanted. The caller holds the speaker's lock.
func (l *link) offer(c *net.TCPConn) bool {
	cfg := l.config()
	local := localOf(c)
	if cfg.Shutdown || cfg.UpdateSource.IsValid() && cfg.UpdateSource != local {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.outer != nil {
		switch {
		case l.opened.IsZero():
			// Both dialled at a time: the connection that the higher address made stays, so that both ends keep the same one. Later it is no collision: on what there is
			// a neighbour that dials again will say nothing more, and the hold time of an OPEN is minutes.
			if l.addr.Less(local) && time.Since(l.adopted) < collisionTime {
				return false
			}
		case !cfg.restart || time.Since(l.opened) < collisionTime:
			l.probe()
			return false
		}
	}
	select {
	case l.inbound <- c:
	default:
		return false
	}
	if l.outer != nil {
		l.outer.Close()
	}
	return true
}

// run keeps the neighbour connected until ctx ends.
func (l *link) run(ctx context.Context) {
	defer close(l.done)
	tries, wait := 0, time.Duration(0)
	for ctx.Err() == nil {
		f, changed := l.connect(ctx, wait)
		began := time.Now()
		if c := l.adopt(f); c != nil {
			l.session(ctx, c)
		} else if changed || f.conn != nil {
			tries = 0
		}
		if l.proved.Swap(false) && time.Since(began) > steady {
			tries = 0
		}
		tries++
		wait = l.pause(tries)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.discard()
}

// Times of connecting.
const (
	// quickRetry is the first pause. A neighbour that has restarted is there again soon; one that stays away is dialled ever more rarely.
	quickRetry = time.Second
	// steady is for how long a session must have stood to begin with the first pause again: two routers that end what they agree on must not do so as fast as they can.
	steady = 5 * time.Second
)

// pause is the time before a try, with jitter (RFC 4271 section 10): a second, and twice as much for each that failed, up to the configured time.
func (l *link) pause(tries int) time.Duration {
	retry := orDefault(l.config().ConnectRetry, defaultRetry)
	if quick := quickRetry << min(tries-1, 16); quick < retry {
		retry = quick
	}
	return time.Duration((0.75 + rand.Float64()/4) * float64(retry))
}

// found is a connection that connect came by; conn is nil if there is none.
type found struct {
	conn *net.TCPConn
	ours bool   // we dialled
	era  uint64 // of the link, as it began to look for one
}

// adopt makes a connection the link's; nil if it is not wanted any more. Ours may have been made in the same moment as one of the neighbour's that waits here to be taken: each end
// has both then, and both ends keep the one that the higher address made, as offer does. Else each could keep its own, and wait for the other to say something until the hold time of
// an OPEN is over.
func (l *link) adopt(f found) *net.TCPConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := f.conn
	if c == nil {
		return nil
	}
	if l.era != f.era { // made by a configuration that has changed since
		c.Close()
		return nil
	}
	select {
	case theirs := <-l.inbound:
		if f.ours && l.addr.Less(localOf(c)) {
			theirs.Close()
			break
		}
		c.Close()
		c = theirs
	default:
	}
	if l.spare != nil {
		select {
		case ours := <-l.spare.result: // the higher address's, as only that has a spare
			l.spare.cancel()
			l.spare = nil
			if ours != nil {
				c.Close()
				c = ours
			}
		default:
		}
	}
	l.outer, l.adopted, l.opened, l.local, l.dial = c, time.Now(), time.Time{}, localOf(c), connected
	return c
}

func localOf(c *net.TCPConn) netip.Addr {
	return c.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().WithZone("")
}

// attempt is a connection that we are dialling, or have dialled.
type attempt struct {
	result chan *net.TCPConn // has one in the end; nil: there is none to be had
	cancel context.CancelFunc
}

func (a *attempt) giveUp() {
	a.cancel()
	go func() {
		if c := <-a.result; c != nil {
			c.Close()
		}
	}()
}

// try begins to dial.
func (l *link) try(ctx context.Context, cfg *linkConfig) *attempt {
	ctx, cancel := context.WithTimeout(ctx, max(orDefault(cfg.ConnectRetry, defaultRetry), 5*time.Second))
	a := &attempt{result: make(chan *net.TCPConn, 1), cancel: cancel}
	go func() { a.result <- l.dialOut(ctx, cfg) }()
	return a
}

// connect waits and dials, unless the neighbour calls first. Without a connection it is to be tried again; changed says that the configuration is another.
func (l *link) connect(ctx context.Context, wait time.Duration) (f found, changed bool) {
	l.mu.Lock()
	a := l.spare
	l.spare, f.era = nil, l.era
	cfg := l.config()
	l.mu.Unlock()
	if a == nil {
		var timer <-chan time.Time
		if !cfg.Passive && !cfg.Shutdown {
			timer = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return f, false
		case <-l.kick:
			return f, true
		case f.conn = <-l.inbound:
			return f, false
		case <-timer:
		}
		a = l.try(ctx, cfg)
	}
	l.setDial(dialling)
	defer l.setDial(waiting)
	select {
	case f.conn = <-a.result:
		a.cancel()
		f.ours = true
		return f, false
	case f.conn = <-l.inbound:
		l.setAside(a, f)
		return f, false
	case <-l.kick:
		changed = true
	case <-ctx.Done():
	}
	a.giveUp()
	return f, changed
}

// setAside goes on to dial beside a connection that the neighbour made, if ours is the one that it will prefer: it may have it by now, and close the other when it sees both, or when
// it has heard an OPEN (RFC 4271 section 6.8). So ours is kept to go on by until a session stands. Else it is given up.
func (l *link) setAside(a *attempt, f found) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.era == f.era && l.addr.Less(localOf(f.conn)) {
		l.spare = a
		return
	}
	a.giveUp()
}

// chosen notes that a session stands: the neighbour has settled for its connection.
func (l *link) chosen() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropSpare()
}

// dropSpare gives up what was set aside. The caller holds l.mu.
func (l *link) dropSpare() {
	if l.spare != nil {
		l.spare.giveUp()
		l.spare = nil
	}
}

func (l *link) setDial(d dialState) {
	l.mu.Lock()
	l.dial = d
	l.mu.Unlock()
}

// dialOut makes a connection in the VRF's namespace; nil if there is none to be had.
func (l *link) dialOut(ctx context.Context, cfg *linkConfig) *net.TCPConn {
	ttl, least := ttls(&cfg.Neighbour, cfg.external)
	d := net.Dialer{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error {
		if cfg.Password != "" {
			if err := signWith(c, netip.PrefixFrom(l.addr, l.addr.BitLen()), cfg.Password); err != nil {
				return err
			}
		}
		return setsockopt(c, func(fd int) error { return setTTL(fd, l.addr.Is4(), ttl, least) })
	}}
	d.SetMultipathTCP(false)
	if cfg.UpdateSource.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(cfg.UpdateSource, 0))
	}
	var conn net.Conn
	err := l.s.within(l.in.vrf, func() error {
		var err error
		conn, err = d.DialContext(ctx, "tcp", netip.AddrPortFrom(l.addr, cfg.port).String())
		return err
	})
	if err != nil {
		l.mu.Lock()
		l.peer.noteDial(err)
		l.mu.Unlock()
		l.s.log.Debug("bgp: connect", "vrf", l.in.vrf, "neighbour", l.addr, "error", err)
		return nil
	}
	return conn.(*net.TCPConn)
}

// reset ends the connection and what waits for one.
func (l *link) reset() { l.end(0) }

// kickSoon is reset that gives GoBGP the time to say why. A connection that is made meanwhile is by what is configured now, and stays.
func (l *link) kickSoon() { l.end(linger / 4) }

func (l *link) end(after time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.era++
	l.discard()
	switch outer := l.outer; {
	case outer == nil:
	case after == 0:
		outer.Close()
	default:
		time.AfterFunc(after, func() { outer.Close() })
	}
	l.lookAgain()
}

// lookAgain has what waits for a connection begin anew, by what is configured now.
func (l *link) lookAgain() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// discard closes what is no connection of the link's yet. The caller holds l.mu.
func (l *link) discard() {
	select {
	case c := <-l.inbound:
		c.Close()
	default:
	}
	l.dropSpare()
}
