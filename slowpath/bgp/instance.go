package bgp

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"
)

// Addresses that stand for something in what GoBGP is told.
var (
	// innerAddr is where GoBGP listens; so it is also the next hop that it writes when it sets itself.
	innerAddr = netip.MustParseAddr("127.64.0.1")
	// aliases are the neighbours' addresses.
	aliases = netip.MustParsePrefix("127.64.0.0/10")
	// ownHop is the next hop of this router's own routes: our address, with a label of ours already. It and the others of its kind are
	// of class E, which no router has, and the import policy takes none of them from a neighbour.
	ownHop    = netip.MustParseAddr("240.0.0.1")
	importHop = netip.MustParseAddr("240.0.0.2") // the source of routes imported into a VRF
)

// instance is a GoBGP server: of the global table or of a VRF.
type instance struct {
	s      *Speaker
	vrf    string
	srv    *server.BgpServer
	port   uint16 // where it listens, on innerAddr
	cancel context.CancelFunc
	links  map[netip.Addr]*link // by the neighbour's address
	byName map[netip.Addr]*link // by its alias

	policies string // what GoBGP has, to find changes
	assigned bool
	last     *path          // read; see share
	changed  time.Time      // when a best path last changed
	lastUp   time.Time      // when a session last came up
	fresh    map[*link]bool // sessions that came up a moment ago: whether best paths changed around then
}

// startInstance starts a server and watches it.
func (s *Speaker) startInstance(vrf string) (*instance, error) {
	in := &instance{s: s, vrf: vrf, links: make(map[netip.Addr]*link), byName: make(map[netip.Addr]*link), fresh: make(map[*link]bool)}
	ctx, cancel := context.WithCancel(context.Background())
	in.cancel = cancel
	kinds := []Family{IPv4Unicast}
	if vrf == "" {
		kinds = families
	}
	var ids []uint32
	for _, f := range kinds {
		ids = append(ids, apiFamilyID(f))
	}
	var err error
	for range 5 { // the port was free a moment ago
		if in.port, err = freePort(); err != nil {
			break
		}
		in.srv = server.NewBgpServer(server.LoggerOption(s.inner, nil))
		go in.srv.Serve()
		err = in.srv.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{
			Asn: s.cfg.AS, RouterId: s.cfg.RouterID.String(),
			ListenPort: int32(in.port), ListenAddresses: []string{innerAddr.String()}, Families: ids,
		}})
		if err == nil {
			break
		}
		in.srv.Stop()
	}
	if err == nil {
		err = in.lock(ctx)
	}
	if err == nil {
		err = in.watch(ctx)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("bgp%s: start: %w", inVRF(vrf), err)
	}
	return in, nil
}

func freePort() (uint16, error) {
	l, err := net.Listen("tcp4", netip.AddrPortFrom(innerAddr, 0).String())
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort().Port(), nil
}

// lock makes GoBGP's listener take only connections that are signed with our key.
func (in *instance) lock(ctx context.Context) error {
	if !in.s.signed {
		return nil
	}
	if err := in.srv.AddPeerGroup(ctx, &api.AddPeerGroupRequest{PeerGroup: &api.PeerGroup{
		Conf: &api.PeerGroupConf{PeerGroupName: "links", PeerAsn: in.s.cfg.AS, AuthPassword: string(in.s.innerKey)},
	}}); err != nil {
		return err
	}
	return in.srv.AddDynamicNeighbor(ctx, &api.AddDynamicNeighborRequest{
		DynamicNeighbor: &api.DynamicNeighbor{Prefix: aliases.String(), PeerGroup: "links"},
	})
}

func (in *instance) watch(ctx context.Context) error {
	return in.srv.WatchEvent(ctx, server.WatchEventMessageCallbacks{
		OnBestPath:   func(ps []*apiutil.Path, at time.Time) { in.s.bestPaths(in, ps, at) },
		OnPeerUpdate: func(e *apiutil.WatchEventMessage_PeerEvent, t time.Time) { in.s.peerEvent(in, e, t) },
	}, server.WatchBestPath(true), server.WatchPeer())
}

