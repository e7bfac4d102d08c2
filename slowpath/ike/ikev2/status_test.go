package ikev2

import (
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
)

// What show says of an SA on its way: IN-NEG, READY, DELETE.
func TestStatus(t *testing.T) {
	w := join(t, 60, hybrid)
	status := func(n *node) ike.Status {
		var st ike.Status
		n.Engine.AppendStatus(w.Now, &st)
		return st
	}
	w.A.Initiate()
	if st := status(w.A); len(st.SAs) != 1 || st.SAs[0].State != "IN-NEG" || st.SAs[0].Established || !st.SAs[0].Initiator || st.SAs[0].MessageIDs != [4]uint32{1, 0, 0, 0} {
		t.Errorf("%+v", st.SAs)
	}
	w.Run(time.Second)
	for _, n := range []*node{w.A, w.B} {
		st := status(n)
		s, c := st.SAs[0], st.Children[0]
		if s.State != "READY" || !s.Established || s.Profile != "prof" || s.Auth != ike.AuthPSK || s.PeerAuth != ike.AuthPSK || len(s.Children) != 1 || s.Children[0] != c.ID ||
			s.Cipher != suite.CipherAESGCM || s.KeyBits != 256 || s.PRF != suite.HashSHA256 || s.Group != suite.GroupX25519 || len(s.Additional) != 2 || !s.Fragmentation ||
			s.Lifetime != ike.DefaultSALifetime || s.SPIi == ([8]byte{}) || s.SPIr == ([8]byte{}) || s.Self.Value != n.Addr.String() || s.Peer.Value != w.Other(n).Addr.String() {
			t.Errorf("%s: %+v", n.Name, s)
		}
		if !c.Active || c.SA != s.ID || c.Protection != 1 || c.ESP.In == 0 || c.ESP.Out == 0 || c.Lifetime != ike.DefaultChildLifetime || c.Claimed != w.Other(n).Addr || c.Initiator != (n == w.A) {
			t.Errorf("%s: %+v", n.Name, c)
		}
		if got := st.Stats[2]; got.ChildrenMade != 1 || got.Initiated+got.Responded != 1 || got.Received == 0 || got.Sent == 0 {
			t.Errorf("%s: %+v", n.Name, got)
		}
	}
	if ids := status(w.A).SAs[0].MessageIDs; ids != [4]uint32{4, 4, 0, 0} { // IKE_SA_INIT, two IKE_INTERMEDIATE, IKE_AUTH
		t.Errorf("message IDs %v", ids)
	}
	w.B.Stopped = true
	w.A.Event(ike.Clear{})
	if st := status(w.A); len(st.SAs) != 1 || st.SAs[0].State != "DELETE" || len(st.Children) != 0 {
		t.Errorf("%+v", st.SAs)
	}
	w.Run(time.Minute)
	if st := status(w.A); len(st.SAs) != 0 {
		t.Errorf("%+v", st.SAs)
	}
}
