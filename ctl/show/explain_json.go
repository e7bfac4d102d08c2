package show

import (
	"nave/fastpath"
	"nave/fastpath/fib"
)

// ExplainJSON is `explain` as a value for programs.
func ExplainJSON(x *Explanation) ([]byte, error) {
	p := &x.Packet
	var reason, reasonText any
	if p.Fate != fastpath.Forwarded {
		reason, reasonText = p.Reason.String(), p.Reason.Text()
	}
	told := make([]string, 0, len(p.Told))
	for _, r := range p.Told {
		told = append(told, r.String())
	}
	ways, looks, labels, spent := objects(len(p.Ways)), objects(len(p.Looks)), objects(len(p.Labels)), objects(len(p.Spent))
	for i := range p.Ways {
		ways = append(ways, x.wayJSON(&p.Ways[i]))
	}
	for i := range p.Looks {
		looks = append(looks, x.lookJSON(i))
	}
	for i := range p.Labels {
		l := &p.Labels[i]
		row := object{"label": l.Label, "known": l.Known, "action": nil, "vrf": nil, "software": l.Software}
		if l.Known {
			row["action"] = labelActionName(l.Action)
		}
		if l.Known && l.Action == fib.LabelLookup {
			row["vrf"] = x.vrfJSON(l.VRF)
		}
		labels = append(labels, row)
	}
	for i := range p.Spent {
		u := &p.Spent[i]
		spent = append(spent, object{
			"budget": budgets[u.Budget].name, "amount": units(u.Budget, u.Units), "unit": budgets[u.Budget].unit, "refused": u.Refused, "rate": units(u.Budget, u.Rate),
		})
	}
	var flow any
	if p.Flow.Known {
		flow = object{"worker": p.Flow.Worker, "stale": p.Flow.Stale}
	}
	return encode("explain", object{
		"packet": object{
			"source": p.Src, "destination": p.Dst, "protocol": p.Proto, "source_port": p.Ports[0], "destination_port": p.Ports[1], "length": p.Length, "ttl": p.TTL, "tos": p.TOS, "df": p.DF,
		},
		"from": x.fromJSON(), "labels": labels, "routes": looks, "flow": flow, "multicast": p.Members > 0 || p.Group != 0, "members": p.Members, "ways": ways,
		"profile": x.Profile, "budgets": spent,
		"fate": fateName(p.Fate), "reason": reason, "reason_text": reasonText, "lost": p.Lost, "mtu": p.MTU, "cut": p.Cut, "mss": p.MSS, "told": told,
		"steps": x.steps(), "verdict": x.verdict(), "notes": words(x.beside()),
	})
}

// vrfJSON is a table's name; null: the global table.
func (x *Explanation) vrfJSON(id fib.VRF) any {
	if id == fib.Global {
		return nil
	}
	return x.VRFs[id]
}

func (x *Explanation) fromJSON() object {
	f := &x.Packet.From
	row := object{"own": f.Own, "vrf": x.vrfJSON(f.VRF), "interface": nil, "peer": addrOrNull(f.Peer), "sa": f.SA, "way_back": prefixOrNull(x.Back)}
	if !f.Own {
		row["interface"] = x.iface(f.Port, f.Tunnel)
	}
	return row
}

func (x *Explanation) lookJSON(i int) object {
	l := &x.Packet.Looks[i]
	row := object{
		"vrf": x.vrfJSON(l.VRF), "found": l.Found, "prefix": prefixOrNull(l.Prefix), "ways": len(distinct(l.Paths)), "adjacency": l.Chosen,
		"receive": l.Chosen == fib.Receive, "null": l.Chosen == fib.Null, "software": l.Software, "source": nil, "next_hop": nil, "interface": nil,
	}
	if i < len(x.Routes) {
		r := &x.Routes[i]
		if r.Known {
			row["source"], row["route"], row["distance"], row["metric"] = r.Route.Source.String(), r.Route.Prefix, r.Route.Distance, metric(&r.Route)
		}
		row["next_hop"] = addrOrNull(r.Hop)
		if r.Iface != "" {
			row["interface"] = r.Iface
		}
	}
	return row
}

func (x *Explanation) wayJSON(w *fastpath.Way) object {
	seals, frames := objects(len(w.Seals)), objects(len(w.Frames))
	for i := range w.Seals {
		u := &w.Seals[i]
		row := object{"id": u.ID, "installed": u.Installed, "protocol": map[bool]string{false: "esp", true: "ah"}[u.AH]}
		if u.Installed {
			row["spi"], row["algorithms"], row["tunnel_mode"], row["udp"], row["peer"] = u.SPI, sealName(u), u.TunnelMode, u.Encap, addrOrNull(u.Remote)
			row["bytes"], row["packets"], row["hard_bytes"], row["expires"] = u.Bytes, u.Packets, u.Hard, u.Expires
		}
		seals = append(seals, row)
	}
	for i := range w.Frames {
		f := &w.Frames[i]
		frames = append(frames, object{
			"port": x.iface(f.Port, 0), "vlan": f.VLAN, "source_mac": mac(f.SrcMAC), "destination_mac": mac(f.DstMAC), "labels": numbers(f.Labels), "length": f.Length,
			"source": addrOrNull(f.Src), "destination": addrOrNull(f.Dst), "protocol": f.Proto, "ttl": f.TTL, "tos": f.TOS, "df": f.DF, "offset": f.Offset, "more": f.More,
			"source_port": f.SrcPort, "destination_port": f.DstPort, "spi": f.SPI,
		})
	}
	row := object{
		"adjacency": w.Adj, "kind": adjKindName(w.Kind), "interface": nil, "next_hop": nil, "peer": addrOrNull(w.Peer), "peer_port": w.PeerPort, "labels": numbers(w.Labels),
		"outer_labels": numbers(w.Outside), "key": labelOrNull(w.Key, w.HasKey), "mtu": w.MTU, "uncut": w.Limit, "link_mtu": w.LinkMTU, "header_bytes": w.Inner, "outer_bytes": w.Outer,
		"associations": seals, "protected_without_association": w.MustSeal, "left": w.Left, "reason": nil, "frames": frames, "session": nil, "nhrp": nil,
	}
	if w.Kind != fib.AdjLookup && w.Kind != fib.AdjDrop {
		row["interface"] = x.iface(w.Port, w.Tunnel)
	}
	if hop := x.hopOf(w); hop != "" {
		row["next_hop"] = hop
	}
	if w.Reason != fastpath.Unknown {
		row["reason"] = w.Reason.String()
	}
	if s := x.session(w); s != nil && w.Tunnel != 0 {
		row["session"] = s.State.String()
	}
	if e := x.entry(x.iface(w.Port, w.Tunnel), x.target(w)); e != nil && w.Tunnel != 0 {
		row["nhrp"] = object{"prefix": e.Prefix, "type": e.Type.String(), "nbma": addrOrNull(e.NBMA), "created": orNull(e.Created), "expires": orNull(e.Expires)}
	}
	return row
}
