package config

import "fmt"

// ChangeKind says what happened to a named part.
type ChangeKind uint8

// The kinds of change.
const (
	Added ChangeKind = iota
	Removed
	Changed
)

// String returns added, removed or changed.
func (k ChangeKind) String() string { return [...]string{"added", "removed", "changed"}[k] }

// Change is a named part that differs.
type Change struct {
	Kind ChangeKind
	Name string
}

// InterfaceParts says which parts of an interface differ.
type InterfaceParts uint16

// The parts of an interface. PartTunnel is source, destination, mode, key, VRF and the outer header; a tunnel with
// that changed is another tunnel. PartNHRP is detailed in InterfaceChange.NHRP.
const (
	PartVRF InterfaceParts = 1 << iota
	PartAddress
	PartMTU // mtu, ip mtu, adjust-mss
	PartAdmin
	PartTunnel
	PartProtection
	PartNHRP
	PartMPLS
	PartEIGRP
	PartMetric // bandwidth, delay
	PartOther  // description and the like: nothing that forwards
)

// InterfaceChange is an interface that differs. Parts and NHRP are set for Changed only.
type InterfaceChange struct {
	Change
	Parts InterfaceParts
	NHRP  NHRPChange
}

// NHRPChange is what differs in the NHRP part of an interface.
type NHRPChange struct {
	Network          bool // network-id or authentication: what was learned is void
	Parameters       bool // times, limits, redirect, shortcut and so on
	MapsAdded        []NHRPMap
	MapsRemoved      []NHRPMap
	MulticastChanged bool
	NHSAdded         []NHS
	NHSRemoved       []NHS
}

// Changes is the difference between two trees, part by part. What is not named in it is the same.
type Changes struct {
	Hostname   bool
	VRFs       []Change
	Interfaces []InterfaceChange

	RoutesAdded, RoutesRemoved []StaticRoute
	KernelImport               bool

	ISAKMP         bool // global IKEv1 settings
	Policies       []Change
	KeysAdded      []ISAKMPKey
	KeysRemoved    []ISAKMPKey
	Keyrings       []Change
	ISAKMPProfiles []Change

	IKEv2         bool // global IKEv2 settings
	Proposals     []Change
	IKEv2Policies []Change
	IKEv2Keyrings []Change
	IKEv2Profiles []Change

	IPsec         bool // global IPsec settings
	TransformSets []Change
	IPsecProfiles []Change
	Identities    []Change
	Trustpoints   []Change
	// Protected lists the tunnels whose IPsec parameters differ, be it by their own command, their profile, its
	// transform sets or a global lifetime. Their SAs need to be made anew; those of other tunnels stay.
	Protected []string

	BGP           bool
	BGPNeighbors  []Change // of the global table, by address or group
	BGPFamilies   []Change // "vpnv4", "ipv4", "ipv4 vrf NAME"
	EIGRP         []Change // by "AS" or name
	KeyChains     []Change
	AccessLists   []Change
	PrefixLists   []Change
	RouteMaps     []Change
	MPLS          bool
	Logging       bool
	CallAdmission bool
	Platform      bool
	Fastpath      bool
	Other         bool // enable password, hosts, commands without effect
}

// Empty tells whether nothing differs.
func (d Changes) Empty() bool { return same(d, Changes{}) }

// Diff compares two trees.
func Diff(old, new *Config) Changes {
	var d Changes
	d.Hostname = old.Hostname != new.Hostname
	d.VRFs = changes(old.VRFs, new.VRFs, func(v *VRF) string { return v.Name })
	d.Interfaces = diffInterfaces(old.Interfaces, new.Interfaces)
	d.RoutesAdded, d.RoutesRemoved = lists(old.StaticRoutes, new.StaticRoutes)
	d.KernelImport = !same(old.KernelImport, new.KernelImport)
	d.crypto(old, new)
	d.routing(old, new)
	d.MPLS = !same(old.MPLS, new.MPLS)
	d.Logging = !same(old.Logging, new.Logging)
	d.CallAdmission = old.CallAdmission != new.CallAdmission
	d.Platform = !same(old.Platform, new.Platform)
	d.Fastpath = !same(old.Fastpath, new.Fastpath)
	d.Other = old.Enable != new.Enable || old.EnableHashed != new.EnableHashed || !same(old.Hosts, new.Hosts) || !same(old.Ignored, new.Ignored)
	return d
}

