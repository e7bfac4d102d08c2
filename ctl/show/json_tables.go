package show

import (
	"fmt"
	"net/netip"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/ldp"
	"nave/slowpath/rib"
)

// object is what becomes a JSON object.
type object = map[string]any

// objects makes an array that is never null.
func objects(n int) []object { return make([]object, 0, n) }

// words makes an array of texts that is never null.
func words(list []string) []string { return append([]string{}, list...) }

// numbers makes an array of labels that is never null.
func numbers(list []uint32) []uint32 { return append([]uint32{}, list...) }

// addrOrNull is an address, or null.
func addrOrNull(a netip.Addr) any {
	if !a.IsValid() {
		return nil
	}
	return a
}

func prefixOrNull(p netip.Prefix) any {
	if !p.IsValid() {
		return nil
	}
	return p
}

// labelOrNull is a label value, or null for none.
func labelOrNull(l uint32, has bool) any {
	if !has {
		return nil
	}
	return l
}

// VRFsJSON is `show ip vrf` and its like.
func VRFsJSON(s *Status, name string) ([]byte, error) {
	out := objects(len(s.VRFs))
	for _, v := range s.picked(name) {
		members := objects(0)
		for _, i := range s.members(v) {
			members = append(members, object{"name": i.Name, "addresses": append([]netip.Prefix{}, i.Addrs...), "up": i.Up})
		}
		out = append(out, object{
			"name": v.Name, "id": v.ID, "description": v.Description, "rd": v.RD, "import": words(v.Import), "export": words(v.Export),
			"import_map": v.ImportMap, "export_map": v.ExportMap, "label_mode": map[bool]string{true: "per-vrf", false: "per-prefix"}[v.PerVRF],
			"interfaces": members, "prefixes": v.Prefixes,
		})
	}
	return encode("ip vrf", out)
}

// RoutesJSON is `show ip route`.
func RoutesJSON(s *Status, routes []rib.Route) ([]byte, error) {
	out := objects(len(routes))
	for i := range routes {
		r := &routes[i]
		hops, via := s.hopsJSON(r.Hops), s.hopsJSON(r.Via)
		out = append(out, object{
			"prefix": r.Prefix, "source": r.Source.String(), "distance": r.Distance, "metric": metric(r), "tag": r.Tag, "process": processOf(s, r), "external": r.External,
			"next_hops": hops, "via": via, "since": orNull(r.Since),
		})
	}
	return encode("ip route", out)
}

func (s *Status) hopsJSON(hops []rib.NextHop) []object {
	out := objects(len(hops))
	for _, h := range hops {
		row := object{"labels": numbers(h.Labels.Values())}
		if h.Iface != "" {
			row["interface"] = h.Iface
		}
		if h.Addr.IsValid() {
			row["address"] = h.Addr
		}
		if h.Share > 0 {
			row["share"] = h.Share
		}
		if h.Elsewhere {
			row["table"] = s.vrfName(h.Table)
		}
		out = append(out, row)
	}
	return out
}

// CEFJSON is `show ip cef PREFIX`; null where there is no route.
func CEFJSON(s *Status, a *Answer) ([]byte, error) {
	c := a.CEF
	if c == nil {
		return encode("ip cef", nil)
	}
	paths := objects(len(c.Paths))
	for i := range c.Paths {
		p := &c.Paths[i]
		n := s.Fastpath.Adjacencies[p.Adjacency]
		paths = append(paths, object{
			"interface": p.Iface, "address": addrOrNull(p.Addr), "via": addrOrNull(p.NextHop), "through": prefixOrNull(p.Through), "labels": numbers(p.Out),
			"adjacency": p.Adjacency, "leak": p.Leak, "receive": p.Adjacency == fib.Receive, "packets": n.Packets, "bytes": n.Bytes,
			"share": p.Slots,
		})
	}
	return encode("ip cef", object{
		"prefix": c.Prefix, "version": s.Fastpath.Generation, "local_label": labelOrNull(c.Local, c.HasLocal), "dependencies": c.Dependencies, "paths": paths,
	})
}

// MPLSInterfacesJSON is `show mpls interfaces`.
func MPLSInterfacesJSON(s *Status, iface string) ([]byte, error) {
	out := objects(0)
	for _, i := range s.Router.Interfaces {
		c := s.Interfaces[i.Name]
		if iface != "" && i.Name != iface || !c.MPLS && !c.BGPLabels && !i.MPLS {
			continue
		}
		out = append(out, object{"name": i.Name, "ldp": c.MPLS, "bgp": c.BGPLabels, "operational": i.MPLS && i.Up, "mtu": i.MTU, "configured_mtu": c.MPLSMTU})
	}
	return encode("mpls interfaces", out)
}