// shut stops the links and the server. The caller holds the speaker's lock, which links take, so it waits for none of them. With
// quiet, neighbours are not told: they see the connection break, and keep the routes if they know graceful restart.
func (in *instance) shut(quiet bool) {
	links := slices.Collect(maps.Values(in.links))
	in.s.stopping.Add(1)
	go func() {
		defer in.s.stopping.Done()
		ctx := context.Background()
		for _, l := range links {
			l.gate.Lock()
			if l.quiet.Store(quiet); !quiet {
				if err := in.srv.DeletePeer(ctx, &api.DeletePeerRequest{Address: l.alias.String()}); err != nil {
					in.s.log.Warn("bgp: stop", "vrf", in.vrf, "neighbour", l.addr, "error", err)
				}
			}
			if l.stop != nil {
				l.stop()
			}
			l.gate.Unlock()
		}
		for _, l := range links {
			if l.stop != nil {
				<-l.done
			}
		}
		// GoBGP panics if it takes a connection after it has forgotten its router ID. There will be no more of them; this is for the last.
		time.Sleep(settle)
		in.cancel()
		if err := in.srv.StopBgp(ctx, &api.StopBgpRequest{AllowGracefulRestart: quiet}); err != nil {
			in.s.log.Warn("bgp: stop", "vrf", in.vrf, "error", err)
		}
		in.srv.Stop() // what StopBgp leaves
	}()
}

// settle is what GoBGP is given to take a connection out of its queue.
const settle = 50 * time.Millisecond

// --- neighbours ---

// apiPeer is what GoBGP is told of a neighbour. What links do is left out, and what only people read: GoBGP ends a session over a
// changed description.
func (in *instance) apiPeer(l *link, cfg *linkConfig) *api.Peer {
	s := in.s
	hold := orDefault(cfg.Hold, defaultHold)
	p := &api.Peer{
		Conf: &api.PeerConf{NeighborAddress: l.alias.String(), PeerAsn: cfg.RemoteAS, AllowOwnAsn: uint32(cfg.AllowOwn), AdminDown: l.peer.addedDown},
		Timers: &api.Timers{Config: &api.TimersConfig{
			HoldTime: uint64(hold / time.Second), KeepaliveInterval: uint64(orDefault(cfg.Keepalive, hold/3) / time.Second),
			IdleHoldTimeAfterReset: 1,
		}},
		Transport:    &api.Transport{PassiveMode: true, LocalAddress: innerAddr.String()},
		EbgpMultihop: &api.EbgpMultihop{Enabled: cfg.external, MultihopTtl: 255},
		RouteReflector: &api.RouteReflector{
			RouteReflectorClient: cfg.Client, RouteReflectorClusterId: orDefault(s.cfg.ClusterID, s.cfg.RouterID).String(),
		},
	}
	if gr := s.cfg.GracefulRestart; gr.Enabled {
		p.GracefulRestart = &api.GracefulRestart{
			Enabled: true, RestartTime: uint32(orDefault(gr.RestartTime, defaultRestart) / time.Second), DeferralTime: uint32(s.deferral() / time.Second),
			NotificationEnabled: false, LocalRestarting: in.restarting(l),
		}
	}
	for _, a := range cfg.Families {
		f := &api.AfiSafi{
			Config:            &api.AfiSafiConfig{Family: apiFamily(a.Family), Enabled: true},
			MpGracefulRestart: &api.MpGracefulRestart{Config: &api.MpGracefulRestartConfig{Enabled: s.cfg.GracefulRestart.Enabled}},
		}
		if a.MaxPrefixes > 0 {
			f.PrefixLimits = &api.PrefixLimit{Family: apiFamily(a.Family), MaxPrefixes: a.MaxPrefixes, ShutdownThresholdPct: uint32(orDefault(a.WarnPercent, defaultWarnPercent))}
		}
		p.AfiSafis = append(p.AfiSafis, f)
	}
	return p
}