// changes compares two lists of named things; the order is that of the new list, then what was removed.
func changes[T any](old, new []*T, name func(*T) string) []Change {
	var out []Change
	before := map[string]*T{}
	for _, o := range old {
		before[name(o)] = o
	}
	for _, n := range new {
		o := before[name(n)]
		delete(before, name(n))
		switch {
		case o == nil:
			out = append(out, Change{Added, name(n)})
		case !same(*o, *n):
			out = append(out, Change{Changed, name(n)})
		}
	}
	for _, o := range old {
		if before[name(o)] != nil {
			out = append(out, Change{Removed, name(o)})
		}
	}
	return out
}

// lists compares two lists of values as sets.
func lists[T any](old, new []T) (added, removed []T) {
	in := func(list []T, v T) bool {
		for _, e := range list {
			if same(e, v) {
				return true
			}
		}
		return false
	}
	for _, n := range new {
		if !in(old, n) {
			added = append(added, n)
		}
	}
	for _, o := range old {
		if !in(new, o) {
			removed = append(removed, o)
		}
	}
	return added, removed
}

func diffInterfaces(old, new []*Interface) []InterfaceChange {
	before := map[string]*Interface{}
	after := map[string]*Interface{}
	for _, i := range old {
		before[i.Name] = i
	}
	for _, i := range new {
		after[i.Name] = i
	}
	var out []InterfaceChange
	for _, c := range changes(old, new, func(i *Interface) string { return i.Name }) {
		ic := InterfaceChange{Change: c}
		if c.Kind == Changed {
			ic.Parts, ic.NHRP = diffInterface(before[c.Name], after[c.Name])
		}
		out = append(out, ic)
	}
	return out
}

func diffInterface(a, b *Interface) (parts InterfaceParts, nhrp NHRPChange) {
	mark := func(differs bool, p InterfaceParts) {
		if differs {
			parts |= p
		}
	}
	ta, tb := a.Tunnel, b.Tunnel
	ta.Protection, tb.Protection = Protection{}, Protection{}
	ta.BandwidthTx, ta.BandwidthRx, tb.BandwidthTx, tb.BandwidthRx = 0, 0, 0, 0
	ta.ModeSet, tb.ModeSet = false, false
	mark(a.VRF != b.VRF, PartVRF)
	mark(a.Address != b.Address || !same(a.Secondary, b.Secondary) || a.DHCP != b.DHCP || a.DHCPHost != b.DHCPHost || a.Unnumbered != b.Unnumbered, PartAddress)
	mark(a.MTU != b.MTU || a.IPMTU != b.IPMTU || a.AdjustMSS != b.AdjustMSS, PartMTU)
	mark(a.Shutdown != b.Shutdown, PartAdmin)
	mark(ta != tb || a.VLAN != b.VLAN || a.VLANNative != b.VLANNative, PartTunnel)
	mark(a.Tunnel.Protection != b.Tunnel.Protection, PartProtection)
	mark(!same(a.NHRP, b.NHRP), PartNHRP)
	mark(a.MPLS != b.MPLS, PartMPLS)
	mark(!same(a.EIGRP, b.EIGRP), PartEIGRP)
	mark(a.Bandwidth != b.Bandwidth || a.Delay != b.Delay || a.Tunnel.BandwidthTx != b.Tunnel.BandwidthTx || a.Tunnel.BandwidthRx != b.Tunnel.BandwidthRx, PartMetric)
	mark(a.Description != b.Description || a.NoRedirects != b.NoRedirects || a.NoUnreachables != b.NoUnreachables ||
		a.Tunnel.ModeSet != b.Tunnel.ModeSet || !same(a.Ignored, b.Ignored), PartOther)
	return parts, diffNHRP(&a.NHRP, &b.NHRP)
}

func diffNHRP(a, b *NHRP) NHRPChange {
	var d NHRPChange
	d.Network = a.NetworkID != b.NetworkID || a.Authentication != b.Authentication
	d.MapsAdded, d.MapsRemoved = lists(a.Maps, b.Maps)
	d.NHSAdded, d.NHSRemoved = lists(a.NHS, b.NHS)
	d.MulticastChanged = a.MulticastDynamic != b.MulticastDynamic || !same(a.Multicast, b.Multicast)
	x, y := *a, *b
	for _, n := range []*NHRP{&x, &y} {
		n.NetworkID, n.Authentication, n.Maps, n.NHS, n.MulticastDynamic, n.Multicast = 0, "", nil, nil, false, nil
	}
	d.Parameters = !same(x, y)
	return d
}