// ForwardingJSON is `show mpls forwarding-table`.
func ForwardingJSON(s *Status, a *Answer, sel LabelSelect) ([]byte, error) {
	out := objects(len(a.Labels))
	for i := range a.Labels {
		e := &a.Labels[i]
		if !sel.takes(s, e) {
			continue
		}
		paths := objects(len(e.Paths))
		for k := range e.Paths {
			p := &e.Paths[k]
			paths = append(paths, object{"labels": numbers(p.Out), "interface": p.Iface, "address": addrOrNull(p.Addr)})
		}
		rd := ""
		if e.RD != 0 {
			rd = e.RD.String()
		}
		action := "swap"
		switch {
		case e.Lookup:
			action = "lookup"
		case e.Forward, e.Leaves:
			action = "forward"
		}
		out = append(out, object{
			"label": e.In, "action": action, "vrf": s.vrfName(e.VRF), "rd": rd, "prefix": prefixOrNull(e.Prefix), "paths": paths,
			"packets": e.Count.Packets, "bytes": e.Count.Bytes,
		})
	}
	return encode("mpls forwarding-table", out)
}

// BindingsJSON is `show mpls ldp bindings`.
func BindingsJSON(a *Answer, prefix netip.Prefix, local bool) ([]byte, error) {
	out := objects(0)
	for i := range a.LDP.Bindings {
		f := &a.LDP.Bindings[i]
		if prefix.IsValid() && f.Prefix != prefix || local && !f.HasLocal {
			continue
		}
		row := object{"prefix": f.Prefix, "revision": f.Revision, "local": labelOrNull(f.Local, f.HasLocal), "route": f.Route}
		if !local {
			remote := objects(len(f.Remote))
			for _, r := range f.Remote {
				remote = append(remote, object{"peer": r.Peer.String(), "label": r.Label, "in_use": r.InUse})
			}
			row["remote"] = remote
		}
		out = append(out, row)
	}
	return encode("mpls ldp bindings", out)
}

// NeighborsJSON is `show mpls ldp neighbor`.
func NeighborsJSON(s *Status, a *Answer, id netip.Addr, iface string) ([]byte, error) {
	out := objects(0)
	for i := range a.LDP.Neighbors {
		n := &a.LDP.Neighbors[i]
		if !heardOn(n, id, iface) {
			continue
		}
		sources := objects(len(n.Sources))
		for k := range n.Sources {
			sources = append(sources, adjacencyJSON(&n.Sources[k]))
		}
		out = append(out, object{
			"peer": n.Peer.String(), "local": n.Local.String(), "peer_tcp": n.PeerAddr, "local_tcp": n.LocalAddr, "active": n.Active, "md5": n.Signed,
			"state": n.State.String(), "sent": n.Sent, "received": n.Received, "since": orNull(n.Since), "hold_seconds": n.KeepAlive.Seconds(), "max_pdu": n.MaxPDU,
			"refused": n.Refused, "next_try": orNull(n.Retry), "discovery_sources": sources, "addresses": append([]netip.Addr{}, n.Addresses...), "bindings": n.Bindings,
		})
	}
	return encode("mpls ldp neighbor", out)
}

func adjacencyJSON(x *ldp.AdjacencyStatus) object {
	return object{
		"interface": x.Iface, "peer": x.Peer.String(), "address": x.Address, "transport": addrOrNull(x.Transport), "hold_seconds": x.Hold.Seconds(),
		"proposed_seconds": x.Proposed.Seconds(), "expires": orNull(x.Expires), "since": orNull(x.Since),
	}
}

// DiscoveryJSON is `show mpls ldp discovery`.
func DiscoveryJSON(a *Answer) ([]byte, error) {
	list := objects(0)
	for i := range a.LDP.Discovery {
		d := &a.LDP.Discovery[i]
		heard := objects(len(d.Adjacencies))
		for k := range d.Adjacencies {
			heard = append(heard, adjacencyJSON(&d.Adjacencies[k]))
		}
		list = append(list, object{
			"interface": d.Iface, "running": d.Running, "transport": addrOrNull(d.Transport), "interval_seconds": d.Interval.Seconds(), "hold_seconds": d.Hold.Seconds(),
			"hellos_sent": d.Sent, "hellos_received": d.Received, "peers": heard,
		})
	}
	drops := object{}
	for r, n := range a.LDP.Drops {
		if n > 0 {
			drops[fmt.Sprint(ldp.DropReason(r))] = n
		}
	}
	return encode("mpls ldp discovery", object{"id": a.LDP.ID.String(), "interfaces": list, "hellos_not_taken": drops})
}

// ParametersJSON is `show mpls ldp parameters`.
func ParametersJSON(s *Status) ([]byte, error) {
	m := s.MPLS.withDefaults()
	sec := func(d time.Duration) float64 { return d.Seconds() }
	return encode("mpls ldp parameters", object{
		"running": m.LDP, "first_label": m.LDPFirst, "last_label": m.LDPLast, "session_hold_seconds": sec(m.SessionHold), "hello_hold_seconds": sec(m.HelloHold),
		"hello_interval_seconds": sec(m.HelloInterval), "backoff_first_seconds": sec(m.BackoffFirst), "backoff_max_seconds": sec(m.BackoffMax),
		"propagate_ttl": !m.Pipe, "passwords": append([]netip.Addr{}, m.PasswordsForID...),
	})
}
