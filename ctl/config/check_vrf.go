package config

// vrfs checks what VRFs make of a configuration: subinterfaces, labels, routes that would leak, and IKE in the VRF of the encrypted packets.
func (k *checker) vrfs() {
	for _, v := range k.c.VRFs {
		if v.RD == (RD{}) && len(v.Import)+len(v.Export) > 0 {
			k.add(v.Lines.at(v.Pos, "route-target"), Warning, "vrf-no-rd", "add `rd AS:NUMBER`", "VRF %s has route targets and no route distinguisher: BGP exchanges nothing of it", v.Name)
		}
	}
	for n, i := range k.c.Interfaces {
		k.subinterface(i, k.c.Interfaces[:n])
		if o := k.c.Interface(i.Unnumbered); o != nil && o.VRF != i.VRF {
			k.add(i.at("ip unnumbered"), Error, "unnumbered-vrf", "name an interface of "+tableName(i.VRF), "%s is in %s and borrows the address of %s, which is in %s",
				i.Name, tableName(i.VRF), o.Name, tableName(o.VRF))
		}
		if i.VRF != "" && (i.MPLS.IP || i.MPLS.BGPForwarding) {
			k.add(i.at("mpls ip", "mpls bgp forwarding"), Warning, "mpls-vrf", "remove `mpls ip`, or the VRF", "`mpls ip` has no effect on %s, which is in VRF %s: labels are of the global table", i.Name, i.VRF)
		}
	}
	for _, r := range k.c.StaticRoutes {
		k.leak(r)
	}
	if o := k.c.Interface(k.c.MPLS.LDPRouterID); o != nil && o.VRF != "" {
		k.add(k.c.Lines.at(Pos{}, "mpls ldp router-id"), Error, "ldp-vrf", "name an interface of the global table", "LDP's router ID is of %s, which is in VRF %s, and LDP runs in the global table", o.Name, o.VRF)
	}
	for _, p := range k.c.MPLS.LDPPasswords {
		if p.VRF != "" {
			k.add(k.c.Lines.at(Pos{}, "mpls ldp neighbor"), Warning, "ldp-vrf", "remove `vrf "+p.VRF+"`", "the password of LDP neighbor %s is for VRF %s, and LDP runs in the global table", p.Neighbor, p.VRF)
		}
	}
	for _, i := range k.c.tunnels() {
		k.tunnelIKE(i)
	}
	for _, r := range k.c.ISAKMP.Keyrings {
		if o := k.c.Interface(r.LocalInterface); o != nil && o.VRF != r.VRF {
			k.add(r.Lines.at(r.Pos, "local-address"), Error, "keyring-vrf", "name an interface of "+tableName(r.VRF), "keyring %s is of %s and its address of %s, which is in %s",
				r.Name, tableName(r.VRF), o.Name, tableName(o.VRF))
		}
	}
}

// subinterface checks VLANs; before are the interfaces that come first.
func (k *checker) subinterface(i *Interface, before []*Interface) {
	parent := i.Parent()
	if parent == "" || i.VLAN == 0 {
		return // or the VLAN is missing, which is said elsewhere
	}
	pos := i.at("encapsulation dot1Q")
	if i.VLANNative {
		k.add(pos, Warning, "vlan-native", "configure address and VRF on "+parent, "frames of the native VLAN have no tag and are those of %s itself: %s stays down", parent, i.Name)
		return
	}
	for _, o := range before {
		if o.Parent() == parent && o.VLAN == i.VLAN && !o.VLANNative {
			k.add(pos, Error, "vlan-duplicate", "give each subinterface of "+parent+" its own", "%s has VLAN %d, as has %s", i.Name, i.VLAN, o.Name)
			return
		}
	}
}

// leak finds a static route that would lead from one table into another.
func (k *checker) leak(r StaticRoute) {
	const action = "exchange the routes by `route-target import` and `export` of the VRFs, with BGP"
	o := k.c.Interface(r.Interface)
	switch {
	case r.Global && r.VRF != "":
		k.add(r.Pos, Error, "route-leak", action, "`global` leads a route of VRF %s into the global table, which static routes can't do here", r.VRF)
	case o != nil && o.VRF != r.VRF:
		k.add(r.Pos, Error, "route-leak", action, "the route to %s is in %s, and %s is in %s", r.Prefix, tableName(r.VRF), o.Name, tableName(o.VRF))
	}
}

// tunnelIKE checks that IKE's keys and profiles are those of the VRF that a protected tunnel's packets are routed in.
func (k *checker) tunnelIKE(i *Interface) {
	t := &i.Tunnel
	p := k.c.IPsecProfile(t.Protection.Profile)
	if p == nil || t.VRF != "" && k.c.VRF(t.VRF) == nil {
		return
	}
	pos := i.at("tunnel protection ipsec profile")
	if name := k.c.IKEv2ProfileOf(t); name != "" {
		f := find(k.c.IKEv2.Profiles, func(f *IKEv2Profile) bool { return f.Name == name })
		if f != nil && f.MatchVRF != "any" && f.MatchVRF != t.VRF {
			k.add(pos, Error, "profile-vrf", matchVRF("match fvrf ", t.VRF), "the packets of %s are routed in %s, and its IKEv2 profile %s is for %s", i.Name, tableName(t.VRF), f.Name, tableName(f.MatchVRF))
		}
		return
	}
	name := or(t.Protection.ISAKMPProfile, p.ISAKMPProfile)
	if f := find(k.c.ISAKMP.Profiles, func(f *ISAKMPProfile) bool { return f.Name == name }); f != nil && len(f.Match) > 0 && !matchesIn(f, t.VRF) {
		k.add(pos, Error, "profile-vrf", matchVRF("match identity address ADDRESS MASK ", t.VRF), "the packets of %s are routed in %s, and its ISAKMP profile %s matches nobody there", i.Name, tableName(t.VRF), f.Name)
	}
	if t.VRF != "" && !k.signs() && find(k.c.ISAKMP.Keyrings, func(r *Keyring) bool { return r.VRF == t.VRF }) == nil {
		k.add(pos, Error, "vrf-no-key", "add `crypto keyring NAME vrf "+t.VRF+"`, with a pre-shared key", "the packets of %s are routed in VRF %s, and there is no pre-shared key for peers there", i.Name, t.VRF)
	}
}

// matchVRF is what to write so that a profile is for a VRF.
func matchVRF(command, vrf string) string {
	if vrf == "" {
		return "remove the VRF from the profile's match, or name another profile"
	}
	return "add `" + command + vrf + "` to the profile, or name another"
}

// matchesIn tells whether an ISAKMP profile is for some peer of a VRF: only addresses have one.
func matchesIn(f *ISAKMPProfile, vrf string) bool {
	for _, m := range f.Match {
		if m.Kind != "address" || m.VRF == vrf {
			return true
		}
	}
	return false
}

// signs tells whether IKEv1 may do without pre-shared keys.
func (k *checker) signs() bool {
	for _, p := range k.c.ISAKMP.Policies {
		if p.Effective().Authentication == "rsa-sig" {
			return true
		}
	}
	return len(k.c.ISAKMP.Policies) == 0
}
