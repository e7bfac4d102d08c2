package slowpath

import (
	"net/netip"
	"slices"

	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/nbma"
	"nave/slowpath/nhrp"
	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/trace"
)

// Debug has what the protocols do told to Take, as far as one of Rules wants it. The zero Debug is off.
type Debug struct {
	Rules []trace.Rule
	// Take is called in the middle of a step. It must not block, and keeps what it is given by Traced.Clone only.
	Take func(Traced)
}

// Traced is something that a protocol did, and whom it is about.
type Traced struct {
	// Topics are those that a rule wants of it: a packet is one thing, of which one may want to see the extensions.
	Topics trace.Topics
	Ifaces []string // tunnels that it may be of
	VRF    string   // of the tunnel; "": the global table
	Outer  string   // VRF of the tunnel's ends, the same way
	// Event is an nhrp.Received, nhrp.Send, nhrp.Trace, nhrp.Log, ike.Trace, ike.Log, ChildTrace, EIGRPTrace, dmvpn.Secure, dmvpn.Unsecure, dmvpn.ToIKE or dmvpn.Log.
	Event any
}

// Clone is a copy that shares no bytes with packets.
func (t Traced) Clone() Traced {
	t.Ifaces = slices.Clone(t.Ifaces)
	switch e := t.Event.(type) {
	case nhrp.Received:
		e.Payload = slices.Clone(e.Payload)
		t.Event = e
	case nhrp.Send:
		e.Payload = slices.Clone(e.Payload)
		t.Event = e
	case EIGRPTrace:
		e.Payload = slices.Clone(e.Payload)
		t.Event = e
	}
	return t
}

// EIGRPTrace is a packet of EIGRP.
type EIGRPTrace struct {
	Iface   string
	Sent    bool
	Peer    netip.Addr // who sent it, or whom it goes to: of a multicast, its group
	Payload []byte
}

// ChildTrace is what becomes of a child: a pair of IPsec SAs.
type ChildTrace struct {
	Kind  ChildChange
	Child ike.ChildStatus // of ChildFailed, only Protection and Path.Remote
	Why   ike.Why         // of ChildRemoved and ChildFailed
}

// ChildChange is what has become of a child.
type ChildChange uint8

// The changes.
const (
	ChildInstalled ChildChange = iota // it takes packets
	ChildActive                       // packets leave by it
	ChildRemoved
	ChildMoved  // its peer is reached elsewhere
	ChildFailed // it was asked for, and is not to be had
)

// debugging is what is told, and to whom.
type debugging struct {
	topics trace.Topics // any rule's
	rules  []trace.Rule
	take   func(Traced)
}

// Debug has what the protocols do told from now on, in the place of what was told before.
func (r *Router) Debug(d Debug) {
	r.debug = debugging{rules: d.Rules, take: d.Take}
	if d.Take != nil {
		for _, rule := range d.Rules {
			r.debug.topics |= rule.Topics
		}
	}
	r.nhrp.Trace(r.debug.topics)
	r.env.Tracing = r.debug.topics
}

// subject is whom something is about, as far as that is known.
type subject struct {
	ifaces []string
	outer  string // VRF of the tunnel's ends
	known  bool   // outer is
	nbma   [4]netip.Addr
	tunnel [2]netip.Addr
}

// told hands something on, if a rule wants it of those whom it is about.
func (r *Router) told(t trace.Topics, s *subject, event any) {
	var want trace.Topics
	for i := range r.debug.rules {
		if rule := &r.debug.rules[i]; rule.Topics&t&^want != 0 && r.fits(rule, s) {
			want |= rule.Topics & t
		}
	}
	if want == 0 {
		return
	}
	out := Traced{Topics: want, Ifaces: s.ifaces, Outer: s.outer, Event: event}
	if len(s.ifaces) > 0 {
		out.VRF = r.vrfOf(s.ifaces[0])
	}
	r.debug.take(out)
}

// fits compares a rule's conditions with whom something is about.
func (r *Router) fits(rule *trace.Rule, s *subject) bool {
	compared := false
	for i := range rule.Conditions {
		fit, known := r.meets(&rule.Conditions[i], s)
		if fit {
			return true
		}
		compared = compared || known
	}
	return len(rule.Conditions) == 0 || rule.Unmatched && !compared
}

// meets compares one condition. known is false where there is nothing to compare it with.
func (r *Router) meets(c *trace.Condition, s *subject) (fit, known bool) {
	switch {
	case c.NBMA.IsValid():
		return among(c.NBMA, s.nbma[:])
	case c.Tunnel.IsValid():
		if fit, known = among(c.Tunnel, s.tunnel[:]); known {
			return fit, known
		}
		return r.isTunnelOf(c.Tunnel, s)
	case c.Iface != "":
		return slices.Contains(s.ifaces, c.Iface), len(s.ifaces) > 0
	case c.VRF != "":
		fit = s.outer == c.VRF
		for _, name := range s.ifaces {
			fit = fit || r.vrfOf(name) == c.VRF
		}
		return fit, len(s.ifaces) > 0 || s.known
	}
	return false, false
}

