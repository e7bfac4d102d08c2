package bgp

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// announce tells GoBGP of a route of ours: in the global table, or in a VRF to its neighbours and to other routers of the VPN.
func (s *Speaker) announce(l Local) error {
	p := &path{
		prefix: l.Prefix, nextHop: orDefault(l.NextHop, ownHop), asPath: l.ASPath, origin: l.Origin, med: l.Metric,
		localPref: orDefault(l.LocalPref, defaultLocalPref), communities: l.Communities,
	}
	for _, c := range l.Extended {
		p.targets = append(p.targets, RouteTarget(c))
	}
	if l.VRF == "" {
		return s.originate(s.instances[""], p, netip.Addr{})
	}
	v := s.vrfs[l.VRF]
	if v == nil {
		return nil // it comes, or BGP has nothing to do with it
	}
	p.nextHop = ownHop
	if in := s.instances[l.VRF]; in != nil && l.Prefix.Addr().Is4() {
		if err := s.originate(in, p, netip.Addr{}); err != nil {
			return err
		}
	}
	if w, changed := s.unswap(LabelFor{v.Name, v.RD, l.Prefix}); changed { // of what a neighbour had said
		s.say(Effects{Swaps: []Swap{w}})
	}
	q := *p
	q.rd, q.labels, q.targets = v.RD, []uint32{l.Label}, append(slices.Clone(v.Export), p.targets...)
	return s.originateOwn(&q, v.Name)
}

func (s *Speaker) unannounce(k Key) error {
	if k.VRF == "" {
		return s.retract(s.instances[""], vpnKey{0, k.Prefix}, netip.Addr{})
	}
	v := s.vrfs[k.VRF]
	if v == nil {
		return nil
	}
	if in := s.instances[k.VRF]; in != nil && k.Prefix.Addr().Is4() {
		if err := s.retract(in, vpnKey{0, k.Prefix}, netip.Addr{}); err != nil {
			return err
		}
	}
	if v.learned[k.Prefix] != nil {
		s.exportLearned(v, k.Prefix)
		return nil
	}
	return s.retractOwn(vpnKey{v.RD, k.Prefix})
}

// configureVRFs makes the VRFs those of the configuration. One that is defined differently is gone through again: its routes leave
// with other targets, and others come in.
func (s *Speaker) configureVRFs() []error {
	var errs []error
	want := make(map[string]VRF)
	for _, v := range s.cfg.VRFs {
		want[v.Name] = v
	}
	for name, v := range s.vrfs {
		w, ok := want[name]
		if ok && w.RD == v.RD {
			continue
		}
		errs = append(errs, s.dropVRF(v))
	}
	for name, w := range want {
		v := s.vrfs[name]
		fresh := v == nil
		if fresh {
			v = newVRF(w)
			s.vrfs[name] = v
		}
		imports, exports := fresh || !slices.Equal(v.Import, w.Import), !fresh && !slices.Equal(v.Export, w.Export)
		v.VRF = w
		if err := s.serveVRF(v); err != nil {
			errs = append(errs, err)
		}
		if imports {
			for k, p := range s.vpn {
				if !v.wants(p) {
					p = nil
				}
				if v.take(k, p) {
					s.imported(v, k.Prefix)
				}
			}
		}
		if fresh || exports {
			errs = append(errs, s.reexport(v))
		}
	}
	return errs
}

// serveVRF starts or stops the server that the VRF's neighbours need.
func (s *Speaker) serveVRF(v *vrf) error {
	in := s.instances[v.Name]
	switch {
	case in == nil && len(v.Neighbours) > 0:
		if s.env.Within == nil {
			return fmt.Errorf("bgp: VRF %s: neighbours inside VRFs need network namespaces", v.Name)
		}
		in, err := s.startInstance(v.Name)
		if err != nil {
			return err
		}
		s.instances[v.Name] = in
		for prefix := range v.imports {
			s.imported(v, prefix)
		}
		return s.reexport(v)
	case in != nil && len(v.Neighbours) == 0:
		in.shut(false)
		delete(s.instances, v.Name)
		for prefix := range v.learned {
			s.learnedInVRF(v, prefix, nil)
		}
	}
	return nil
}

