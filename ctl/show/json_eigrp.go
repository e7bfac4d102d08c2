package show

import (
	"fmt"
	"net/netip"

	"nave/slowpath"
	"nave/slowpath/eigrp"
	"nave/slowpath/rib"
)

// processes makes a list of processes of EIGRP, each with what part adds to what names it.
func (s *Status) processes(what string, a *Answer, part func(p *slowpath.EIGRPStatus) object) ([]byte, error) {
	out := objects(len(a.EIGRP))
	for i := range a.EIGRP {
		p := &a.EIGRP[i]
		row := object{"vrf": s.vrfName(p.Key.VRF), "as": p.Key.AS, "name": p.Name, "router_id": addrOrNull(p.RouterID), "running": p.Running, "wide_metrics": p.Wide}
		for k, v := range part(p) {
			row[k] = v
		}
		out = append(out, row)
	}
	return encode(what, out)
}

// EIGRPNeighborsJSON is `show ip eigrp neighbors`.
func EIGRPNeighborsJSON(s *Status, a *Answer, iface string) ([]byte, error) {
	return s.processes("ip eigrp neighbors", a, func(p *slowpath.EIGRPStatus) object {
		list, order := objects(len(p.Neighbors)), handles(p.Neighbors)
		for i := range p.Neighbors {
			n := &p.Neighbors[i]
			if iface != "" && n.Iface != iface {
				continue
			}
			list = append(list, object{
				"handle": order[i], "address": n.Addr, "interface": n.Iface, "up": n.Up, "resyncing": n.Resyncing, "since": orNull(n.Since), "hold_seconds": n.Hold.Seconds(),
				"expires_seconds": max(0, n.Expires.Sub(s.Time).Seconds()), "srtt_ms": n.SRTT.Seconds() * 1000, "rto_ms": n.RTO.Seconds() * 1000, "queued": n.Queue,
				"sequence": n.Sequence, "retransmissions": n.Retransmits, "retries": n.Retries, "prefixes": n.Prefixes, "version": fmt.Sprintf("%d.%d", n.Software.Major, n.Software.Minor),
				"tlv_version": fmt.Sprintf("%d.%d", n.Software.TLVMajor, n.Software.TLVMinor), "stub": n.Stub, "stub_flags": n.StubFlags,
			})
		}
		return object{"neighbors": list}
	})
}

// EIGRPInterfacesJSON is `show ip eigrp interfaces`, with those that are passive or down.
func EIGRPInterfacesJSON(s *Status, a *Answer, iface string) ([]byte, error) {
	return s.processes("ip eigrp interfaces", a, func(p *slowpath.EIGRPStatus) object {
		list := objects(len(p.Interfaces))
		for i := range p.Interfaces {
			x := &p.Interfaces[i]
			if iface != "" && x.Name != iface {
				continue
			}
			list = append(list, object{
				"interface": x.Name, "running": x.Running, "passive": x.Passive, "neighbors": x.Neighbors, "queued": x.Queue, "pending": x.Pending, "srtt_ms": x.SRTT.Seconds() * 1000,
				"pacing_ms": x.Pacing.Seconds() * 1000, "hello_seconds": x.Hello.Seconds(), "hold_seconds": x.Hold.Seconds(), "split_horizon": x.SplitHorizon,
				"next_hop_self": x.NextHopSelf, "authentication": eigrpAuth(x.Auth), "key_chain": s.Protocols.keyChain(s, p, x.Name), "hellos_sent": x.HelloSent,
				"hellos_received": x.HelloRecv, "multicasts": x.Multicasts, "unicasts": x.Unicasts,
			})
		}
		return object{"interfaces": list}
	})
}

// metricOrNull is a composite metric, or null for what can't be reached.
func metricOrNull(d uint64) any {
	if d == unreachable {
		return nil
	}
	return d
}

// EIGRPTopologyJSON is `show ip eigrp topology`, with all paths of the prefixes that are taken.
func EIGRPTopologyJSON(s *Status, a *Answer, links Links) ([]byte, error) {
	return s.processes("ip eigrp topology", a, func(p *slowpath.EIGRPStatus) object {
		list := objects(len(p.Topology))
		for i := range p.Topology {
			t := &p.Topology[i]
			if !links.takes(t) {
				continue
			}
			paths := objects(len(t.Paths))
			for _, x := range sortedPaths(t) {
				paths = append(paths, pathJSON(x))
			}
			list = append(list, object{
				"prefix": t.Prefix, "active": t.Active, "pending": t.Pending, "origin": t.Origin, "since": orNull(t.Since), "feasible_distance": metricOrNull(t.FD),
				"successors": t.Successors, "waiting_for": append([]netip.Addr{}, t.Waiting...), "paths": paths,
			})
		}
		return object{"topology": list}
	})
}

func pathJSON(x *eigrp.PathStatus) object {
	v := vectorOf(x)
	row := object{
		"kind": x.Kind, "interface": x.Iface, "next_hop": addrOrNull(x.Hop), "from": addrOrNull(x.From), "distance": metricOrNull(x.Distance), "reported": metricOrNull(x.Reported),
		"successor": x.Successor, "feasible": x.Feasible, "bandwidth_kbit": v.bandwidth, "delay_microseconds": v.micro, "reliability": x.Metric.Reliability,
		"load": x.Metric.Load, "mtu": x.Metric.MTU, "hops": x.Metric.Hops, "external": nil,
	}
	if e := x.External; e != nil {
		row["external"] = object{"router": addrOrNull(e.Router), "as": e.AS, "protocol": protocolWord(e.Protocol), "metric": e.Metric, "tag": e.Tag}
	}
	return row
}

