package show

import (
	"net/netip"

	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
)

// ends are what IKE SAs have in common with a session, before anything is known of the peer.
type ends struct {
	vrf           uint16
	local, remote netip.Addr
}

// sasBySession finds the IKE SAs of each session, in the order of sessions. Peers behind one address have the same ends: an SA is there of the session that has a child of
// it, or sends to its port. One that is nobody's yet is of those that have no child, as it may be any of theirs.
func sasBySession(sessions []dmvpn.SessionStatus, sas []ike.SAStatus) [][]ike.SAStatus {
	byEnds := make(map[ends][]int, len(sessions))
	byChild := make(map[ike.SAID]int)
	for i := range sessions {
		f := &sessions[i]
		e := ends{f.VRF, f.Local, f.Peer}
		byEnds[e] = append(byEnds[e], i)
		for _, c := range f.Children {
			byChild[c.IKE] = i
		}
	}
	out := make([][]ike.SAStatus, len(sessions))
	for _, sa := range sas {
		there := byEnds[ends{sa.Path.VRF, sa.Path.Local.Addr(), sa.Path.Remote.Addr()}]
		for _, i := range owners(sessions, there, byChild, &sa) {
			out[i] = append(out[i], sa)
		}
	}
	return out
}

// owners are those of the sessions with the ends of an IKE SA that it is of.
func owners(sessions []dmvpn.SessionStatus, there []int, byChild map[ike.SAID]int, sa *ike.SAStatus) []int {
	if len(there) < 2 {
		return there
	}
	if i, ok := byChild[sa.ID]; ok {
		return []int{i}
	}
	var idle []int
	for _, i := range there {
		if port := sessions[i].Port; port != 0 && port == sa.Path.Remote.Port() {
			return []int{i}
		}
		if len(sessions[i].Children) == 0 {
			idle = append(idle, i)
		}
	}
	if len(idle) == 0 {
		return there[:1]
	}
	return idle
}