// reexport advertises all routes of a VRF again.
func (s *Speaker) reexport(v *vrf) error {
	var first error
	for k, l := range s.locals {
		if k.VRF == v.Name {
			if err := s.announce(l); err != nil && first == nil {
				first = err
			}
		}
	}
	for prefix := range v.learned {
		s.exportLearned(v, prefix)
	}
	return first
}

// dropVRF takes a VRF out, with all that it imported and exported.
func (s *Speaker) dropVRF(v *vrf) error {
	if in := s.instances[v.Name]; in != nil {
		in.shut(false)
		delete(s.instances, v.Name)
	}
	for prefix := range v.learned {
		s.learnedInVRF(v, prefix, nil)
	}
	var first error
	for k, owner := range s.owners {
		if owner == v.Name {
			if err := s.retractOwn(k); err != nil && first == nil {
				first = err
			}
		}
	}
	clear(v.imports)
	for prefix := range v.said {
		s.route(v, prefix)
	}
	delete(s.vrfs, v.Name)
	return first
}

// swapLabels starts or stops giving labels of ours to routes of others, as the neighbours need it.
func (s *Speaker) swapLabels() {
	need := false
	for _, n := range s.cfg.Neighbours {
		need = need || s.swapsFor(s.linkConfig(n))
	}
	for _, r := range s.cfg.Ranges {
		need = need || s.swapsFor(s.linkConfig(r.Template))
	}
	if need == s.swapping {
		return
	}
	s.swapping = need
	for k, p := range s.vpn {
		s.swapVPN(k, p)
	}
}

// refreshLink gives a link the rules that its configuration says, and has routes sent or looked at again if they changed.
func (s *Speaker) refreshLink(in *instance, l *link) {
	cfg := l.config()
	o := s.outboundOf(cfg)
	l.out.Store(o)
	l.rebuildRules()
	outText, inText := fmt.Sprint(o.families), ""
	for _, a := range cfg.Families {
		outText += fmt.Sprintf(";%s", s.mapText(a.Out))
		inText += fmt.Sprintf(";%d %s", a.Family, s.mapText(a.In))
	}
	old := l.rulesOf
	l.rulesOf = outText + "\n" + inText
	if old == "" || old == l.rulesOf {
		return
	}
	// Whether a session stands GoBGP knows: that one has come up may not be known here yet. It may even not have noted it itself: cameUp looks after that.
	oldOut, oldIn, _ := strings.Cut(old, "\n")
	if oldIn != inText {
		in.soft(l, api.ResetPeerRequest_DIRECTION_IN)
	}
	if oldOut != outText {
		in.soft(l, api.ResetPeerRequest_DIRECTION_OUT)
		l.peer.rules = time.Now()
	}
}

// mapText is all that a route-map says, to find changes.
func (s *Speaker) mapText(name string) string {
	if name == "" {
		return ""
	}
	m := s.cfg.RouteMaps[name]
	text := name
	for _, c := range m {
		text += fmt.Sprint(c.Deny, c.PrefixLists, c.Match, c.NextHop, deref(c.LocalPref), deref(c.Metric), c.Communities, c.Additive, c.Targets, c.TargetsAdded, c.Prepend, c.Origin, c.SetOrigin)
		for _, n := range c.PrefixLists {
			text += fmt.Sprint(s.cfg.PrefixLists[n])
		}
	}
	return text
}

func deref(v *uint32) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprint(*v)
}

