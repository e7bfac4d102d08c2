package show

import (
	"net/netip"
	"slices"
	"testing"

	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
)

// IKE SAs with peers behind one address are shown with the peer that they are of, each once.
func TestSAsOfPeersBehindOneAddress(t *testing.T) {
	local, shared, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("198.51.100.8")
	session := func(peer netip.Addr, port uint16, children ...ike.SAID) dmvpn.SessionStatus {
		f := dmvpn.SessionStatus{Local: local, Peer: peer, Port: port}
		for _, id := range children {
			f.Children = append(f.Children, dmvpn.ChildStatus{IKE: id})
		}
		return f
	}
	sa := func(id ike.SAID, peer netip.Addr, port uint16) ike.SAStatus {
		return ike.SAStatus{ID: id, Path: ike.Path{Local: netip.AddrPortFrom(local, 4500), Remote: netip.AddrPortFrom(peer, port)}}
	}
	for name, c := range map[string]struct {
		sessions []dmvpn.SessionStatus
		sas      []ike.SAStatus
		want     [][]ike.SAID
	}{
		"by children":            {[]dmvpn.SessionStatus{session(shared, 1024, 1), session(shared, 1025, 2)}, []ike.SAStatus{sa(1, shared, 1024), sa(2, shared, 1025)}, [][]ike.SAID{{1}, {2}}},
		"a child that has moved": {[]dmvpn.SessionStatus{session(shared, 1024, 1), session(shared, 1025, 2)}, []ike.SAStatus{sa(1, shared, 1025), sa(2, shared, 1030)}, [][]ike.SAID{{1}, {2}}},
		"by port":                {[]dmvpn.SessionStatus{session(shared, 1024, 1), session(shared, 1025, 2)}, []ike.SAStatus{sa(1, shared, 1024), sa(3, shared, 1025), sa(2, shared, 1025)}, [][]ike.SAID{{1}, {3, 2}}},
		"of one that begins": {[]dmvpn.SessionStatus{session(shared, 1024, 1), session(shared, 0), session(other, 0, 4)}, []ike.SAStatus{sa(1, shared, 1024), sa(3, shared, 500), sa(4, other, 500)},
			[][]ike.SAID{{1}, {3}, {4}}},
		"of nobody":   {[]dmvpn.SessionStatus{session(shared, 1024, 1), session(shared, 1025, 2)}, []ike.SAStatus{sa(3, shared, 500)}, [][]ike.SAID{{3}, nil}},
		"of one peer": {[]dmvpn.SessionStatus{session(shared, 4500, 1)}, []ike.SAStatus{sa(1, shared, 4500), sa(3, shared, 500), sa(4, other, 500)}, [][]ike.SAID{{1, 3}}},
	} {
		for i, list := range sasBySession(c.sessions, c.sas) {
			var ids []ike.SAID
			for _, sa := range list {
				ids = append(ids, sa.ID)
			}
			if !slices.Equal(ids, c.want[i]) {
				t.Errorf("%s: session %d has %v, want %v", name, i, ids, c.want[i])
			}
		}
	}
}
