package hardware

import (
	"fmt"
	"slices"

	"nave/ctl/config"
	"nave/hwprofiles"
)

// mplsPort tells whether an interface that is no tunnel carries labels: towards an MPLS network.
func mplsPort(i *config.Interface) bool { return !i.IsTunnel() && (i.MPLS.IP || i.MPLS.BGPForwarding) }

func (k *check) tunnelRecursive(r *router) {
	f := r.p.MPLS.TunnelRecursive
	if !f.IsYes() || r.c.Platform.TunnelRecursive || r.c.Platform.TunnelRecir {
		return
	}
	hubs := r.tunnels(func(i *config.Interface) bool { return isHub(i) && i.VRF != "" })
	if len(hubs) == 0 {
		return
	}
	i := hubs[0]
	pos := at(i, "ip vrf forwarding", "vrf forwarding")
	const action = "add `mls mpls tunnel-recursive`"
	if slices.ContainsFunc(r.c.Interfaces, mplsPort) {
		k.add(pos, config.Warning, refused, r.because(f.Fact), action,
			"%s makes this router a PE: its spokes don't reach sites across the MPLS network without `mls mpls tunnel-recursive`", i.Name)
		return
	}
	k.add(pos, config.Info, refused, r.because(f.Fact), action,
		"if this router is a PE and spokes of %s are to reach sites across an MPLS network, `mls mpls tunnel-recursive` is missing", i.Name)
}

func (k *check) eigrpVRF(r *router) {
	f := r.p.DMVPN.VRFAwareEIGRP
	if !f.No() {
		return
	}
	for _, e := range r.c.EIGRP {
		for _, fam := range e.Families {
			for _, i := range r.dmvpn() {
				if fam.VRF == "" || i.VRF != fam.VRF {
					continue
				}
				k.add(fam.Pos, config.Warning, advised, r.because(f.Fact), "use BGP: `address-family ipv4 vrf "+fam.VRF+"`", "EIGRP in VRF %s runs over %s",
					fam.VRF, i.Name)
				break
			}
		}
	}
}

func (k *check) mpls(r *router) {
	f := r.p.MPLS.Hardware
	if !f.No() {
		return
	}
	for _, i := range r.c.Interfaces {
		if i.MPLS.IP || i.MPLS.BGPForwarding {
			k.add(at(i, "mpls ip", "mpls bgp forwarding"), config.Warning, software, r.because(f.Fact),
				"use an engine that switches labels, or VRFs without MPLS", "labelled packets of %s are forwarded %s", i.Name, byRouteProcessor(r.p))
		}
	}
}

func (k *check) mplsGRE(r *router) {
	f := r.p.MPLS.OverGRE
	if !f.No() || r.p.MPLS.Hardware.No() { // then all labels are the route processor's, which is said already
		return
	}
	for _, i := range r.c.Tunnels() {
		if i.MPLS.IP || i.MPLS.BGPForwarding {
			k.add(at(i, "mpls ip", "mpls bgp forwarding"), config.Warning, software, r.because(f.Fact),
				"put a service card into the chassis, or let one box encrypt and another do GRE and MPLS",
				"labelled packets in %s are forwarded %s", i.Name, byRouteProcessor(r.p))
		}
	}
}

func (k *check) tunnelVLANs(r *router) {
	f := r.p.GRE.VLANs
	if list := r.c.Tunnels(); f.Over(len(list)) {
		k.add(list[f.Int()].Pos, config.Warning, scale, r.because(f.Fact), "use multipoint tunnels", "%d tunnels, and %d internal VLANs at most", len(list),
			f.Int())
	}
}

func (k *check) vrfs(r *router) {
	f := r.p.MPLS.VRFs
	if f.Over(len(r.c.VRFs)) {
		k.add(nth(r.c.VRFs, f.Int()), config.Warning, scale, r.because(f.Fact), "spread the VRFs over several routers", "%d VRFs, and %d at most",
			len(r.c.VRFs), f.Int())
	}
}

// nth returns where the VRF stands that is over a limit, in the order of the file.
func nth(list []*config.VRF, n int) config.Pos {
	pos := make([]config.Pos, 0, len(list))
	for _, v := range list {
		pos = append(pos, v.Pos)
	}
	slices.SortFunc(pos, func(a, b config.Pos) int { return a.Line - b.Line })
	return pos[n]
}

func (k *check) aggregateLabels(r *router) {
	f := r.p.MPLS.AggregateLabels
	var with []*config.VRF
	for _, v := range r.c.VRFs {
		if v.RD != (config.RD{}) { // labels are of VPN routes, and those have a route distinguisher
			with = append(with, v)
		}
	}
	if !f.Over(len(with)) {
		return
	}
	cost := ""
	if n := r.p.MPLS.RecircCost; n.Known {
		cost = fmt.Sprintf(", which divides their rate by %g", n.Value)
	}
	k.add(nth(with, f.Int()), config.Warning, scale, r.because(f.Fact), "spread the VRFs over several routers",
		"%d VRFs with labels of their own, and %d aggregate labels: packets of the rest pass twice%s", len(with), f.Int(), cost)
}

// kinds are what `mls cef maximum-routes` splits the TCAM into.
var kinds = []string{"ip", "mpls", "ip-multicast", "ipv6"}