// essence is what of a neighbour's configuration a session can't outlive.
func essence(s *Speaker, c *linkConfig) string {
	fs := make([]Family, 0, len(c.Families))
	for _, a := range c.Families {
		fs = append(fs, a.Family)
	}
	slices.Sort(fs)
	return fmt.Sprint(c.RemoteAS, c.Client, c.AllowOwn, fs, s.cfg.GracefulRestart.Enabled, s.cfg.GracefulRestart.RestartTime, s.cfg.ClusterID)
}

// transport is what of it a connection can't outlive.
func transport(c *linkConfig) string {
	return fmt.Sprint(c.port, string(c.Password), c.UpdateSource, c.MultihopTTL, c.SecurityHops, c.Shutdown)
}

// limits are what GoBGP takes while a session stands; timers count from the next one on.
func limits(c *linkConfig) string {
	var b strings.Builder
	fmt.Fprint(&b, c.Hold, c.Keepalive)
	for _, a := range c.Families {
		fmt.Fprint(&b, ";", a.Family, a.MaxPrefixes, a.WarnPercent)
	}
	return b.String()
}

// add makes a neighbour known to GoBGP, and its link.
func (in *instance) add(ctx context.Context, addr netip.Addr, cfg *linkConfig, of *Range) (*link, error) {
	alias, err := in.s.takeAlias()
	if err != nil {
		return nil, err
	}
	l := newLink(in, addr, alias, cfg)
	l.template = of
	l.peer.addedDown = cfg.Shutdown
	l.peer.since = time.Now()
	l.peer.essence = essence(in.s, cfg)
	if err := in.srv.AddPeer(ctx, &api.AddPeerRequest{Peer: in.apiPeer(l, cfg)}); err != nil {
		in.s.giveAlias(alias)
		return nil, fmt.Errorf("bgp: neighbor %s%s: %w", addr, inVRF(in.vrf), err)
	}
	in.links[addr], in.byName[alias] = l, l
	return l, nil
}

// deferral is for how long a router that has restarted tells nobody anything, while not all neighbours have told it all (RFC 4724 section 4.1). What it told them before serves as
// long as its labels of before do, which is two minutes.
func (s *Speaker) deferral() time.Duration {
	return min(orDefault(s.cfg.GracefulRestart.RestartTime, defaultRestart), time.Minute)
}

// restarting tells whether a neighbour is to hear that this router has restarted: until it has heard so, or those who knew have forgotten.
func (in *instance) restarting(l *link) bool {
	s := in.s
	return s.cfg.GracefulRestart.Restarting && !l.peer.wasUp && (!s.began || time.Since(s.start) < s.deferral())
}

// syncing tells whether GoBGP keeps everything from a neighbour until it has heard of all others, and will tell it all then.
func (in *instance) syncing(l *link) (yes bool) {
	_ = in.srv.ListPeer(context.Background(), &api.ListPeerRequest{Address: l.alias.String()}, func(p *api.Peer) { // an error: there is none
		yes = p.GetGracefulRestart().GetLocalRestarting()
	})
	return yes
}

// renew takes a neighbour away from GoBGP with all that it said, and gives it back as it is configured now. The caller holds the speaker's lock.
func (in *instance) renew(ctx context.Context, l *link) error {
	l.gate.Lock()
	defer l.gate.Unlock()
	l.stale = false
	if err := in.srv.DeletePeer(ctx, &api.DeletePeerRequest{Address: l.alias.String()}); err != nil {
		return err
	}
	l.peer.addedDown = l.config().Shutdown
	return in.srv.AddPeer(ctx, &api.AddPeerRequest{Peer: in.apiPeer(l, l.config())})
}

