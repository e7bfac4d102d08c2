package config

import (
	"fmt"
	"net/netip"
)

// tunnelLink is a spoke's tunnel and the tunnel of the hub that it registers with.
type tunnelLink struct {
	hub, spoke       *Config
	hubIfc, spokeIfc *Interface
	nhs              NHS // zero Addr where the spoke only has a destination
}

// checkNetworks compares the routers of one network. Spokes find their hubs as they do on the wire: by the NBMA
// address of their next hop servers.
func checkNetworks(files []*Config) Diagnostics {
	k := &checker{}
	members := map[*Interface][]tunnelLink{}
	var hubs []*Interface
	for _, spoke := range files {
		for _, i := range spoke.tunnels() {
			for _, l := range links(files, spoke, i) {
				if members[l.hubIfc] == nil {
					hubs = append(hubs, l.hubIfc)
				}
				members[l.hubIfc] = append(members[l.hubIfc], l)
				k.c = spoke
				k.compare(l)
			}
		}
	}
	for _, h := range hubs {
		k.uniqueAddresses(h, members[h])
	}
	return k.diags
}

// links finds the hubs of a spoke's tunnel.
func links(files []*Config, spoke *Config, i *Interface) []tunnelLink {
	servers := i.NHRP.NHS
	if len(servers) == 0 && i.Tunnel.Destination.IsValid() {
		servers = []NHS{{}}
	}
	var out []tunnelLink
	for _, s := range servers {
		nbma := i.Tunnel.Destination
		if s.Addr.IsValid() {
			nbma = i.nbma(s)
		}
		if hub, h := tunnelAt(files, spoke, nbma, i); h != nil {
			out = append(out, tunnelLink{hub, spoke, h, i, s})
		}
	}
	return out
}

// tunnelAt finds the tunnel of another router whose source is the address. Where several share it, the key decides, if
// it fits, and then NHRP's authentication.
func tunnelAt(files []*Config, but *Config, nbma netip.Addr, i *Interface) (*Config, *Interface) {
	var hub *Config
	var found *Interface
	best := -1
	for _, c := range files {
		if c == but || !nbma.IsValid() {
			continue
		}
		for _, h := range c.tunnels() {
			if c.sourceAddr(&h.Tunnel) != nbma {
				continue
			}
			fit := 0
			if h.Tunnel.HasKey == i.Tunnel.HasKey && h.Tunnel.Key == i.Tunnel.Key {
				fit = 2
			}
			if h.NHRP.Authentication == i.NHRP.Authentication { // tells VRFs with the same addresses from each other
				fit++
			}
			if fit > best {
				hub, found, best = c, h, fit
			}
		}
	}
	return hub, found
}

// where names a tunnel of another file in a message.
func where(c *Config, i *Interface) string {
	name := i.Name + " of " + or(c.Hostname, i.Pos.File)
	if i.Pos.Line > 0 {
		name += fmt.Sprintf(" (%s:%d)", i.Pos.File, i.Pos.Line)
	}
	return name
}

func (k *checker) compare(l tunnelLink) {
	h, s := &l.hubIfc.Tunnel, &l.spokeIfc.Tunnel
	hub := where(l.hub, l.hubIfc)
	if h.HasKey != s.HasKey || h.Key != s.Key {
		k.add(l.spokeIfc.at("tunnel key"), Error, "key-mismatch", "use one `tunnel key` on all routers of the network, or none",
			"%s has %s, %s has %s", l.spokeIfc.Name, keyText(s), hub, keyText(h))
	}
	if a, b := l.hubIfc.NHRP.Authentication, l.spokeIfc.NHRP.Authentication; a != b {
		k.add(l.spokeIfc.at("ip nhrp authentication"), Error, "nhrp-auth-mismatch", "use one string on all routers of the network",
			"the NHRP authentication of %s is not that of %s", l.spokeIfc.Name, hub)
	}
	if a, b := l.hubIfc.NHRP.NetworkID, l.spokeIfc.NHRP.NetworkID; a != b && a != 0 && b != 0 {
		k.add(l.spokeIfc.at("ip nhrp network-id"), Info, "network-id-mismatch", "use one number, to keep it simple",
			"%s has NHRP network-id %d, %s has %d; that works, as the number stays on its router", l.spokeIfc.Name, b, hub, a)
	}
	if a, b := l.hubIfc.IPMTU, l.spokeIfc.IPMTU; a != b {
		k.add(l.spokeIfc.at("ip mtu"), Warning, "mtu-mismatch", "use one `ip mtu` on all routers of the network",
			"the IP MTU of %s is not that of %s", l.spokeIfc.Name, hub)
	}
	k.compareSubnets(l, hub)
	k.compareProtection(l, hub)
	k.compareEIGRP(l, hub)
}

