package metrics

import (
	"net/netip"
	"strconv"

	"nave/slowpath/bgp"
	"nave/slowpath/dmvpn"
	"nave/slowpath/eigrp"
	"nave/slowpath/ike"
	"nave/slowpath/ldp"
	"nave/slowpath/nhrp"
)

// nhrpTypes are the types of NHRP packets, by number.
var nhrpTypes = [9]string{
	"other", "resolution-request", "resolution-reply", "registration-request", "registration-reply", "purge-request", "purge-reply", "error-indication", "traffic-indication",
}

var nhrpFamilies = []*family{
	gauge("nave_dmvpn_peers", "Peers of the tunnel by the state that `show dmvpn` has.", words("tunnel", "state"), func(s *sample, put put) {
		for k := range s.Router.NHRP.Interfaces {
			i := &s.Router.NHRP.Interfaces[k]
			var n [nhrp.StageUp + 1]int
			for _, p := range i.Peers {
				if !p.Local && !p.Incomplete {
					n[p.Stage]++
				}
			}
			for stage, n := range n {
				put(float64(n), i.Name, nhrp.PeerStage(stage).String())
			}
		}
	}),
	gauge("nave_nhrp_server_up", "1 if the next hop server answers.", words("tunnel", "server", "nbma"), func(s *sample, put put) {
		for _, i := range s.Router.NHRP.Interfaces {
			for _, n := range i.NHS {
				put(one(n.State == nhrp.NHSResponding), i.Name, address(n.Protocol), address(n.NBMA))
			}
		}
	}),
	gauge("nave_nhrp_server_standby", "1 if the next hop server is not asked, as others of its cluster are.", words("tunnel", "server", "nbma"), func(s *sample, put put) {
		for _, i := range s.Router.NHRP.Interfaces {
			for _, n := range i.NHS {
				put(one(n.State == nhrp.NHSWaiting && n.NBMA.IsValid()), i.Name, address(n.Protocol), address(n.NBMA)) // without an address it waits for that
			}
		}
	}),
	gauge("nave_nhrp_entries", "Entries of the NHRP cache.", words("tunnel", "type"), nhrpEntries),
	gauge("nave_nhrp_entries_limit", "How many entries the NHRP cache may have.", nil, func(s *sample, put put) { put(float64(s.Router.NHRP.Limit)) }),
	counter("nave_nhrp_packets_total", "Packets of NHRP.", words("tunnel", "direction", "type"), func(s *sample, put put) {
		for k := range s.Router.NHRP.Interfaces {
			i := &s.Router.NHRP.Interfaces[k]
			for t, name := range nhrpTypes {
				put(float64(i.Traffic.Received[t]), i.Name, "receive", name)
				put(float64(i.Traffic.Sent[t]), i.Name, "transmit", name)
			}
		}
	}),
	counter("nave_nhrp_dropped_packets_total", "Packets of NHRP that were not answered, passed on or sent.", words("tunnel", "reason"), func(s *sample, put put) {
		for k := range s.Router.NHRP.Interfaces {
			i := &s.Router.NHRP.Interfaces[k]
			for r := range nhrp.DropReason(nhrp.NumDrops) {
				put(float64(i.Traffic.Drops[r]), i.Name, r.String())
			}
		}
	}),
}

// address is nothing where it is not known yet, as that of a server that is to say it itself.
func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func nhrpEntries(s *sample, put put) {
	counts := make(map[string]*[nhrp.TypeNegative + 1]int)
	for _, i := range s.Router.NHRP.Interfaces {
		counts[i.Name] = &[nhrp.TypeNegative + 1]int{}
	}
	for _, e := range s.Router.NHRP.Entries {
		if n := counts[e.Iface]; n != nil {
			n[e.Type]++
		}
	}
	for _, i := range s.Router.NHRP.Interfaces {
		for t, n := range counts[i.Name] {
			put(float64(n), i.Name, nhrp.EntryType(t).String())
		}
	}
}

// byVersion makes a family's numbers of one number of each version of IKE.
func byVersion(f func(n *ike.Stats, put func(value uint64, labels ...string))) func(s *sample, put put) {
	return func(s *sample, put put) {
		for v := 1; v <= 2; v++ {
			f(&s.Router.IKE.Stats[v], func(value uint64, labels ...string) {
				put(float64(value), append([]string{strconv.Itoa(v)}, labels...)...)
			})
		}
	}
}