// peerEvent takes over a change of a session.
func (s *Speaker) peerEvent(in *instance, e *apiutil.WatchEventMessage_PeerEvent, now time.Time) {
	if e.Type != apiutil.PEER_EVENT_STATE {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := in.byName[e.Peer.State.NeighborAddress]
	if l == nil || s.instances[in.vrf] != in || s.closed {
		return
	}
	up := e.Peer.State.SessionState == bgp.BGP_FSM_ESTABLISHED
	if e.Peer.State.DisconnectReason == api.PeerState_DISCONNECT_REASON_RESTART_TIMER_EXPIRED {
		l.stale = false
	}
	if up == l.peer.up {
		return
	}
	l.peer.up, l.peer.since = up, now
	ev := Session{VRF: in.vrf, Neighbour: l.addr, Up: up}
	if up {
		l.chosen()
		in.cameUp(l)
		l.peer.wasUp, l.stale = true, false
		l.proved.Store(true)
		l.forwards.Store(true)
	} else {
		in.wentDown(l, &e.Peer.State)
		ev.Reason = l.peer.reason
	}
	s.say(Effects{Sessions: []Session{ev}})
}

// around is the time about a session's start in which changes may have been missed.
const around = time.Second

// cameUp sends a neighbour all routes once more, if best paths or what is sent to it changed as its session came up. GoBGP takes what it sends at first
// from the table, and what it sends later from changes; a change between the two can get lost. When things happened is GoBGP's word: here they may be
// heard of much later. The caller holds the lock.
func (in *instance) cameUp(l *link) {
	at := l.peer.since
	if at.After(in.lastUp) {
		in.lastUp = at
	}
	in.lookAfter(l, at.Sub(in.changed).Abs() < around || at.Before(l.peer.rules))
}

// lookAfter sends all routes once more in a moment, if missed is or becomes true until then.
func (in *instance) lookAfter(l *link, missed bool) {
	since := l.peer.since
	in.fresh[l] = missed
	time.AfterFunc(around, func() {
		in.s.mu.Lock()
		defer in.s.mu.Unlock()
		if !l.peer.up || !l.peer.since.Equal(since) {
			return // that session has ended
		}
		again := in.fresh[l]
		delete(in.fresh, l)
		if again && in.links[l.addr] == l && in.s.instances[in.vrf] == in && !in.s.closed {
			in.soft(l, api.ResetPeerRequest_DIRECTION_OUT)
		}
	})
}

// pathsChanged notes when best paths did. The caller holds the lock.
func (in *instance) pathsChanged(at time.Time) {
	if at.After(in.changed) {
		in.changed = at
	}
	for l := range in.fresh {
		in.fresh[l] = true
	}
	if at.Sub(in.lastUp) >= around {
		return
	}
	for _, l := range in.links { // it was about then, though it is heard of only now
		if _, looked := in.fresh[l]; !looked && l.peer.up && at.Sub(l.peer.since).Abs() < around {
			in.lookAfter(l, true)
		}
	}
}

// wentDown takes over the end of a session. The caller holds the lock.
func (in *instance) wentDown(l *link, st *apiutil.PeerState) {
	delete(in.fresh, l)
	l.peer.flaps++
	l.peer.reason = st.DisconnectMessage
	l.stale = st.DisconnectReason == api.PeerState_DISCONNECT_REASON_GRACEFUL_RESTART
	if l.template != nil {
		l.expect()
	}
}

// expect takes a dynamic neighbour away again if it is not up after a while: the time that its routes may be kept for, at least.
func (l *link) expect() {
	s := l.s
	wait := patience
	if gr := s.cfg.GracefulRestart; gr.Enabled {
		wait = max(wait, orDefault(gr.RestartTime, defaultRestart)+time.Second)
	}
	time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if l.template == nil || l.peer.up || l.in.links[l.addr] != l || s.closed || time.Since(l.peer.since) < wait {
			return
		}
		if err := l.in.remove(context.Background(), l); err != nil {
			s.log.Warn("bgp: dynamic neighbour", "error", err)
		}
	})
}

// resendSwapped has routes sent again to those who should have had them with a label that was not there.
func (s *Speaker) resendSwapped() {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.instances[""]
	if in == nil || s.closed {
		return
	}
	for _, l := range in.links {
		if s.swapsFor(l.config()) {
			in.soft(l, api.ResetPeerRequest_DIRECTION_OUT)
		}
	}
}