func (r *router) width(kind string) int {
	f := &r.p.FIB
	n := map[string]float64{"ip": f.IPv4Width.Value, "mpls": f.MPLSWidth.Value, "ip-multicast": f.MulticastWidth.Value, "ipv6": f.IPv6Width.Value}[kind]
	return max(1, int(n))
}

// thousand is what `mls cef maximum-routes` counts in.
const thousand = 1024

// splitUnits is how many units of the TCAM the parts of `mls cef maximum-routes` take.
func splitUnits(r *router) (units int) {
	for _, kind := range kinds {
		units += r.c.Platform.MaximumRoutes[kind] * thousand * r.width(kind)
	}
	return units
}

// Split is `mls cef maximum-routes` in entries by kind, as hardware takes it: nil where there is none, or one that is larger than the TCAM, which is refused.
func Split(c *config.Config, p *hwprofiles.Profile) map[string]int {
	if len(c.Platform.MaximumRoutes) == 0 || p.FIB.Units.Over(splitUnits(&router{c: c, p: p})) {
		return nil
	}
	out := make(map[string]int)
	for kind, n := range c.Platform.MaximumRoutes {
		out[kind] = n * thousand
	}
	return out
}

func (k *check) maximumRoutes(r *router) {
	f := r.p.FIB.Units
	last := config.Pos{}
	for _, kind := range kinds {
		n := r.c.Platform.MaximumRoutes[kind]
		if n == 0 {
			continue
		}
		pos := r.c.Lines.At(config.Pos{}, fmt.Sprintf("mls cef maximum-routes %s %d", kind, n), "mls cef maximum-routes")
		if h := r.p.MPLS.Hardware; kind == "mpls" && h.No() {
			k.add(pos, config.Warning, noEffect, r.because(h.Fact), "remove it", "`mls cef maximum-routes mpls`: this engine holds no labels")
		}
		if pos.Line > last.Line {
			last = pos
		}
	}
	if units := splitUnits(r); f.Over(units) {
		k.add(last, config.Error, refused, r.because(f.Fact), "make the parts smaller; IPv6 and multicast count twice",
			"the parts of `mls cef maximum-routes` take %d units of 72 bits, and there are %d", units, f.Int())
	}
}

// fib counts what the configuration alone puts into the TCAM. What routing protocols bring comes on top.
func (k *check) fib(r *router) {
	f := &r.p.FIB
	most, fact := f.IPMPLS.Value, f.IPMPLS.Fact
	if n := r.c.Platform.MaximumRoutes["ip"]; n > 0 {
		most = float64(n * thousand)
		if l := r.c.Platform.MaximumRoutes["mpls"]; l > 0 {
			most += float64(l * thousand)
		} else if f.MPLS.Known {
			most += f.MPLS.Value
		}
		fact = f.Units.Fact
	}
	if !fact.Known {
		return
	}
	used, labels, over := 0, 0, config.Pos{}
	take := func(vrf string, pos config.Pos) {
		used += r.width("ip")
		if vrf != "" && r.labelled(vrf) {
			used += r.width("mpls")
			labels++
		}
		if float64(used) > most && over == (config.Pos{}) {
			over = pos
		}
	}
	for _, i := range r.c.Interfaces {
		if i.Address.IsValid() {
			take(i.VRF, i.Pos)
		}
		for range i.Secondary {
			take(i.VRF, i.Pos)
		}
	}
	for _, s := range r.c.StaticRoutes {
		take(s.VRF, s.Pos)
	}
	if float64(used) <= most {
		return
	}
	rate := ""
	if f.Exception.Known {
		rate = fmt.Sprintf(", %d packets a second in all", f.Exception.Int())
	}
	action := "summarise routes, or give IPv4 more of the TCAM with `mls cef maximum-routes ip`"
	if labels > 0 {
		action += "; `mpls label mode all-vrfs protocol all-afs per-vrf` saves a label for each route of a VRF"
	}
	k.add(over, config.Warning, scale, r.because(fact), action,
		"static and connected routes take %d entries of the TCAM, %d of them labels, and IPv4 and labels have %.0f: the rest is the route processor's%s, until a reload", used, labels, most, rate)
}

// labelled tells whether each route of a VRF has a label of its own.
func (r *router) labelled(vrf string) bool {
	v := r.c.VRF(vrf)
	if v == nil || v.RD == (config.RD{}) || r.c.BGP == nil {
		return false
	}
	mode := ""
	for _, m := range r.c.MPLS.LabelModes {
		if m.VRF == vrf || m.VRF == "" && mode == "" {
			mode = m.Mode
		}
	}
	return mode != "per-vrf"
}

func (k *check) rateLimiters(r *router) {
	for _, l := range Limiters(r.c, r.p) {
		if !l.Over || !l.First {
			continue
		}
		f, layer := r.p.RateLimiters.L3, "3"
		if l.Layer2 {
			f, layer = r.p.RateLimiters.L2, "2"
		}
		k.add(l.Pos, config.Warning, refused, r.because(f.Fact), "remove those that matter least",
			"`%s` is rate limiter %d of layer %s, and there are %d registers, first come first served", l.Text, l.Nth, layer, f.Int())
	}
}
