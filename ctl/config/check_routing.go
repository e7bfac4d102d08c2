package config

// routing checks BGP, EIGRP and MPLS.
func (k *checker) routing() {
	if k.c.BGP != nil {
		k.bgp(k.c.BGP)
	}
	k.eigrp()
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
		k.redistribution(f.Lines, f.Pos, f.VRF, f.Redistribute)
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

// head is the command without route-map and metric.
func (r *Redistribute) head() string {
	if r.ID == 0 {
		return "redistribute " + r.Protocol
	}
	return "redistribute " + r.Protocol + " " + itoa(int(r.ID))
}

// redistribution checks the sources of routes that a protocol takes in.
func (k *checker) redistribution(lines Lines, mode Pos, vrf string, list []Redistribute) {
	for _, r := range list {
		head := r.head()
		pos := lines.beginning(mode, head)
		k.needRouteMap(pos, r.RouteMap)
		switch {
		case r.Protocol == "ospf" || r.Protocol == "rip":
			k.add(pos, Warning, "redistribute-none", "run FRR's daemon on the interfaces of the same names, and say `redistribute kernel`", "`%s` takes no route: nave has no %s of its own", head, r.Protocol)
		case r.Protocol == "bgp" && (k.c.BGP == nil || k.c.BGP.AS != r.ID):
			k.add(pos, Warning, "redistribute-none", "name the AS of `router bgp`", "`%s` takes no route: BGP with that AS does not run", head)
		case r.Protocol == "bgp" && vrf == "" && !k.c.BGP.Internal && k.c.BGP.isInternal():
			k.add(pos, Warning, "redistribute-none", "say `bgp redistribute-internal` in `router bgp`", "`%s` takes no route: all neighbors are of this router's own AS", head)
		case r.Protocol == "eigrp" && !k.runsEIGRP(vrf, r.ID):
			k.add(pos, Warning, "redistribute-none", "name an AS of `router eigrp`", "`%s` takes no route: EIGRP with that AS does not run in %s", head, tableName(vrf))
		}
	}
}

// isInternal tells whether all sessions of the global table are of iBGP.
func (b *BGP) isInternal() bool {
	sessions := false
	for _, n := range b.Neighbors {
		as := n.RemoteAS
		if g := findPeer(b.Neighbors, n.PeerGroup); as == 0 && n.PeerGroup != "" && g != nil {
			as = g.RemoteAS
		}
		if n.Addr.IsValid() && as != b.AS {
			return false
		}
		sessions = sessions || n.Addr.IsValid()
	}
	return sessions
}

func (k *checker) runsEIGRP(vrf string, as uint32) bool {
	for _, e := range k.c.EIGRP {
		for _, f := range e.Families {
			if f.VRF == vrf && uint32(f.AS) == as {
				return true
			}
		}
	}
	return false
}
