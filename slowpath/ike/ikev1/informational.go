package ikev1

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/trace"
)

// inform sends an informational message, which nobody answers (RFC 2409 section 5.7).
func (s *sa) inform(list []ikemsg.Payload) {
	if s.state != established {
		return
	}
	x := s.begin(ikev1msg.Informational, nil)
	s.use(x.id)
	x.sendHashed(nil, list)
	x.forget()
}

// tell sends an error notification.
func (s *sa) tell(protocol uint8, notify uint16) {
	if notify == 0 {
		return
	}
	n := ikev1msg.Notify{DOI: ikev1msg.DOIIPsec, Protocol: protocol, Type: notify}
	s.inform([]ikemsg.Payload{{Type: ikev1msg.PayloadNotify, Body: n.Append(nil)}})
}

func (s *sa) sendDelete(d ikev1msg.Delete) {
	s.inform([]ikemsg.Payload{{Type: ikev1msg.PayloadDelete, Body: d.Append(nil)}})
}

// sayFarewell tells the peer what ended before there was an SA to say it on.
func (s *sa) sayFarewell() {
	for _, d := range s.farewell {
		s.sendDelete(d)
	}
	s.farewell = nil
}

// informational takes an authentic informational message in.
func (e *Engine) informational(s *sa, m *message) *fault {
	if s.nat.Peer {
		s.moveTo(m.path)
	}
	for _, body := range m.all(ikev1msg.PayloadNotify) {
		n, err := ikev1msg.ParseNotify(body)
		if err != nil {
			return malformed("%v", err)
		}
		if f := e.notified(s, &n); f != nil {
			return f
		}
	}
	var deletes []ikev1msg.Delete
	for _, body := range m.all(ikev1msg.PayloadDelete) {
		d, err := ikev1msg.ParseDelete(body)
		if err != nil {
			return malformed("%v", err)
		}
		deletes = append(deletes, d)
	}
	// Children first: their end is said on the SA that may end behind them.
	for _, d := range deletes {
		if d.Protocol != ikev1msg.ProtoISAKMP && d.Size == 4 {
			for b := d.SPIs; len(b) >= 4; b = b[4:] {
				s.childDeleted(d.Protocol, binary.BigEndian.Uint32(b))
			}
		}
	}
	for _, d := range deletes {
		if d.Protocol == ikev1msg.ProtoISAKMP && d.Size == 16 {
			for b := d.SPIs; len(b) >= 16; b = b[16:] {
				e.saDeleted(s, cookies{ikemsg.SPI(b[:8]), ikemsg.SPI(b[8:16])})
			}
		}
	}
	return nil
}

// notified takes one notification in.
func (e *Engine) notified(s *sa, n *ikev1msg.Notify) *fault {
	switch n.Type {
	case ikev1msg.NotifyRUThere:
		return s.answerDPD(n)
	case ikev1msg.NotifyRUThereAck:
		return s.acknowledged(n)
	case ikev1msg.NotifyInitialContact:
		s.initialContact()
		return nil
	case ikev1msg.NotifyInvalidSPI:
		spi := n.Data
		if len(spi) != 4 {
			spi = n.SPI
		}
		if len(spi) == 4 {
			s.childUnknown(binary.BigEndian.Uint32(spi))
		}
		return nil
	}
	if ikev1msg.IsError(n.Type) {
		s.quickRefused(n)
	}
	return nil
}

// quickRefused has the quick mode fail that the peer refuses: the one whose SPI it names, or the eldest.
func (s *sa) quickRefused(n *ikev1msg.Notify) {
	var refused *exchange
	for _, w := range s.peer.wants {
		t, ok := taskOf(w.quick)
		if !ok || t.s != s {
			continue
		}
		if len(n.SPI) == 4 && (binary.BigEndian.Uint32(n.SPI) == t.esp || binary.BigEndian.Uint32(n.SPI) == t.ah) {
			t.refused(w.quick, n.Type)
			return
		}
		if refused == nil {
			refused = w.quick
		}
	}
	if t, ok := taskOf(refused); ok {
		t.refused(refused, n.Type)
		return
	}
	s.e.logged(ike.Log{Kind: ike.LogWarning, Path: s.path, SA: s.id, Peer: s.other, Code: n.Type, Text: "the peer sends an error notification"})
}

func taskOf(x *exchange) (*quickInitiator, bool) {
	if x == nil {
		return nil, false
	}
	t, ok := x.task.(*quickInitiator)
	return t, ok
}

// childDeleted takes in that the peer has taken one of its inbound SAs away.
func (s *sa) childDeleted(protocol uint8, spi uint32) {
	for _, c := range slices.Clone(s.peer.children) {
		if c.Peer == s.other && (protocol == ikev1msg.ProtoESP && c.ESP.OutSPI == spi || protocol == ikev1msg.ProtoAH && c.AH.OutSPI == spi) {
			c.heir()
			c.end(ike.WhyPeerDeleted)
		}
	}
}