// EIGRPTrafficJSON is `show ip eigrp traffic`.
func EIGRPTrafficJSON(s *Status, a *Answer) ([]byte, error) {
	count := func(c *eigrp.Packets) object {
		return object{
			"hellos": c.Hellos, "updates": c.Updates, "queries": c.Queries, "replies": c.Replies, "acks": c.Acks, "sia_queries": c.SIAQueries, "sia_replies": c.SIAReplies,
		}
	}
	return s.processes("ip eigrp traffic", a, func(p *slowpath.EIGRPStatus) object {
		t := &p.Traffic
		return object{
			"sent": count(&t.Sent), "received": count(&t.Received), "retransmissions": t.Retransmitted, "duplicates": t.Duplicates,
			"authentication_failures": t.AuthFailures, "malformed": t.Malformed,
		}
	})
}

// EIGRPAccountingJSON is `show ip eigrp accounting`.
func EIGRPAccountingJSON(s *Status, a *Answer) ([]byte, error) {
	return s.processes("ip eigrp accounting", a, func(p *slowpath.EIGRPStatus) object {
		list, sources := objects(len(p.Neighbors)), objects(len(p.Sources))
		for i := range p.Neighbors {
			n := &p.Neighbors[i]
			list = append(list, object{"address": n.Addr, "interface": n.Iface, "up": n.Up, "prefixes": n.Prefixes})
		}
		for _, src := range p.Sources {
			sources = append(sources, object{"source": sourceText(src.Source, src.Process, s.BGPAS), "prefixes": src.Routes})
		}
		return object{"prefixes": len(p.Topology), "neighbors": list, "redistributed": sources}
	})
}

// eigrpProtocolJSON is what a process runs by.
func (s *Status) eigrpProtocolJSON(p *slowpath.EIGRPStatus) object {
	c := s.Protocols.eigrp(s.vrfName(p.Key.VRF), p.Key.AS)
	networks, filters, summaries := []string{}, objects(0), objects(0)
	for _, n := range c.Networks {
		networks = append(networks, n.Prefix.String())
	}
	for _, f := range c.Filters {
		filters = append(filters, object{"list": f.List, "out": f.Out, "interface": f.Iface, "from": f.From})
	}
	for _, x := range c.Summaries {
		n, dist := components(p, x.Prefix)
		summaries = append(summaries, object{"prefix": x.Prefix, "interface": x.Iface, "components": n, "metric": dist})
	}
	return object{
		"k": []int{int(p.K[0]), int(p.K[1]), int(p.K[2]), int(p.K[3]), int(p.K[4]), int(p.K[5])}, "variance": p.Variance, "maximum_paths": p.MaximumPaths, "maximum_hops": p.MaximumHops,
		"distance_internal": p.Internal, "distance_external": p.External, "active_seconds": p.ActiveTime.Seconds(), "active_disabled": p.ActiveDisabled,
		"auto_summary": p.AutoSummary, "stub": p.Stub, "redistribute": words(c.Redistribute), "networks": networks, "passive_interfaces": c.passive(p), "filters": filters, "summaries": summaries,
	}
}

// EIGRPProtocolsJSON is `show eigrp protocols`.
func EIGRPProtocolsJSON(s *Status, a *Answer) ([]byte, error) {
	return s.processes("eigrp protocols", a, s.eigrpProtocolJSON)
}

// IPProtocolsJSON is `show ip protocols`.
func IPProtocolsJSON(s *Status, q Query, a *Answer) ([]byte, error) {
	list := objects(len(a.EIGRP))
	for i := range a.EIGRP {
		p := &a.EIGRP[i]
		row := s.eigrpProtocolJSON(p)
		row["vrf"], row["as"], row["name"], row["router_id"] = q.VRF, p.Key.AS, p.Name, addrOrNull(p.RouterID)
		list = append(list, row)
	}
	var b any
	if c := s.Protocols.bgp(q.VRF); c != nil && a.BGP != nil {
		networks := []string{}
		for _, n := range c.Networks {
			networks = append(networks, n.Prefix.String())
		}
		b = object{
			"as": s.BGPAS, "router_id": addrOrNull(a.BGP.RouterID), "redistribute": words(c.Redistribute), "networks": networks, "maximum_paths": max(c.MaximumPaths, 1),
			"distance_external": orNumber(int(c.DistanceExternal), 20), "distance_internal": orNumber(int(c.DistanceInternal), 200), "distance_local": orNumber(int(c.DistanceLocal), 200),
		}
	}
	return encode("ip protocols", object{"eigrp": list, "bgp": b})
}

// KeyChainsJSON is `show key chain`.
func KeyChainsJSON(s *Status, name string) ([]byte, error) {
	life := func(l Lifetime) object {
		return object{"from": orNull(l.From), "until": orNull(l.Until), "valid": l.contains(s.Time)}
	}
	out := objects(len(s.KeyChains))
	for _, c := range s.chains(name) {
		keys := objects(len(c.Keys))
		for _, k := range c.Keys {
			keys = append(keys, object{"key": k.ID, "has_string": k.HasText, "accept": life(k.Accept), "send": life(k.Send)})
		}
		out = append(out, object{"name": c.Name, "keys": keys})
	}
	return encode("key chain", out)
}

// RouteSummaryJSON is `show ip route summary`.
func RouteSummaryJSON(s *Status, routes []rib.Route) ([]byte, error) {
	rows, _ := s.summaryRows(routes)
	out := objects(len(rows))
	for _, r := range rows {
		out = append(out, object{"source": r.name, "networks": r.networks, "subnets": r.subnets})
	}
	return encode("ip route summary", out)
}