func (d *Changes) crypto(old, new *Config) {
	a, b := old.ISAKMP, new.ISAKMP
	d.Policies = changes(a.Policies, b.Policies, func(p *ISAKMPPolicy) string { return fmt.Sprint(p.Priority) })
	d.KeysAdded, d.KeysRemoved = lists(a.Keys, b.Keys)
	d.Keyrings = changes(a.Keyrings, b.Keyrings, func(k *Keyring) string { return k.Name })
	d.ISAKMPProfiles = changes(a.Profiles, b.Profiles, func(p *ISAKMPProfile) string { return p.Name })
	a.Policies, a.Keys, a.Keyrings, a.Profiles = nil, nil, nil, nil
	b.Policies, b.Keys, b.Keyrings, b.Profiles = nil, nil, nil, nil
	d.ISAKMP = !same(a, b)

	x, y := old.IKEv2, new.IKEv2
	d.Proposals = changes(x.Proposals, y.Proposals, func(p *IKEv2Proposal) string { return p.Name })
	d.IKEv2Policies = changes(x.Policies, y.Policies, func(p *IKEv2Policy) string { return p.Name })
	d.IKEv2Keyrings = changes(x.Keyrings, y.Keyrings, func(k *IKEv2Keyring) string { return k.Name })
	d.IKEv2Profiles = changes(x.Profiles, y.Profiles, func(p *IKEv2Profile) string { return p.Name })
	x.Proposals, x.Policies, x.Keyrings, x.Profiles = nil, nil, nil, nil
	y.Proposals, y.Policies, y.Keyrings, y.Profiles = nil, nil, nil, nil
	d.IKEv2 = !same(x, y)

	s, t := old.IPsec, new.IPsec
	d.TransformSets = changes(s.TransformSets, t.TransformSets, func(t *TransformSet) string { return t.Name })
	d.IPsecProfiles = changes(s.Profiles, t.Profiles, func(p *IPsecProfile) string { return p.Name })
	d.Identities = changes(s.Identities, t.Identities, func(i *CryptoIdentity) string { return i.Name })
	s.TransformSets, s.Profiles, s.Identities = nil, nil, nil
	t.TransformSets, t.Profiles, t.Identities = nil, nil, nil
	d.IPsec = !same(s, t)
	d.Trustpoints = changes(old.PKI.Trustpoints, new.PKI.Trustpoints, func(t *Trustpoint) string { return t.Name })

	for _, i := range new.tunnels() {
		if o := old.Interface(i.Name); o != nil && !same(old.protectionOf(o), new.protectionOf(i)) {
			d.Protected = append(d.Protected, i.Name)
		}
	}
}

// effectiveProtection is all that decides about the SAs of a tunnel, apart from IKE.
type effectiveProtection struct {
	Protection Protection
	Profile    *IPsecProfile
	Sets       []*TransformSet
	Identity   *CryptoIdentity
	Global     IPsec
}

func (c *Config) protectionOf(i *Interface) effectiveProtection {
	e := effectiveProtection{Protection: i.Tunnel.Protection}
	if e.Profile = c.IPsecProfile(e.Protection.Profile); e.Profile == nil {
		return e
	}
	for _, name := range e.Profile.TransformSets {
		e.Sets = append(e.Sets, c.TransformSet(name))
	}
	e.Identity = find(c.IPsec.Identities, func(i *CryptoIdentity) bool { return i.Name == e.Profile.Identity })
	e.Global = c.IPsec
	e.Global.TransformSets, e.Global.Profiles, e.Global.Identities = nil, nil, nil
	return e
}

func (d *Changes) routing(old, new *Config) {
	var a, b BGP
	if old.BGP != nil {
		a = *old.BGP
	}
	if new.BGP != nil {
		b = *new.BGP
	}
	d.BGPNeighbors = changes(a.Neighbors, b.Neighbors, (*BGPNeighbor).ID)
	d.BGPFamilies = changes(a.Families, b.Families, func(f *BGPFamily) string { return f.Family + word(f.VRF != "", " vrf "+f.VRF) })
	a.Neighbors, a.Families, b.Neighbors, b.Families = nil, nil, nil, nil
	d.BGP = (old.BGP == nil) != (new.BGP == nil) || !same(a, b)
	d.EIGRP = changes(old.EIGRP, new.EIGRP, func(e *EIGRP) string { return or(e.Name, fmt.Sprint(e.AS)) })
	d.KeyChains = changes(old.KeyChains, new.KeyChains, func(k *KeyChain) string { return k.Name })
	d.AccessLists = changes(old.AccessLists, new.AccessLists, func(l *AccessList) string { return l.Name })
	d.PrefixLists = changes(old.PrefixLists, new.PrefixLists, func(l *PrefixList) string { return l.Name })
	d.RouteMaps = changes(old.RouteMaps, new.RouteMaps, func(m *RouteMap) string { return m.Name })
}
