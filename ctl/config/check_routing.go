package config

import "net/netip"

// routing checks BGP, EIGRP and MPLS.
func (k *checker) routing() {
	if k.c.BGP != nil {
		k.bgp(k.c.BGP)
	}
	for _, e := range k.c.EIGRP {
		for _, f := range e.Families {
			k.eigrpFamily(e, f)
		}
	}
	for _, i := range k.c.Interfaces {
		if i.MPLS.IP && k.c.MPLS.Off {
			k.add(i.at("mpls ip"), Error, "mpls-off", "remove `no mpls ip` at the top", "%s has `mpls ip`, and MPLS is turned off for the whole router", i.Name)
		}
	}
	k.routeDistinguishers()
}

func (k *checker) routeDistinguishers() {
	seen := map[RD]*VRF{}
	for _, v := range k.c.VRFs {
		if v.RD == (RD{}) {
			continue
		}
		if o := seen[v.RD]; o != nil {
			k.add(v.Lines.at(v.Pos, "rd"), Error, "rd-duplicate", "give each VRF its own", "VRF %s has the route distinguisher of VRF %s, %s", v.Name, o.Name, v.RD)
		}
		seen[v.RD] = v
	}
}

func (k *checker) bgp(b *BGP) {
	for _, n := range b.Neighbors {
		k.neighbor(b.Neighbors, n)
	}
	vpn := false
	for _, f := range b.Families {
		if f.VRF != "" {
			if v := k.c.VRF(f.VRF); v == nil {
				k.undefined(f.Pos, "VRF", f.VRF, "ip vrf")
			} else if v.RD == (RD{}) {
				k.add(v.Pos, Error, "vrf-no-rd", "add `rd AS:NUMBER`", "VRF %s is used by BGP and has no route distinguisher", v.Name)
			}
		}
		for _, n := range f.Neighbors {
			k.neighbor(f.Neighbors, n)
		}
		known := b.Neighbors
		if f.VRF != "" {
			known = f.Neighbors
		}
		for _, p := range f.Policies {
			vpn = vpn || f.Family == "vpnv4" && p.Activate == On
			k.policy(known, p)
		}
		for _, n := range f.Networks {
			k.needRouteMap(f.Lines.at(f.Pos, "network"), n.RouteMap)
		}
		for _, r := range f.Redistribute {
			k.needRouteMap(f.Lines.at(f.Pos, "redistribute"), r.RouteMap)
		}
	}
	if vpn && !k.anyMPLS() {
		k.add(b.Pos, Warning, "vpnv4-no-mpls", "add `mpls ip` to the tunnel", "BGP exchanges VPNv4 routes, and no interface has `mpls ip`")
	}
}

func (k *checker) anyMPLS() bool {
	for _, i := range k.c.Interfaces {
		if i.MPLS.IP || i.MPLS.BGPForwarding {
			return true
		}
	}
	return false
}

func (k *checker) neighbor(all []*BGPNeighbor, n *BGPNeighbor) {
	k.needInterface(n.Pos, n.UpdateSource)
	group := n
	if n.PeerGroup != "" {
		if group = findPeer(all, n.PeerGroup); group == nil {
			k.undefined(n.Pos, "peer group", n.PeerGroup, "neighbor")
			return
		}
	}
	if n.Addr.IsValid() && n.RemoteAS == 0 && group.RemoteAS == 0 {
		k.add(n.Pos, Error, "neighbor-no-as", "add `neighbor "+n.ID()+" remote-as NUMBER`", "BGP neighbor %s has no AS", n.ID())
	}
	for _, i := range k.c.Interfaces {
		for _, p := range i.prefixes() {
			if p.Addr() == n.Addr && i.VRF == "" {
				k.add(n.Pos, Error, "neighbor-self", "name the other router", "BGP neighbor %s is the address of %s", n.ID(), i.Name)
			}
		}
	}
}

func (k *checker) policy(known []*BGPNeighbor, p *BGPPolicy) {
	if findPeer(known, p.Neighbor) == nil {
		k.add(p.Pos, Error, "undefined", "begin with `neighbor "+p.Neighbor+" remote-as NUMBER`", "BGP neighbor %s is used and not defined", p.Neighbor)
	}
	k.needRouteMap(p.Pos, p.RouteMapIn)
	k.needRouteMap(p.Pos, p.RouteMapOut)
	k.needRouteMap(p.Pos, p.DefaultOriginateMap)
	k.needPrefixList(p.Pos, p.PrefixListIn)
	k.needPrefixList(p.Pos, p.PrefixListOut)
	k.needACL(p.Pos, p.DistributeIn)
	k.needACL(p.Pos, p.DistributeOut)
}