var cryptoFamilies = []*family{
	gauge("nave_crypto_sessions", "Protected peers by the state of their session.", words("state"), func(s *sample, put put) {
		var n [dmvpn.Up + 1]int
		for _, x := range s.Router.Sessions.Sessions {
			n[x.State]++
		}
		for state, n := range n {
			put(float64(n), dmvpn.State(state).String())
		}
	}),
	gauge("nave_ipsec_associations", "IPsec associations in the fast path, each direction counted.", nil, func(s *sample, put put) { put(float64(s.Router.Sessions.SAs)) }),
	gauge("nave_ike_sas", "IKE SAs.", words("version", "state"), func(s *sample, put put) {
		var n [3][2]int
		for _, x := range s.Router.IKE.SAs {
			if x.Version == 1 || x.Version == 2 {
				n[x.Version][int(one(x.Established))]++
			}
		}
		for v := 1; v <= 2; v++ {
			put(float64(n[v][0]), strconv.Itoa(v), "negotiating")
			put(float64(n[v][1]), strconv.Itoa(v), "established")
		}
	}),
	counter("nave_ike_messages_total", "Messages of IKE.", words("version", "kind"), byVersion(func(n *ike.Stats, put func(uint64, ...string)) {
		put(n.Received, "received")
		put(n.Sent, "sent")
		put(n.Resent, "resent")
		put(n.Malformed, "malformed")
		put(n.Ignored, "ignored")
		put(n.CookiesSent, "cookie")
	})),
	counter("nave_ike_negotiations_total", "Negotiations of IKE SAs that ended: an SA that this box initiated or responded to, or none.", words("version", "result"), byVersion(func(n *ike.Stats, put func(uint64, ...string)) {
		put(n.Initiated, "initiated")
		put(n.Responded, "responded")
		put(n.Failed, "failed")
	})),
	counter("nave_ike_failures_total", "Negotiations of IKE SAs that failed, by the reason.", words("version", "reason"), byVersion(func(n *ike.Stats, put func(uint64, ...string)) {
		for why, count := range n.FailedBy {
			if w := ike.Why(why); w != ike.WhyNone {
				put(count, w.String())
			}
		}
	})),
	counter("nave_ike_children_total", "Pairs of IPsec associations agreed on, by what for.", words("version", "kind"), byVersion(func(n *ike.Stats, put func(uint64, ...string)) {
		put(n.ChildrenMade, "made")
		put(n.ChildrenRekeyed, "rekeyed")
	})),
	counter("nave_ike_rekeys_total", "IKE SAs that took another's place.", words("version"), byVersion(func(n *ike.Stats, put func(uint64, ...string)) { put(n.Rekeyed) })),
	counter("nave_ike_dead_peers_total", "Peers given up by dead peer detection.", words("version"), byVersion(func(n *ike.Stats, put func(uint64, ...string)) { put(n.DeadPeers) })),
	counter("nave_ike_admissions_total", "IKE SAs that asked for admission, by who began and what came of it.", words("began", "result"), func(s *sample, put put) {
		a := &s.Router.IKE.Admission.Stats
		put(float64(a.InAccepted), "peer", "accepted")
		put(float64(a.InRejected), "peer", "rejected")
		put(float64(a.OutAccepted), "self", "accepted")
		put(float64(a.OutRejected), "self", "rejected")
	}),
}