// among tells whether one of the addresses is inside p, and whether there are any.
func among(p netip.Prefix, list []netip.Addr) (fit, known bool) {
	for _, a := range list {
		if a.IsValid() {
			fit, known = fit || p.Contains(a), true
		}
	}
	return fit, known
}

// isTunnelOf looks in NHRP's cache whether a tunnel address is that of a peer of which only the address on the transport network is known.
func (r *Router) isTunnelOf(p netip.Prefix, s *subject) (fit, known bool) {
	for _, name := range s.ifaces {
		for _, a := range s.nbma {
			if !a.IsValid() {
				continue
			}
			if p.IsSingleIP() {
				if at, ok := r.nhrp.Where(name, p.Addr()); ok && (at.Addr == a || at.Inside == a) {
					return true, true
				}
			}
			if t := r.nhrp.TunnelAt(name, nbma.Of(a)); t.IsValid() {
				fit, known = fit || p.Contains(t), true
			}
		}
	}
	return fit, known
}

// vrfOf is the name of a tunnel interface's VRF.
func (r *Router) vrfOf(iface string) string {
	i, _ := r.rib.Interface(iface)
	return r.vrfs[i.VRF]
}

// about is whom something on a tunnel is about.
func (r *Router) about(iface string, at nbma.Address) subject {
	s := subject{ifaces: []string{iface}, nbma: [4]netip.Addr{at.Addr, at.Inside}}
	if i, ok := r.tunnel(iface); ok {
		s.outer, s.known = r.vrfs[i.Tunnel.OuterVRF], true
	}
	return s
}

const nhrpPacketTopics = trace.NHRPPacket | trace.NHRPExtension | trace.NHRPDetail

// tellNHRPPacket tells of a packet of NHRP, which ev has.
func (r *Router) tellNHRPPacket(iface string, at nbma.Address, payload []byte, ev any) {
	s := r.about(iface, at)
	if m, ok := nhrpmsg.ParsePrefix(payload); ok {
		own := r.addressOf(iface)
		for k, a := range [...]netip.Addr{m.SrcProto, m.DstProto} {
			if a != own {
				s.tunnel[k] = a
			}
		}
		if i, ok := r.tunnel(iface); ok && m.SrcNBMA != i.Tunnel.Local {
			s.nbma[2] = m.SrcNBMA
		}
	}
	r.told(nhrpPacketTopics, &s, ev)
}

// tellNHRP tells of something that NHRP reports.
func (r *Router) tellNHRP(e nhrp.Trace) {
	s := r.about(e.Iface, e.NBMA)
	own := r.addressOf(e.Iface)
	for k, a := range [...]netip.Addr{e.Protocol, e.NextHop} {
		if a != own {
			s.tunnel[k] = a
		}
	}
	r.told(e.Topic, &s, e)
}

// tellNHRPLog tells of a failure that is logged, too.
func (r *Router) tellNHRPLog(e nhrp.Log) {
	switch e.Kind {
	case nhrp.LogRegistrationFailed, nhrp.LogResolutionFailed, nhrp.LogUniqueRefused, nhrp.LogErrorReceived, nhrp.LogNoMapping:
		s := r.about(e.Iface, nbma.Of(e.NBMA))
		s.tunnel[0] = e.Protocol
		r.told(trace.NHRPError, &s, e)
	}
}

// between is whom something between two addresses is about; protection is 0 where it is not known.
func (r *Router) between(protection uint32, p ike.Path) subject {
	s := subject{ifaces: r.sessions.TunnelsOf(protection, p.VRF, p.Local.Addr()), nbma: [4]netip.Addr{p.Remote.Addr()}}
	s.outer, s.known = r.vrfs[fib.VRF(p.VRF)], true
	return s
}

// tellIKE tells of what IKE wants done. It comes before that is carried out.
func (r *Router) tellIKE(e ike.Effect) {
	switch e := e.(type) {
	case ike.Trace:
		s := r.between(0, e.Path)
		r.told(e.Topic, &s, e)
	case ike.Log:
		r.tellIKELog(e)
	case ike.Install:
		r.tellChild(ChildInstalled, dmvpn.Describe(&e.Child), ike.WhyNone)
	case ike.Activate:
		if c, ok := r.sessions.ChildOf(e.Child); ok {
			r.tellChild(ChildActive, c, ike.WhyNone)
		}
	case ike.Remove:
		if c, ok := r.sessions.ChildOf(e.Child); ok {
			r.tellChild(ChildRemoved, c, e.Why)
		}
	case ike.Rehomed:
		if c, ok := r.sessions.ChildOf(e.Child); ok {
			c.Path = e.Path
			r.tellChild(ChildMoved, c, ike.WhyNone)
		}
	case ike.Failed:
		r.tellChild(ChildFailed, ike.ChildStatus{Protection: e.Protection, Path: ike.Path{Remote: e.Remote}}, e.Why)
	}
}

