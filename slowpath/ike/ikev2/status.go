package ikev2

import (
	"slices"
	"time"

	"nave/slowpath/ike"
)

// AppendStatus implements ike.Engine.
func (e *Engine) AppendStatus(_ time.Time, s *ike.Status) {
	for _, a := range e.all() {
		if a.rekeyed == nil {
			s.SAs = append(s.SAs, a.status())
		}
	}
	for _, c := range e.childList() {
		s.Children = append(s.Children, c.status())
	}
	s.Stats[2] = e.stats
}

func (s *sa) status() ike.SAStatus {
	out := ike.SAStatus{
		ID: s.id, Version: 2, Path: s.path, Initiator: s.initiator, Established: s.state == stateUp, State: "IN-NEG", SPIi: s.spiI, SPIr: s.spiR,
		Cipher: s.choice.Cipher, KeyBits: s.choice.KeyBits, Hash: s.choice.Integrity, PRF: s.choice.PRF, Group: s.choice.Group,
		Additional: slices.Clone(s.choice.Additional), Auth: s.auth[0], PeerAuth: s.auth[1], Self: s.self, Peer: s.peer, NAT: s.nat,
		DPD: s.dpd().Interval > 0, Fragmentation: s.frag, Created: s.created, Lifetime: s.expires.Sub(s.created),
		MessageIDs: [4]uint32{s.nextSend, s.nextSend, s.nextRecv, s.nextRecv},
	}
	switch s.state {
	case stateUp:
		out.State = "READY"
	case stateClosing, stateGone:
		out.State = "DELETE"
	}
	if s.expires.IsZero() {
		out.Lifetime = 0
	}
	if s.pending != nil {
		out.MessageIDs[0]++
	}
	if s.profile != nil {
		out.Profile = s.profile.Name
	}
	for _, c := range s.list() {
		out.Children = append(out.Children, c.ID)
	}
	return out
}

func (c *child) status() ike.ChildStatus {
	return ike.ChildStatus{
		ID: c.ID, SA: c.SA, Version: 2, Protection: c.Protection, Path: c.Path, Encap: c.Encap, Transform: c.Transform, Window: c.Window,
		ESP: ike.SPIs{In: c.ESP.InSPI, Out: c.ESP.OutSPI}, AH: ike.SPIs{In: c.AH.InSPI, Out: c.AH.OutSPI}, PFS: c.PFS, Created: c.Created,
		Lifetime: c.Lifetime, Kilobytes: c.HardBytes / 1024, Peer: c.Peer, Claimed: c.Claimed, Active: c.state == childUp, Initiator: c.Initiator,
	}
}
