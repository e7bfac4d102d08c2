package nhrp

import (
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/nbma"
)

// Status is a copy of the machine's state.
func (m *Machine) Status(now time.Time) Status {
	s := Status{Time: now, Limit: m.maxEntries, Unknown: m.unknown}
	for _, ifc := range m.order {
		s.Interfaces = append(s.Interfaces, ifc.status(now))
		for _, e := range ifc.sorted() {
			s.Entries = append(s.Entries, e.status(now))
		}
		s.Entries = ifc.localEntries(s.Entries)
	}
	return s
}

func (ifc *iface) status(now time.Time) InterfaceStatus {
	b := ifc.quota // a copy: looking at it must not change it
	b.refill(now, ifc.cfg.MaxSend.Packets, ifc.cfg.MaxSend.Interval)
	s := InterfaceStatus{
		Name: ifc.cfg.Name, ID: ifc.cfg.ID, VRF: ifc.cfg.VRF, NetworkID: ifc.cfg.NetworkID, Address: ifc.cfg.Address,
		NBMA: ifc.cfg.NBMA, Public: ifc.public, Spoke: len(ifc.nhs) > 0, MaxSend: ifc.cfg.MaxSend, Traffic: ifc.traffic,
		Usage: int(100 - 100*b.tokens/float64(ifc.cfg.MaxSend.Packets)),
	}
	for _, n := range ifc.nhs {
		s.NHS = append(s.NHS, n.status())
	}
	for _, p := range ifc.peers {
		s.Peers = append(s.Peers, p.status())
		if p.mcast > 0 {
			s.Multicast = append(s.Multicast, p.at.Addr)
		}
	}
	s.Peers = ifc.peerless(s.Peers)
	slices.SortStableFunc(s.Peers, func(a, b PeerStatus) int {
		return nbma.Address{Addr: a.NBMA, Inside: a.Inside}.Compare(nbma.Address{Addr: b.NBMA, Inside: b.Inside})
	})
	slices.SortFunc(s.Multicast, netip.Addr.Compare)
	return s
}

// peerless appends what `show dmvpn` lists without a peer: destinations being resolved, and ourselves if we answered.
func (ifc *iface) peerless(out []PeerStatus) []PeerStatus {
	for _, e := range ifc.sorted() {
		if e.kind == kIncomplete {
			out = append(out, PeerStatus{Tunnel: e.nextHop, Entries: 1, Stage: StageNHRP, Since: e.created, Incomplete: true, NoSocket: true})
		}
	}
	self := PeerStatus{NBMA: ifc.cfg.NBMA, Tunnel: ifc.self, Stage: StageUp, Dynamic: true, Local: true, NoSocket: true}
	for _, a := range ifc.localEntries(nil) {
		self.Entries++
		if self.Since.IsZero() || a.Created.Before(self.Since) {
			self.Since = a.Created
		}
	}
	if self.Entries > 0 {
		out = append(out, self)
	}
	return out
}

func (n *nhs) status() NHSStatus {
	s := NHSStatus{
		Protocol: n.proto, NBMA: n.address(), State: n.state, Priority: n.cfg.Priority, Cluster: n.cfg.Cluster,
		Dynamic: !n.cfg.Protocol.IsValid(), Since: n.since, Requests: n.requests, Replies: n.replies, Failures: n.failures,
		RequestID: n.id,
	}
	if n.timer.index != 0 {
		s.Next = n.timer.at
	}
	return s
}

func (p *peer) status() PeerStatus {
	s := PeerStatus{
		NBMA: p.at.Addr, Inside: p.at.Inside, Entries: len(p.entries), Stage: p.session(), Since: p.since, NoSocket: !p.ready,
		Sent: p.sent, Received: p.received,
	}
	if p.ready {
		s.Stage = StageUp
	}
	for _, e := range sortedHostsFirst(p.entries, true) {
		if !s.Tunnel.IsValid() {
			s.Tunnel = e.nextHop
		}
		s.Static = s.Static || e.kind.configured()
		s.Dynamic = s.Dynamic || !e.kind.configured()
		s.NATed = s.NATed || e.nated()
		s.Inherited = s.Inherited || e.flags&FlagInherited != 0
	}
	for _, n := range p.ifc.nhs {
		if n.peer != p {
			continue
		}
		s.Static = true
		if !s.Tunnel.IsValid() {
			s.Tunnel = n.proto
		}
		if p.ready {
			s.Since = n.since
			if n.state != NHSResponding {
				s.Stage = StageNHRP
				if n.replies == 0 {
					s.Since = time.Time{} // never up
				}
			}
		}
	}
	if s.Static {
		s.Dynamic = false
	}
	return s
}

func (e *entry) nated() bool {
	return e.peer != nil && e.claimed.IsValid() && e.claimed != e.peer.at.Addr
}

func (e *entry) status(now time.Time) EntryStatus {
	s := EntryStatus{
		Iface: e.ifc.cfg.Name, Prefix: e.prefix, NextHop: e.nextHop, Type: TypeDynamic, Flags: e.flags,
		Claimed: e.claimed, Created: e.created, Expires: e.expires,
	}
	switch e.kind {
	case kStatic, kNHS:
		s.Type = TypeStatic
	case kIncomplete:
		s.Type = TypeIncomplete
	case kNegative:
		s.Type = TypeNegative
	}
	if e.kind > kIncomplete {
		s.Flags &^= FlagUnopened // it was, and is reached by now
	}
	if e.peer != nil {
		s.NBMA, s.Inside = e.peer.at.Addr, e.peer.at.Inside
		if !e.peer.ready {
			s.Flags |= FlagNoSock
		}
		if !e.peer.lastUsed.IsZero() && now.Sub(e.peer.lastUsed) < time.Minute {
			s.Flags |= FlagUsed
		}
	}
	if e.bound.Via {
		if s.NBMA != e.bound.NBMA.Addr {
			s.Direct = s.NBMA
		}
		s.NBMA = e.bound.NBMA.Addr
		s.Flags |= FlagVia
	}
	if e.nated() {
		s.Flags |= FlagNATed
	}
	return s
}

// localEntries appends what was answered for, one entry a prefix with all of its holders.
func (ifc *iface) localEntries(out []EntryStatus) []EntryStatus {
	start := len(out)
	for _, a := range ifc.answersSorted() {
		if !a.route.IsValid() {
			continue // for a client: its own entry is there
		}
		if n := len(out); n > start && out[n-1].Prefix == a.key.prefix {
			out[n-1].Holders = append(out[n-1].Holders, a.key.holder)
			if a.expires.After(out[n-1].Expires) {
				out[n-1].Expires = a.expires
			}
			continue
		}
		out = append(out, EntryStatus{
			Iface: ifc.cfg.Name, Prefix: a.key.prefix, NextHop: ifc.self, Type: TypeDynamic, Flags: FlagLocal | FlagUnique | FlagRouter,
			NBMA: ifc.cfg.NBMA, Claimed: ifc.cfg.NBMA, Created: a.created, Expires: a.expires, Holders: []netip.Addr{a.key.holder},
		})
	}
	return out
}

// session is how far the session of a peer has come that is not ready.
func (p *peer) session() PeerStage {
	if p.ipsec {
		return StageIPsec
	}
	return StageIKE
}