var routingFamilies = []*family{
	gauge("nave_bgp_neighbor_up", "1 if the session with the neighbor is established.", words("vrf", "neighbor", "as"), ofBGP(func(n *bgp.NeighbourStatus, put func(value float64, labels ...string)) {
		put(one(n.State == bgp.Established))
	})),
	gauge("nave_bgp_neighbor_prefixes", "Prefixes of the neighbor that the policies let in.", words("vrf", "neighbor", "as"), ofBGP(func(n *bgp.NeighbourStatus, put func(value float64, labels ...string)) {
		var all uint64
		for _, f := range n.Families {
			all += f.Accepted
		}
		put(float64(all))
	})),
	counter("nave_bgp_neighbor_flaps_total", "Times that an established session ended.", words("vrf", "neighbor", "as"), ofBGP(func(n *bgp.NeighbourStatus, put func(value float64, labels ...string)) {
		put(float64(n.Flaps))
	})),
	counter("nave_bgp_neighbor_messages_total", "Messages of BGP.", words("vrf", "neighbor", "as", "direction"), ofBGP(func(n *bgp.NeighbourStatus, put func(value float64, labels ...string)) {
		put(float64(n.Received.Total), "receive")
		put(float64(n.Sent.Total), "transmit")
	})),
	gauge("nave_ldp_session_up", "1 if the LDP session is operational.", words("neighbor"), func(s *sample, put put) {
		if s.ldp == nil || s.ldp.LDP == nil {
			return
		}
		for _, n := range s.ldp.LDP.Neighbors {
			put(one(!n.Since.IsZero()), n.Peer.String())
		}
	}),
	gauge("nave_ldp_bindings", "Labels learned from the LDP neighbor.", words("neighbor"), func(s *sample, put put) {
		if s.ldp == nil || s.ldp.LDP == nil {
			return
		}
		for _, n := range s.ldp.LDP.Neighbors {
			put(float64(n.Bindings), n.Peer.String())
		}
	}),
	counter("nave_ldp_messages_total", "Messages of the LDP session.", words("neighbor", "direction"), func(s *sample, put put) {
		if s.ldp == nil || s.ldp.LDP == nil {
			return
		}
		for _, n := range s.ldp.LDP.Neighbors {
			put(float64(n.Received), n.Peer.String(), "receive")
			put(float64(n.Sent), n.Peer.String(), "transmit")
		}
	}),
	counter("nave_ldp_dropped_hellos_total", "Hellos of LDP that were not taken.", words("reason"), func(s *sample, put put) {
		if s.ldp == nil || s.ldp.LDP == nil {
			return
		}
		for r, n := range s.ldp.LDP.Drops {
			put(float64(n), ldp.DropReason(r).String())
		}
	}),
	gauge("nave_eigrp_neighbors", "Neighbors of the EIGRP process.", words("vrf", "as"), func(s *sample, put put) {
		if s.eigrp == nil {
			return
		}
		for k := range s.eigrp.EIGRP {
			p := &s.eigrp.EIGRP[k]
			put(float64(len(p.Neighbors)), s.vrf(p.Key.VRF), strconv.Itoa(int(p.Key.AS)))
		}
	}),
	counter("nave_eigrp_packets_total", "Packets of EIGRP.", words("vrf", "as", "direction", "type"), eigrpPackets),
	counter("nave_eigrp_problems_total", "Packets of EIGRP sent again, or not taken.", words("vrf", "as", "problem"), func(s *sample, put put) {
		if s.eigrp == nil {
			return
		}
		for k := range s.eigrp.EIGRP {
			p := &s.eigrp.EIGRP[k]
			as := strconv.Itoa(int(p.Key.AS))
			put(float64(p.Traffic.Retransmitted), s.vrf(p.Key.VRF), as, "retransmitted")
			put(float64(p.Traffic.Duplicates), s.vrf(p.Key.VRF), as, "duplicate")
			put(float64(p.Traffic.AuthFailures), s.vrf(p.Key.VRF), as, "authentication")
			put(float64(p.Traffic.Malformed), s.vrf(p.Key.VRF), as, "malformed")
		}
	}),
}

// ofBGP makes a family's numbers of those of each neighbor.
func ofBGP(f func(n *bgp.NeighbourStatus, put func(value float64, labels ...string))) func(s *sample, put put) {
	return func(s *sample, put put) {
		if s.bgp == nil || s.bgp.BGP == nil {
			return
		}
		for k := range s.bgp.BGP.Neighbours {
			n := &s.bgp.BGP.Neighbours[k]
			if n.Dynamic { // they come and go: a series each would stay for ever
				continue
			}
			f(n, func(value float64, labels ...string) {
				put(value, append([]string{n.VRF, n.Address.String(), strconv.FormatUint(uint64(n.RemoteAS), 10)}, labels...)...)
			})
		}
	}
}

func eigrpPackets(s *sample, put put) {
	if s.eigrp == nil {
		return
	}
	for k := range s.eigrp.EIGRP {
		p := &s.eigrp.EIGRP[k]
		for _, d := range []struct {
			direction string
			n         *eigrp.Packets
		}{{"receive", &p.Traffic.Received}, {"transmit", &p.Traffic.Sent}} {
			for _, t := range []struct {
				name string
				n    uint64
			}{
				{"hello", d.n.Hellos}, {"update", d.n.Updates}, {"query", d.n.Queries}, {"reply", d.n.Replies}, {"ack", d.n.Acks}, {"sia-query", d.n.SIAQueries}, {"sia-reply", d.n.SIAReplies},
			} {
				put(float64(t.n), s.vrf(p.Key.VRF), strconv.Itoa(int(p.Key.AS)), d.direction, t.name)
			}
		}
	}
}
