package show

import (
	"net/netip"

	"nave/slowpath/bgp"
)

// PathsJSON is `show ip bgp`, `show ip bgp PREFIX`, those of VPN routes with `labels`, and a neighbour's routes.
func PathsJSON(s *Status, q Query, a *Answer) ([]byte, error) {
	out := objects(len(a.Paths))
	for i := range a.Paths {
		p := &a.Paths[i]
		rd, vrf := "", p.VRF
		if p.RD != 0 {
			rd = p.RD.String()
			if v := s.vrfOfRD(p.RD); v != nil && vrf == "" {
				vrf = v.Name
			}
		}
		if q.VRF != "" {
			vrf = q.VRF
		}
		out = append(out, object{
			"rd": rd, "vrf": vrf, "prefix": p.Prefix, "best": p.Best, "stale": p.Stale, "own": p.Own, "imported": p.Imported, "external": p.External,
			"next_hop": addrOrNull(p.NextHop), "unusable": reachText(a.unusable(p)), "labels": numbers(p.Labels), "our_label": labelOrNull(p.OurLabel, p.OurLabel != 0),
			"metric": p.Metric, "local_preference": p.LocalPref, "as_path": numbers(p.ASPath), "origin": originWord[p.Origin],
			"communities": words(communityTexts(p)), "extended_communities": words(extendedTexts(p)), "originator": addrOrNull(p.Originator),
			"neighbor": addrOrNull(p.Neighbour), "since": orNull(p.Since),
		})
	}
	return encode("ip bgp", object{"version": a.BGP.Version, "router_id": a.BGP.RouterID, "as": a.BGP.AS, "paths": out})
}

// SummaryJSON is `show ip bgp summary`.
func SummaryJSON(q Query, a *Answer) ([]byte, error) {
	vrfs := objects(len(a.BGP.VRFs))
	for _, v := range a.BGP.VRFs {
		vrfs = append(vrfs, object{"name": v.Name, "rd": v.RD.String(), "imported": v.Imported, "learned": v.Learned, "own": v.Local})
	}
	list := objects(len(a.BGP.Neighbours))
	for i := range a.BGP.Neighbours {
		n := &a.BGP.Neighbours[i]
		if familyOf(n, q) != nil && (q.VRF == "" || n.VRF == q.VRF) {
			list = append(list, neighborJSON(n))
		}
	}
	return encode("ip bgp summary", object{
		"router_id": a.BGP.RouterID, "as": a.BGP.AS, "cluster_id": addrOrNull(a.BGP.ClusterID), "version": a.BGP.Version, "labels": a.BGP.Labels,
		"without_label": a.BGP.Unlabelled, "strangers": a.BGP.Strangers, "vrfs": vrfs, "neighbors": list,
	})
}

// BGPNeighborsJSON is `show ip bgp neighbors`.
func BGPNeighborsJSON(q Query, a *Answer) ([]byte, error) {
	out := objects(len(a.Neighbours))
	for i := range a.Neighbours {
		if n := &a.Neighbours[i]; q.VRF == "" || n.VRF == q.VRF {
			out = append(out, neighborJSON(n))
		}
	}
	return encode("ip bgp neighbors", out)
}

func neighborJSON(n *bgp.NeighbourStatus) object {
	count := func(m bgp.Messages) object {
		return object{
			"opens": m.Opens, "updates": m.Updates, "notifications": m.Notifications, "keepalives": m.Keepalives, "route_refreshes": m.Refreshes, "total": m.Total,
		}
	}
	families := objects(len(n.Families))
	for _, f := range n.Families {
		in, out := readFilter(f.In), readFilter(f.Out)
		families = append(families, object{
			"family": f.Family.String(), "received": f.Received, "accepted": f.Accepted, "advertised": f.Advertised, "next_hop_self": f.NextHopSelf,
			"send_community": f.SendCommunity, "send_extended": f.SendExtended, "route_map_in": in.routeMap, "route_map_out": out.routeMap, "maximum_prefixes": f.MaxPrefixes,
			"prefix_list_in": in.prefixList, "prefix_list_out": out.prefixList, "distribute_list_in": in.accessList, "distribute_list_out": out.accessList,
		})
	}
	caps := objects(len(n.Capabilities))
	for _, c := range n.Capabilities {
		row := object{"name": c.Name, "advertised": c.Advertised, "received": c.Received}
		if c.Family != 0 {
			row["family"] = c.Family.String()
		}
		caps = append(caps, row)
	}
	return object{
		"vrf": n.VRF, "address": n.Address, "description": n.Description, "remote_as": n.RemoteAS, "local_as": n.LocalAS, "external": n.External, "dynamic": n.Dynamic,
		"route_reflector_client": n.Client, "passive": n.Passive, "router_id": addrOrNull(n.RouterID), "state": n.State.String(), "shutdown": n.Shutdown,
		"over_limit": n.OverLimit, "since": orNull(n.Since), "local": portOrNull(n.Local), "remote": portOrNull(n.Remote), "update_source": addrOrNull(n.UpdateSource),
		"hold_seconds": n.Hold.Seconds(), "keepalive_seconds": n.Keepalive.Seconds(), "sent": count(n.Sent), "received": count(n.Received), "queued_out": n.QueuedOut,
		"flaps": n.Flaps, "last_reset": n.LastReset, "last_dial_error": n.LastDial, "md5": n.Signed, "capabilities": caps, "families": families, "tcp": tcpJSON(n.TCP),
	}
}

func portOrNull(a netip.AddrPort) any {
	if !a.IsValid() {
		return nil
	}
	return a
}

func tcpJSON(t *bgp.TCP) any {
	if t == nil {
		return nil
	}
	return object{
		"last_read_seconds": t.LastRead.Seconds(), "last_write_seconds": t.LastWrite.Seconds(), "srtt_ms": t.SRTT.Seconds() * 1000, "rttvar_ms": t.RTTVar.Seconds() * 1000,
		"minrtt_ms": t.MinRTT.Seconds() * 1000, "rto_ms": t.RTO.Seconds() * 1000, "mss": t.MSS, "path_mtu": t.PathMTU, "send_window": t.SendWindow,
		"receive_space": t.ReceiveSpace, "unacknowledged_segments": t.Unacked, "unsent_bytes": t.Unsent, "retransmitted_segments": t.Retransmitted,
		"segments_in": t.SegmentsIn, "segments_out": t.SegmentsOut, "data_segments_in": t.DataSegmentsIn, "data_segments_out": t.DataSegmentsOut,
		"bytes_received": t.BytesReceived, "bytes_acknowledged": t.BytesAcked, "ecn": t.ECN,
	}
}
