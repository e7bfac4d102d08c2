package config

import (
	"net/netip"
)

// tunnels lists the tunnel interfaces.
func (c *Config) tunnels() []*Interface {
	var out []*Interface
	for _, i := range c.Interfaces {
		if i.IsTunnel() {
			out = append(out, i)
		}
	}
	return out
}

// sourceAddr returns the address that the tunnel's packets leave from, zero where it is not known (DHCP).
func (c *Config) sourceAddr(t *Tunnel) netip.Addr {
	if t.SourceAddr.IsValid() {
		return t.SourceAddr
	}
	if i := c.Interface(t.SourceInterface); i != nil {
		if u := c.Interface(i.Unnumbered); u != nil {
			i = u
		}
		return i.Address.Addr()
	}
	return netip.Addr{}
}

// sourcePort returns the interface that has the tunnel's source, nil where there is none.
func (c *Config) sourcePort(t *Tunnel) *Interface {
	if t.SourceInterface != "" {
		return c.Interface(t.SourceInterface)
	}
	for _, i := range c.Interfaces {
		for _, p := range i.prefixes() {
			if p.Addr() == t.SourceAddr && i.VRF == t.VRF {
				return i
			}
		}
	}
	return nil
}

// tunnels checks the tunnel interfaces, each by itself and against each other.
func (k *checker) tunnels() {
	list := k.c.tunnels()
	for n, i := range list {
		k.tunnelSource(i)
		k.tunnelEnds(i)
		k.tunnelMTU(i)
		for _, o := range list[:n] {
			k.tunnelPair(o, i)
		}
	}
}

func (k *checker) tunnelSource(i *Interface) {
	t := &i.Tunnel
	if !t.HasSource() {
		if !i.Shutdown {
			k.add(i.Pos, Error, "tunnel-no-source", "add `tunnel source INTERFACE`", "%s has no tunnel source", i.Name)
		}
		return
	}
	pos := i.at("tunnel source")
	port := k.c.sourcePort(t)
	switch {
	case port == nil && t.SourceInterface != "":
		k.undefined(pos, "interface", t.SourceInterface, "interface")
	case port == nil:
		k.add(pos, Error, "tunnel-source-address", "give the address to an interface, or name one as source",
			"no interface of %s has the tunnel source %s of %s", tableName(t.VRF), t.SourceAddr, i.Name)
	case port == i || port.IsTunnel() && port.Tunnel.SourceInterface == i.Name:
		k.add(pos, Error, "tunnel-source-loop", "name a port or a loopback", "%s is its own tunnel source", i.Name)
	case !port.hasAddress():
		k.add(pos, Error, "tunnel-source-address", "give "+port.Name+" an address with `ip address`",
			"the tunnel source %s of %s has no address", port.Name, i.Name)
	case port.VRF != t.VRF:
		k.add(i.at("tunnel vrf", "tunnel source"), Error, "tunnel-vrf", "make `tunnel vrf` name the VRF of the source interface",
			"the packets of %s are routed in %s, but its source %s is in %s", i.Name, tableName(t.VRF), port.Name, tableName(port.VRF))
	case port.Shutdown:
		k.add(pos, Warning, "tunnel-source-down", "remove `shutdown` from "+port.Name, "the tunnel source %s of %s is shut down", port.Name, i.Name)
	}
}

func (k *checker) tunnelEnds(i *Interface) {
	t := &i.Tunnel
	switch {
	case t.Mode == GREMultipoint && t.HasDestination():
		k.add(i.at("tunnel destination"), Error, "mgre-destination", "remove `tunnel destination`, or `tunnel mode gre multipoint` for a tunnel to the hub only",
			"%s has both `tunnel mode gre multipoint` and `tunnel destination`", i.Name)
	case t.Mode != GREMultipoint && !t.HasDestination() && !i.Shutdown:
		k.add(i.Pos, Error, "tunnel-no-destination", "add `tunnel mode gre multipoint`, or `tunnel destination ADDRESS`",
			"point-to-point tunnel %s has no destination", i.Name)
	}
	if !i.hasAddress() && !i.Shutdown {
		k.add(i.Pos, Warning, "tunnel-no-address", "add `ip address`", "%s has no IP address", i.Name)
	}
	if t.Protection.Profile == "" && (i.NHRP.Enabled() || t.Mode == GREMultipoint) {
		k.add(i.Pos, Warning, "tunnel-clear", "add `tunnel protection ipsec profile NAME`", "%s sends its packets in clear", i.Name)
	}
}

// tunnelPair checks two tunnels that share their source.
func (k *checker) tunnelPair(a, b *Interface) {
	ta, tb := &a.Tunnel, &b.Tunnel
	if !ta.HasSource() || !tb.HasSource() || ta.VRF != tb.VRF {
		return
	}
	sa, sb := k.c.sourceAddr(ta), k.c.sourceAddr(tb)
	if !(sa.IsValid() && sa == sb) && !(ta.SourceInterface != "" && ta.SourceInterface == tb.SourceInterface) {
		return
	}
	pos := b.at("tunnel source")
	multi := ta.Mode == GREMultipoint && tb.Mode == GREMultipoint
	switch {
	case multi && !ta.HasKey && !tb.HasKey:
		k.add(pos, Error, "mgre-no-key", "give each another `tunnel source`, or each its own `tunnel key`",
			"%s and %s are multipoint tunnels on one source without a key", a.Name, b.Name)
	case ta.HasKey == tb.HasKey && ta.Key == tb.Key && (multi || ta.Mode == tb.Mode && ta.Destination == tb.Destination && ta.DestinationHost == tb.DestinationHost):
		k.add(b.at("tunnel key", "tunnel source"), Error, "tunnel-duplicate", "give one of them another `tunnel key`",
			"%s and %s have the same source and the same key", a.Name, b.Name)
	}
	k.sharedProtection(a, b)
}