func keyText(t *Tunnel) string {
	if !t.HasKey {
		return "no tunnel key"
	}
	return fmt.Sprintf("tunnel key %d", t.Key)
}

func (k *checker) compareSubnets(l tunnelLink, hub string) {
	own := false
	for _, p := range l.hubIfc.prefixes() {
		own = own || p.Addr() == l.nhs.Addr
	}
	if l.nhs.Addr.IsValid() && !own {
		action := "name the hub's tunnel address"
		for _, i := range l.hub.Interfaces {
			for _, p := range i.prefixes() {
				if p.Addr() == l.nhs.Addr {
					action = fmt.Sprintf("%s has that address: are the addresses of %s and %s swapped?", i.Name, i.Name, l.hubIfc.Name)
				}
			}
		}
		k.add(l.spokeIfc.Lines.at(l.spokeIfc.at("ip nhrp nhs"), "ip nhrp nhs "+l.nhs.Addr.String()), Error, "nhs-address", action,
			"next hop server %s of %s is not the address of %s", l.nhs.Addr, l.spokeIfc.Name, hub)
	}
	a, b := l.hubIfc.Address, l.spokeIfc.Address
	if a.IsValid() && b.IsValid() && a.Masked() != b.Masked() {
		k.add(l.spokeIfc.at("ip address"), Error, "subnet-mismatch", "put hub and spokes into one subnet",
			"%s is in %s, %s in %s", l.spokeIfc.Name, b.Masked(), hub, a.Masked())
	}
}

func (k *checker) compareProtection(l tunnelLink, hub string) {
	hp, sp := l.hubIfc.Tunnel.Protection.Profile, l.spokeIfc.Tunnel.Protection.Profile
	pos := l.spokeIfc.at("tunnel protection ipsec profile")
	if (hp == "") != (sp == "") {
		k.add(pos, Error, "protection-mismatch", "protect both or neither", "only one of %s and %s is protected", l.spokeIfc.Name, hub)
		return
	}
	a, b := l.hub.IPsecProfile(hp), l.spoke.IPsecProfile(sp)
	if a == nil || b == nil {
		return
	}
	if !commonTransform(l, a, b) {
		k.add(b.Lines.at(b.Pos, "set transform-set"), Error, "transform-mismatch", "use the same algorithms and mode on all routers",
			"no transform set of profile %s is one of %s", b.Name, hub)
	}
	if a.PFS != b.PFS {
		k.add(b.Lines.at(b.Pos, "set pfs"), Warning, "pfs-mismatch", "use the same `set pfs` on all routers", "PFS of profile %s is not that of %s", b.Name, hub)
	}
	v2h, v2s := l.hub.IKEv2ProfileOf(&l.hubIfc.Tunnel) != "", l.spoke.IKEv2ProfileOf(&l.spokeIfc.Tunnel) != ""
	if v2h != v2s {
		k.add(pos, Error, "ike-mismatch", "use the same IKE version on all routers", "one of %s and %s uses IKEv2, the other IKEv1", l.spokeIfc.Name, hub)
		return
	}
	if !v2h {
		k.compareISAKMP(l, hub)
	}
}