func (r *Router) tellChild(k ChildChange, c ike.ChildStatus, why ike.Why) {
	topic := trace.IPsecDetail
	if k == ChildFailed {
		topic |= trace.IPsecError
	}
	if r.debug.topics&topic == 0 {
		return
	}
	s := r.between(c.Protection, c.Path)
	if k == ChildFailed { // the VRF of the ends is not said
		s.outer, s.known = "", false
	}
	s.nbma[1] = c.Claimed
	r.told(topic, &s, ChildTrace{Kind: k, Child: c, Why: why})
}

// tellIKELog tells of a line that is logged, too.
func (r *Router) tellIKELog(e ike.Log) {
	errors, topic, _ := trace.IKE(e.Version)
	switch e.Kind {
	case ike.LogFailed, ike.LogRejected, ike.LogLimit, ike.LogUnprotected, ike.LogWarning:
		topic |= errors
	case ike.LogChildUp, ike.LogChildDown: // ChildTrace says it
		return
	}
	s := r.between(e.Protection, e.Path)
	r.told(topic, &s, e)
}

// tellEIGRPPacket tells of a packet of EIGRP.
func (r *Router) tellEIGRPPacket(e EIGRPTrace) {
	const atOpcode, hello = 1, 5 // RFC 7868 section 6.5; an acknowledgement is a hello
	topic := trace.EIGRPPacket
	if len(e.Payload) > atOpcode && e.Payload[atOpcode] == hello {
		topic = trace.EIGRPHello
	}
	if r.debug.topics&topic == 0 {
		return
	}
	var at nbma.Address
	if !e.Peer.IsMulticast() {
		at, _ = r.nhrp.Where(e.Iface, e.Peer)
	}
	s := r.about(e.Iface, at)
	if !e.Peer.IsMulticast() {
		s.tunnel[0] = e.Peer
	}
	r.told(topic, &s, e)
}

// tellSession tells of what a session wants done.
func (r *Router) tellSession(e dmvpn.Effect) {
	switch e := e.(type) {
	case dmvpn.Secure:
		s := r.about(e.Iface, e.NBMA)
		r.told(trace.TunnelDetail, &s, e)
	case dmvpn.Unsecure:
		s := r.about(e.Iface, e.NBMA)
		r.told(trace.TunnelDetail, &s, e)
	case dmvpn.ToIKE:
		switch ev := e.Event.(type) {
		case ike.Initiate:
			s := r.between(ev.Protection, ike.Path{Remote: ev.Remote})
			r.told(trace.SocketDetail, &s, e)
		case ike.Release:
			s := r.between(ev.Protection, ike.Path{Remote: ev.Remote})
			r.told(trace.SocketDetail, &s, e)
		}
	case dmvpn.Log:
		s := subject{ifaces: e.Ifaces, nbma: [4]netip.Addr{e.Peer.Addr(), e.Was.Addr(), e.Inside}}
		s.outer, s.known = r.vrfs[fib.VRF(e.VRF)], true
		r.told(sessionTopics(&e), &s, e)
	}
}

// sessionTopics are what a line of a session belongs to.
func sessionTopics(e *dmvpn.Log) trace.Topics {
	switch e.Kind {
	case dmvpn.LogSocketOpen, dmvpn.LogSocketClosed:
		return trace.SocketDetail
	case dmvpn.LogNoRoom, dmvpn.LogUnopened:
		return trace.SocketDetail | trace.SocketError
	case dmvpn.LogTwin, dmvpn.LogNATHub:
		return trace.TunnelDetail | trace.TunnelError
	case dmvpn.LogSessionDown:
		switch e.Why {
		case ike.WhyNone, ike.WhyReleased, ike.WhyReplaced, ike.WhyCleared, ike.WhyPeerDeleted, ike.WhyExpired, ike.WhyInitialContact:
			return trace.TunnelDetail
		}
		return trace.TunnelDetail | trace.TunnelError
	}
	return trace.TunnelDetail
}

// sessionTraceTopics are all that tellSession tells.
const sessionTraceTopics = trace.Tunnel | trace.Socket

// ikeTraceTopics are all that tellIKE tells.
const ikeTraceTopics = trace.IKEv1 | trace.IKEv2 | trace.IPsec