// childUnknown makes a child anew that the peer does not have any more. Who just got it may only not be ready.
func (s *sa) childUnknown(spi uint32) {
	e := s.e
	for _, c := range slices.Clone(s.peer.children) {
		if c.Peer != s.other || c.ESP.OutSPI != spi && c.AH.OutSPI != spi || c.state != childActive || e.now.Sub(c.activated) < tellEvery {
			continue
		}
		p, remote := c.Protection, c.sought()
		e.letGo(c, ike.WhyPeerDeleted)
		if prot := e.cfg.Protection(p); prot != nil && !prot.ResponderOnly {
			e.initiate(ike.Initiate{Protection: p, Remote: remote})
		}
	}
}

// saDeleted takes in that the peer has taken an IKE SA away: this one or another of its own.
func (e *Engine) saDeleted(s *sa, name cookies) {
	o := e.byCookies[name]
	if o == nil || o.state != established || o.other != s.other || o.peer != s.peer {
		return
	}
	p := o.peer
	o.end(ike.WhyPeerDeleted, false)
	p.lostAtPeer(o)
}

// unauthenticated takes an informational message in clear in. While there is no SA it may say why there will be none; that is kept for
// when the time is over, as anybody could have sent it.
func (e *Engine) unauthenticated(s *sa, m *message) *fault {
	if s.p1 == nil || m.path.Remote.Addr() != s.path.Remote.Addr() {
		e.stats.Ignored++
		return nil
	}
	if f := m.parse(m.raw[ikemsg.HeaderLen:]); f != nil {
		return f
	}
	if e.env.Tracing&trace.IKEv1Packet != 0 {
		e.traceOpened(s, m)
	}
	for _, body := range m.all(ikev1msg.PayloadNotify) {
		n, err := ikev1msg.ParseNotify(body)
		if err != nil {
			return malformed("%v", err)
		}
		if ikev1msg.IsError(n.Type) && s.p1.why == ike.WhyNone {
			s.p1.why, s.p1.code = whyOf(n.Type), n.Type
		}
	}
	return nil
}

// tellEvery is the least time between two words to a peer about SPIs that are not ours.
const tellEvery = 10 * time.Second

// protoAH is AH's number in an IP header.
const protoAH = 51

// unknownSPI tells a peer that it sends by an SA that we do not have, on an IKE SA that we have with it. Without one it is one of before our restart: an SA is made, whose beginning
// tells the peer to forget all that it has.
func (e *Engine) unknownSPI(ev ike.UnknownSPI) {
	if !e.cfg.InvalidSPIRecovery {
		return
	}
	p := e.peers[peerKey{ev.Path.VRF, ev.Path.Remote.Addr().Unmap()}]
	if p == nil {
		e.recover(ev.Path)
		return
	}
	for _, s := range p.sas {
		if s.state != established || s.retired || s.path.Local.Addr() != ev.Path.Local.Addr().Unmap() || !s.toldSPI.IsZero() && e.now.Sub(s.toldSPI) < tellEvery {
			continue
		}
		s.toldSPI = e.now
		n := ikev1msg.Notify{DOI: ikev1msg.DOIIPsec, Protocol: ikev1msg.ProtoESP, SPI: spiBytes(ev.SPI), Type: ikev1msg.NotifyInvalidSPI, Data: spiBytes(ev.SPI)}
		if ev.Protocol == protoAH {
			n.Protocol = ikev1msg.ProtoAH
		}
		s.inform([]ikemsg.Payload{{Type: ikev1msg.PayloadNotify, Body: n.Append(nil)}})
		return
	}
}

// recover makes an SA with a peer that knows us, and that we do not know. Anybody can send such packets, from any address; so there are not many SAs of this kind.
func (e *Engine) recover(from ike.Path) {
	local, remote := from.Local.Addr().Unmap(), from.Remote.Addr().Unmap()
	k := slices.IndexFunc(e.cfg.Protections, func(p ike.Protection) bool {
		return p.VRF == from.VRF && p.Local == local && p.Version == 1 && !p.ResponderOnly && (!p.Remote.IsValid() || p.Remote == remote)
	})
	if k < 0 || e.cfg.V1.Disabled || !remote.Is4() || !e.recoveries.take(e.now) {
		return
	}
	path := ike.Path{VRF: from.VRF, Local: netip.AddrPortFrom(local, port), Remote: netip.AddrPortFrom(remote, port)}
	if from.Remote.Port() != 0 { // behind NAT
		path.Local, path.Remote = netip.AddrPortFrom(local, natPort), netip.AddrPortFrom(remote, from.Remote.Port())
	}
	if _, f := e.start(path, e.cfg.Protections[k].ISAKMPProfile, 0, 0); f != nil {
		e.failed(ike.Log{Protection: e.cfg.Protections[k].ID, Path: path, Why: f.why, Text: f.text})
	}
}