// commonTransform tells whether the two profiles have a transform set in common.
func commonTransform(l tunnelLink, a, b *IPsecProfile) bool {
	unknown := len(a.TransformSets) == 0 || len(b.TransformSets) == 0
	for _, x := range a.TransformSets {
		for _, y := range b.TransformSets {
			s, t := l.hub.TransformSet(x), l.spoke.TransformSet(y)
			if s == nil || t == nil {
				unknown = true
				continue
			}
			if s.AH == t.AH && s.Cipher == t.Cipher && or(s.KeyBits, 128) == or(t.KeyBits, 128) && s.Auth == t.Auth &&
				or(s.ICV, 16) == or(t.ICV, 16) && or(s.Mode, "tunnel") == or(t.Mode, "tunnel") {
				return true
			}
		}
	}
	return unknown
}

func (k *checker) compareISAKMP(l tunnelLink, hub string) {
	if len(l.hub.ISAKMP.Policies) == 0 || len(l.spoke.ISAKMP.Policies) == 0 {
		return
	}
	common, psk := false, false
	for _, a := range l.hub.ISAKMP.Policies {
		for _, b := range l.spoke.ISAKMP.Policies {
			x, y := a.Effective(), b.Effective()
			if x.Encryption == y.Encryption && x.KeyBits == y.KeyBits && x.Hash == y.Hash && x.Group == y.Group && x.Authentication == y.Authentication {
				common = true
				psk = psk || x.Authentication == "pre-share"
			}
		}
	}
	first := l.spoke.ISAKMP.Policies[0]
	if !common {
		k.add(first.Pos, Error, "ike-mismatch", "give both a policy with the same algorithms", "no ISAKMP policy of this router is one of %s", hub)
		return
	}
	a, okA := pskFor(l.hub, l.spoke.sourceAddr(&l.spokeIfc.Tunnel))
	b, okB := pskFor(l.spoke, l.hub.sourceAddr(&l.hubIfc.Tunnel))
	switch {
	case !psk || !okA || !okB:
	case a == nil || b == nil:
		k.add(first.Pos, Error, "key-missing", "add `crypto isakmp key KEY address ADDRESS` on that router", "%s and %s do not both have a pre-shared key for the other", l.spokeIfc.Name, hub)
	case a.Key != b.Key:
		k.add(b.Pos, Error, "psk-mismatch", "use the same key on both", "the pre-shared key for %s is not the one that it has for this router", hub)
	}
}

// pskFor returns the pre-shared key for an address, the longest match; ok is false where that can't be told (the address
// is not known, or keyrings and host names are in use).
func pskFor(c *Config, a netip.Addr) (key *ISAKMPKey, ok bool) {
	if len(c.ISAKMP.Keyrings) > 0 {
		return nil, false
	}
	for n := range c.ISAKMP.Keys {
		k := &c.ISAKMP.Keys[n]
		if k.Hostname != "" {
			return nil, false
		}
		if (a.IsValid() && k.Prefix.Contains(a) || k.Wildcard()) && (key == nil || k.Prefix.Bits() > key.Prefix.Bits()) {
			key = k
		}
	}
	return key, a.IsValid() || key != nil
}

// uniqueAddresses finds tunnel addresses that two routers of one hub have.
func (k *checker) uniqueAddresses(hub *Interface, members []tunnelLink) {
	type owner struct {
		c *Config
		i *Interface
	}
	seen := map[netip.Addr]owner{}
	list := []owner{}
	for n, l := range members {
		if n == 0 {
			list = append(list, owner{l.hub, hub})
		}
		list = append(list, owner{l.spoke, l.spokeIfc})
	}
	for _, o := range list {
		for _, p := range o.i.prefixes() {
			if have, ok := seen[p.Addr()]; ok && have.i != o.i {
				k.add(o.i.at("ip address"), Error, "address-duplicate", "give each router its own tunnel address",
					"%s has address %s, as has %s", o.i.Name, p.Addr(), where(have.c, have.i))
			}
			seen[p.Addr()] = o
		}
	}
}
