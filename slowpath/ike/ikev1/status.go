package ikev1

import (
	"time"

	"nave/slowpath/ike"
)

// AppendStatus adds what the engine knows to s.
func (e *Engine) AppendStatus(_ time.Time, s *ike.Status) {
	for _, a := range e.saList() {
		s.SAs = append(s.SAs, a.status())
	}
	for _, c := range e.childList() {
		s.Children = append(s.Children, ike.ChildStatus{
			ID: c.ID, SA: c.SA, Version: 1, Protection: c.Protection, Path: c.Path, Encap: c.Encap, Transform: c.Transform, Window: c.Window,
			ESP: ike.SPIs{In: c.ESP.InSPI, Out: c.ESP.OutSPI}, AH: ike.SPIs{In: c.AH.InSPI, Out: c.AH.OutSPI}, PFS: c.PFS, Created: c.Created,
			Lifetime: c.Lifetime, Kilobytes: c.HardBytes / bytesPerKB, Peer: c.Peer, Claimed: c.Claimed,
			Active: c.state == childActive && !c.old, Initiator: c.Initiator,
		})
	}
	s.Stats[1] = e.stats
}

func (s *sa) status() ike.SAStatus {
	auth := ike.AuthPSK
	if s.policy.RSA {
		auth = ike.AuthRSA
	}
	out := ike.SAStatus{
		ID: s.id, Version: 1, Path: s.path, Initiator: s.initiator, Established: s.state == established, State: s.state.String(),
		SPIi: s.ci, SPIr: s.cr, Cipher: s.policy.Cipher, KeyBits: s.policy.KeyBits, Hash: s.policy.Hash, PRF: s.policy.Hash, Group: s.policy.Group,
		Auth: auth, PeerAuth: auth, Self: s.self, Peer: s.other, NAT: s.nat, DPD: s.peerDPD && s.e.keepalive(s.profile).Interval > 0,
		Fragmentation: s.peerFragments, Aggressive: s.aggressive, Created: s.created, Lifetime: s.lifetime, Profile: s.profile,
	}
	if !s.since.IsZero() {
		out.Created = s.since
	}
	for _, c := range s.offspring() {
		out.Children = append(out.Children, c.ID)
	}
	return out
}