// sharedProtection checks the IPsec profiles of two tunnels on one source.
func (k *checker) sharedProtection(a, b *Interface) {
	pa, pb := a.Tunnel.Protection, b.Tunnel.Protection
	pos := b.at("tunnel protection ipsec profile", "tunnel source")
	switch {
	case pa.Profile == "" && pb.Profile == "":
	case pa.Profile == "" || pb.Profile == "":
		k.add(pos, Error, "protection-shared", "protect both, or give them different sources",
			"%s and %s share their source, but only one is protected", a.Name, b.Name)
	case pa.Profile != pb.Profile:
		k.add(pos, Error, "protection-shared", "use one profile, with `shared`, on both",
			"%s and %s share their source, but not their IPsec profile", a.Name, b.Name)
	case k.c.IKEv2ProfileOf(&a.Tunnel) != k.c.IKEv2ProfileOf(&b.Tunnel) || pa.ISAKMPProfile != pb.ISAKMPProfile:
		k.add(pos, Error, "protection-shared", "name the same IKE profile on both", "%s and %s share their source and IPsec profile, but not their IKE profile", a.Name, b.Name)
	case !pa.Shared || !pb.Shared:
		k.add(pos, Error, "protection-shared", "write `tunnel protection ipsec profile "+pb.Profile+" shared` on both",
			"%s and %s share their source and IPsec profile without `shared`", a.Name, b.Name)
	}
}

// tunnelMTU checks that packets of `ip mtu` fit the port once encapsulated.
func (k *checker) tunnelMTU(i *Interface) {
	t := &i.Tunnel
	if i.IPMTU == 0 {
		if t.Protection.Profile != "" {
			k.add(i.at("tunnel protection ipsec profile"), Warning, "ip-mtu-missing", "add `ip mtu 1400` and `ip tcp adjust-mss 1360`",
				"%s is protected and has no `ip mtu`: packets may be fragmented after encryption", i.Name)
		}
	} else {
		k.tunnelFit(i)
	}
	if i.AdjustMSS != 0 && i.IPMTU != 0 && i.AdjustMSS > i.IPMTU-40 {
		k.add(i.at("ip tcp adjust-mss"), Warning, "adjust-mss", "set it to the `ip mtu` less 40",
			"`ip tcp adjust-mss %d` leaves TCP packets longer than `ip mtu %d`", i.AdjustMSS, i.IPMTU)
	}
}

func (k *checker) tunnelFit(i *Interface) {
	port := k.c.sourcePort(&i.Tunnel)
	if port == nil {
		return
	}
	link := or(or(port.IPMTU, port.MTU), 1500)
	if p := k.c.Interface(port.Parent()); p != nil && port.MTU == 0 && port.IPMTU == 0 && p.MTU != 0 {
		link = p.MTU
	}
	size := k.c.encapsulated(i, i.IPMTU)
	if size <= link {
		return
	}
	fit := i.IPMTU
	for fit > 68 && k.c.encapsulated(i, fit) > link {
		fit--
	}
	best := min(fit, 1400)
	s := Warning
	if i.IPMTU > link {
		s = Error
	}
	k.add(i.at("ip mtu"), s, "mtu-too-large", "set `ip mtu` to "+itoa(best)+" or less",
		"packets of `ip mtu %d` on %s are %d bytes long once encapsulated, more than the %d of %s", i.IPMTU, i.Name, size, link, port.Name)
}

// encapsulated returns the length of a packet of n bytes after GRE and ESP.
func (c *Config) encapsulated(i *Interface, n int) int {
	t := &i.Tunnel
	gre := 4
	for _, extra := range []bool{t.HasKey, t.Checksum, t.Sequence} {
		if extra {
			gre += 4
		}
	}
	payload := n + gre
	profile := c.IPsecProfile(t.Protection.Profile)
	if profile == nil || len(profile.TransformSets) == 0 {
		return payload + 20
	}
	set := c.TransformSet(profile.TransformSets[0])
	if set == nil {
		return payload + 20
	}
	if set.Mode != "transport" {
		payload += 20 // the GRE packet's own IP header is encrypted too
	}
	return set.sealed(payload) + 20
}

// sealed returns the length of n bytes after AH and ESP, without the outer IP header.
func (t *TransformSet) sealed(n int) int {
	if t.Cipher != "" || t.Auth != "" {
		iv, block := 0, 4
		switch t.Cipher {
		case "esp-des", "esp-3des":
			iv, block = 8, 8
		case "esp-aes":
			iv, block = 16, 16
		case "esp-gcm", "esp-gmac", "esp-ctr", "esp-chacha20-poly1305":
			iv = 8
		}
		icv := map[string]int{"esp-md5-hmac": 12, "esp-sha-hmac": 12, "esp-sha256-hmac": 16, "esp-sha384-hmac": 24, "esp-sha512-hmac": 32}[t.Auth]
		if t.Combined() {
			icv = or(t.ICV, 16)
		}
		n = 8 + iv + (n+2+block-1)/block*block + icv
	}
	if t.AH != "" {
		n += 12 + map[string]int{"ah-md5-hmac": 12, "ah-sha-hmac": 12, "ah-sha256-hmac": 16, "ah-sha384-hmac": 24, "ah-sha512-hmac": 32}[t.AH]
	}
	return n
}
