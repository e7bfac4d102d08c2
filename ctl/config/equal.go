package config

import (
	"cmp"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

var (
	posType    = reflect.TypeFor[Pos]()
	linesType  = reflect.TypeFor[Lines]()
	addrType   = reflect.TypeFor[netip.Addr]()
	prefixType = reflect.TypeFor[netip.Prefix]()
	asidesType = reflect.TypeFor[[]Aside]()
	heldType   = reflect.TypeFor[Held]()
)

// Equal tells whether two trees say the same. Positions do not count.
func (c *Config) Equal(o *Config) bool { return equal(reflect.ValueOf(c), reflect.ValueOf(o)) }

// same tells whether two parts of trees say the same. Positions do not count.
func same[T any](a, b T) bool { return equal(reflect.ValueOf(&a), reflect.ValueOf(&b)) }

func equal(a, b reflect.Value) bool {
	switch a.Type() {
	case posType, linesType, asidesType, heldType:
		return true
	case addrType, prefixType:
		return a.Interface() == b.Interface()
	}
	switch a.Kind() {
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return equal(a.Elem(), b.Elem())
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !equal(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.Len() != b.Len() {
			return false
		}
		for _, k := range a.MapKeys() {
			if v := b.MapIndex(k); !v.IsValid() || !equal(a.MapIndex(k), v) {
				return false
			}
		}
		return true
	case reflect.Struct:
		for i := range a.NumField() {
			if !equal(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	}
	return a.Equal(b)
}

// Clone copies the tree, so that changing one does not change the other.
func (c *Config) Clone() *Config { return clone(reflect.ValueOf(c)).Interface().(*Config) }

func clone(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(clone(v.Elem()))
		return out
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(clone(v.Index(i)))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for _, k := range v.MapKeys() {
			out.SetMapIndex(k, clone(v.MapIndex(k)))
		}
		return out
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for i := range v.NumField() {
			if out.Field(i).CanSet() {
				out.Field(i).Set(clone(v.Field(i)))
			}
		}
		return out
	}
	return v
}

// normalise puts what has no order of its own into a fixed one and drops parts that say nothing, so that trees that
// say the same are equal.
func (c *Config) normalise() {
	slices.SortStableFunc(c.VRFs, func(a, b *VRF) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(c.Ignored, func(a, b Ignored) int { return rankIgnored(a) - rankIgnored(b) })
	slices.SortStableFunc(c.StaticRoutes, compareRoutes)
	slices.SortStableFunc(c.KernelImport, func(a, b KernelImport) int { return cmp.Compare(a.VRF, b.VRF) })
	slices.SortStableFunc(c.Hosts, func(a, b Host) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(c.AccessLists, func(a, b *AccessList) int { return cmp.Compare(a.Name, b.Name) })
	remove(&c.PrefixLists, func(l *PrefixList) bool { return same(*l, PrefixList{Name: l.Name}) })
	slices.SortStableFunc(c.PrefixLists, func(a, b *PrefixList) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(c.RouteMaps, func(a, b *RouteMap) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(c.KeyChains, func(a, b *KeyChain) int { return cmp.Compare(a.Name, b.Name) })
	for _, k := range c.KeyChains {
		slices.SortStableFunc(k.Keys, func(a, b *Key) int { return cmp.Compare(a.ID, b.ID) })
	}
	c.normaliseCrypto()
	for _, i := range c.Interfaces {
		remove(&i.EIGRP, func(e *InterfaceEIGRP) bool { return same(*e, InterfaceEIGRP{AS: e.AS}) })
		slices.SortStableFunc(i.NHRP.NHSClusters, func(a, b NHSCluster) int { return cmp.Compare(a.Cluster, b.Cluster) })
	}
	if len(c.Platform.MaximumRoutes) == 0 {
		c.Platform.MaximumRoutes = nil
	}
	c.normaliseRouting()
}

// rankIgnored puts commands that open a mode last, as they print last.
func rankIgnored(i Ignored) int {
	if opensMode(i.Text) {
		return 1
	}
	return 0
}

func (c *Config) normaliseCrypto() {
	slices.SortStableFunc(c.ISAKMP.Policies, func(a, b *ISAKMPPolicy) int { return cmp.Compare(a.Priority, b.Priority) })
	slices.SortStableFunc(c.ISAKMP.Keyrings, func(a, b *Keyring) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(c.ISAKMP.Profiles, func(a, b *ISAKMPProfile) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(c.IPsec.TransformSets, func(a, b *TransformSet) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(c.IPsec.Profiles, func(a, b *IPsecProfile) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(c.IPsec.Identities, func(a, b *CryptoIdentity) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(c.IKEv2.Proposals, func(a, b *IKEv2Proposal) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(c.IKEv2.Policies, func(a, b *IKEv2Policy) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(c.IKEv2.Keyrings, func(a, b *IKEv2Keyring) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(c.IKEv2.Profiles, func(a, b *IKEv2Profile) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(c.PKI.Trustpoints, func(a, b *Trustpoint) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(c.MPLS.LDPPasswords, func(a, b LDPPassword) int {
		return cmp.Or(cmp.Compare(a.VRF, b.VRF), a.Neighbor.Compare(b.Neighbor))
	})
	slices.SortStableFunc(c.MPLS.LabelModes, func(a, b LabelMode) int { return cmp.Compare(a.VRF, b.VRF) })
}

func (c *Config) normaliseRouting() {
	if b := c.BGP; b != nil {
		sortPeers(b.Neighbors)
		for _, f := range b.Families {
			sortPeers(f.Neighbors)
			remove(&f.Policies, func(p *BGPPolicy) bool { return same(*p, BGPPolicy{Neighbor: p.Neighbor}) })
			slices.SortStableFunc(f.Policies, func(a, b *BGPPolicy) int { return comparePeers(a.Neighbor, b.Neighbor) })
			slices.SortStableFunc(f.Networks, func(a, b BGPNetwork) int { return comparePrefixes(a.Prefix, b.Prefix) })
			slices.SortStableFunc(f.Redistribute, compareRedistribute)
		}
		remove(&b.Families, func(f *BGPFamily) bool { return same(*f, BGPFamily{Family: "ipv4"}) })
		slices.SortStableFunc(b.Families, func(x, y *BGPFamily) int {
			return cmp.Or(cmp.Compare(x.VRF, y.VRF), cmp.Compare(x.Family, y.Family))
		})
	}
	slices.SortStableFunc(c.EIGRP, func(a, b *EIGRP) int { return cmp.Or(cmp.Compare(a.AS, b.AS), cmp.Compare(a.Name, b.Name)) })
	for _, e := range c.EIGRP {
		slices.SortStableFunc(e.Families, func(a, b *EIGRPFamily) int { return cmp.Or(cmp.Compare(a.VRF, b.VRF), cmp.Compare(a.AS, b.AS)) })
		for _, f := range e.Families {
			slices.SortStableFunc(f.Redistribute, compareRedistribute)
			slices.Sort(f.Passive)
			slices.Sort(f.NotPassive)
			slices.SortStableFunc(f.Interfaces, func(a, b *EIGRPNamedInterface) int { return cmp.Compare(a.Name, b.Name) })
		}
	}
}

func sortPeers(list []*BGPNeighbor) {
	slices.SortStableFunc(list, func(a, b *BGPNeighbor) int { return comparePeers(a.ID(), b.ID()) })
}

// comparePeers orders groups before addresses, as a group must be there before its members.
func comparePeers(a, b string) int {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	switch {
	case errX != nil && errY != nil:
		return strings.Compare(a, b)
	case errX != nil:
		return -1
	case errY != nil:
		return 1
	}
	return x.Compare(y)
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

func compareRedistribute(a, b Redistribute) int {
	return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.ID, b.ID))
}

func compareRoutes(a, b StaticRoute) int {
	return cmp.Or(cmp.Compare(a.VRF, b.VRF), comparePrefixes(a.Prefix, b.Prefix), a.NextHop.Compare(b.NextHop),
		cmp.Compare(a.Interface, b.Interface))
}