// rouse has GoBGP listen to a neighbour that is there: it leaves one whose session ended, or did not begin, idle for five seconds. While routes are kept of a neighbour that
// restarts it has to be waited for, as they would be lost; but if the neighbour turns out not to have forwarded on, they are to go (RFC 4724 section 4.2).
func (s *Speaker) rouse(l *link, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.instances[l.in.vrf] != l.in || l.in.links[l.addr] != l || l.peer.up || l.stale && !lost {
		return
	}
	var n NeighbourStatus
	if err := l.in.neighbours(l.alias.String(), false, func(st NeighbourStatus) { n = st }); err != nil || n.State != Idle || n.OverLimit || n.Shutdown {
		return
	}
	l.peer.sent, l.peer.received = n.Sent, n.Received
	if err := l.in.renew(context.Background(), l); err != nil {
		s.log.Warn("bgp: neighbour begins again", "vrf", l.in.vrf, "neighbour", l.addr, "error", err)
	}
}

// remove takes a neighbour away; its routes go with it.
func (in *instance) remove(ctx context.Context, l *link) error {
	delete(in.links, l.addr)
	delete(in.fresh, l)
	l.gate.Lock()
	err := in.srv.DeletePeer(ctx, &api.DeletePeerRequest{Address: l.alias.String()})
	l.stop()
	l.gate.Unlock()
	if l.peer.up {
		in.s.say(Effects{Sessions: []Session{{VRF: in.vrf, Neighbour: l.addr, Reason: "neighbor removed"}}})
	}
	go func() { // GoBGP's last events still name the alias
		<-l.done
		in.s.mu.Lock()
		defer in.s.mu.Unlock()
		delete(in.byName, l.alias)
		in.s.giveAlias(l.alias)
	}()
	return err
}

// update gives a neighbour its new configuration.
func (in *instance) update(ctx context.Context, l *link, cfg *linkConfig) error {
	old := l.config()
	l.cfg.Store(cfg)
	var err error
	switch {
	case essence(in.s, cfg) != l.peer.essence:
		err = in.renew(ctx, l)
		l.kickSoon()
	case old.Shutdown != cfg.Shutdown && cfg.Shutdown:
		err = in.srv.DisablePeer(ctx, &api.DisablePeerRequest{Address: l.alias.String()})
		l.kickSoon()
	case old.Shutdown != cfg.Shutdown:
		err = in.srv.EnablePeer(ctx, &api.EnablePeerRequest{Address: l.alias.String()}) // it drops what comes right after another change: then rouse sees to it
		l.reset()
	case transport(old) != transport(cfg):
		l.reset()
	case old.Passive != cfg.Passive || old.ConnectRetry != cfg.ConnectRetry:
		l.lookAgain()
	}
	if err == nil && limits(old) != limits(cfg) {
		_, err = in.srv.UpdatePeer(ctx, &api.UpdatePeerRequest{Peer: in.apiPeer(l, cfg)})
	}
	l.peer.essence = essence(in.s, cfg)
	if err != nil {
		return fmt.Errorf("bgp: neighbor %s%s: %w", l.addr, inVRF(in.vrf), err)
	}
	return nil
}

// soft resends routes to a neighbour, or looks again at those it sent.
func (in *instance) soft(l *link, dir api.ResetPeerRequest_Direction) {
	if dir != api.ResetPeerRequest_DIRECTION_IN && in.s.cfg.GracefulRestart.Restarting && in.syncing(l) {
		if dir == api.ResetPeerRequest_DIRECTION_OUT { // it would end with End-of-RIB, and the neighbour drop what was not in it
			return
		}
		dir = api.ResetPeerRequest_DIRECTION_IN
	}
	err := in.srv.ResetPeer(context.Background(), &api.ResetPeerRequest{Address: l.alias.String(), Soft: true, Direction: dir})
	if err != nil {
		in.s.log.Warn("bgp: soft reset", "vrf", in.vrf, "neighbour", l.addr, "error", err)
	}
}

func apiFamily(f Family) *api.Family {
	w := f.wire()
	return apiutil.ToApiFamily(w.AFI, w.SAFI)
}

// apiFamilyID is GoBGP's number of a family in its global configuration.
func apiFamilyID(f Family) uint32 {
	switch f {
	case VPNv4:
		return 4
	case VPNv6:
		return 5
	}
	return 0
}

func goFamily(f Family) bgp.Family {
	w := f.wire()
	return bgp.NewFamily(w.AFI, w.SAFI)
}