func (k *checker) eigrpFamily(e *EIGRP, f *EIGRPFamily) {
	if f.VRF != "" && k.c.VRF(f.VRF) == nil {
		k.undefined(f.Pos, "VRF", f.VRF, "ip vrf")
	}
	if f.AS == 0 {
		k.add(f.Pos, Error, "eigrp-no-as", "add `autonomous-system NUMBER`", "EIGRP in VRF %s has no AS number", f.VRF)
	}
	for _, n := range f.Neighbors {
		k.needInterface(f.Lines.at(f.Pos, "neighbor"), n.Interface)
	}
	for _, r := range f.Redistribute {
		k.needRouteMap(f.Lines.at(f.Pos, "redistribute"), r.RouteMap)
	}
	for _, d := range f.Distribute {
		pos := f.Lines.at(f.Pos, "distribute-list")
		k.needACL(pos, d.AccessList)
		k.needPrefixList(pos, d.PrefixList)
		k.needRouteMap(pos, d.RouteMap)
		k.needInterface(pos, d.Interface)
	}
	for _, i := range f.Interfaces {
		k.needKeyChain(i.Lines.at(i.Pos, "authentication key-chain"), i.KeyChain)
		if i.Name != "default" {
			k.needInterface(i.Pos, i.Name)
		}
	}
	for _, i := range k.c.tunnels() {
		if i.VRF == f.VRF && f.Covers(i.Address.Addr()) && !f.passive(i.Name) {
			k.eigrpTunnel(e, f, i)
		}
	}
}

// Covers tells whether a `network` command takes the address of an interface in.
func (f *EIGRPFamily) Covers(a netip.Addr) bool {
	for _, n := range f.Networks {
		if a.IsValid() && n.Prefix.Contains(a) {
			return true
		}
	}
	return false
}

func (f *EIGRPFamily) passive(name string) bool {
	if f.PassiveDefault {
		return !contains(f.NotPassive, name)
	}
	return contains(f.Passive, name)
}

// eigrpTunnel checks a tunnel that EIGRP runs over.
func (k *checker) eigrpTunnel(e *EIGRP, f *EIGRPFamily, i *Interface) {
	if i.Bandwidth < 1000 {
		k.add(i.at("bandwidth"), Warning, "eigrp-bandwidth", "set `bandwidth 1000` or more", "EIGRP runs over %s, whose bandwidth is %d kbit/s: updates to many spokes would be throttled",
			i.Name, or(i.Bandwidth, 9))
	}
	if f.VRF != "" {
		k.add(f.Pos, Info, "eigrp-vrf", "consider BGP towards the spokes", "EIGRP runs over %s in VRF %s: with VRFs the hardware of old avoided EIGRP", i.Name, f.VRF)
	}
	if i.Tunnel.Mode != GREMultipoint || !i.NHRP.Enabled() {
		return
	}
	if !i.NHRP.MulticastDynamic && len(i.NHRP.Multicast) == 0 && !nhsMulticast(i) {
		k.add(i.at("ip nhrp network-id"), Warning, "nhrp-no-multicast", "add `ip nhrp map multicast dynamic` on the hub, `ip nhrp map multicast NBMA` on a spoke",
			"EIGRP runs over %s, and NHRP maps no multicast: no neighbour will be found", i.Name)
	}
	if len(i.NHRP.NHS) > 0 || e.Name != "" {
		return
	}
	split := true
	for _, s := range i.EIGRP {
		if s.AS == f.AS {
			split = s.SplitHorizon.Or(true) && len(s.Summaries) == 0
		}
	}
	if split {
		k.add(i.at("ip nhrp map multicast dynamic"), Warning, "eigrp-split-horizon", "add `no ip split-horizon eigrp "+itoa(int(f.AS))+"`, or a summary address",
			"%s is a hub's tunnel: with split horizon its spokes do not learn each other's routes", i.Name)
	}
}

func nhsMulticast(i *Interface) bool {
	for _, s := range i.NHRP.NHS {
		if s.Multicast {
			return true
		}
	}
	return false
}
