package config

import "net/netip"

// What other checks ask of a tree, beside its fields.

// At returns where one of the commands stands, the first that is there; else the place of the mode.
func (l Lines) At(mode Pos, commands ...string) Pos { return l.at(mode, commands...) }

// Tunnels lists the tunnel interfaces.
func (c *Config) Tunnels() []*Interface { return c.tunnels() }

// TunnelSource returns the address that the tunnel's packets leave from, zero where the text does not tell (DHCP).
func (c *Config) TunnelSource(t *Tunnel) netip.Addr { return c.sourceAddr(t) }

// SourcePort returns the interface that has the tunnel's source, nil where there is none.
func (c *Config) SourcePort(t *Tunnel) *Interface { return c.sourcePort(t) }

// SameSource tells whether two tunnels leave from one address of one table.
func (c *Config) SameSource(a, b *Tunnel) bool {
	if !a.HasSource() || !b.HasSource() || a.VRF != b.VRF {
		return false
	}
	x, y := c.sourceAddr(a), c.sourceAddr(b)
	return x.IsValid() && x == y || a.SourceInterface != "" && a.SourceInterface == b.SourceInterface
}

// LinkMTU returns how long the packets may be that the tunnel's port takes, bytes; 1500 unless configured.
func (c *Config) LinkMTU(t *Tunnel) int {
	port := c.sourcePort(t)
	if port == nil {
		return 1500
	}
	if p := c.Interface(port.Parent()); p != nil && port.MTU == 0 && port.IPMTU == 0 && p.MTU != 0 {
		return p.MTU
	}
	return or(or(port.IPMTU, port.MTU), 1500)
}

// Encapsulated returns the length of a packet of n bytes once the tunnel has encapsulated and encrypted it. It is false
// where encryption is asked for and its algorithms are not in the text: then the length is that in clear.
func (c *Config) Encapsulated(i *Interface, n int) (bytes int, known bool) {
	known = true
	if name := i.Tunnel.Protection.Profile; name != "" {
		p := c.IPsecProfile(name)
		known = p != nil && len(p.TransformSets) > 0 && c.TransformSet(p.TransformSets[0]) != nil
	}
	return c.encapsulated(i, n), known
}

// Servers lists the addresses that a spoke's tunnel sends what is for its hubs to.
func (i *Interface) Servers() []netip.Addr {
	var out []netip.Addr
	for _, s := range serversOf(i) {
		a := i.Tunnel.Destination
		if s.Addr.IsValid() {
			a = i.nbma(s)
		}
		if a.IsValid() {
			out = append(out, a)
		}
	}
	return out
}

// Link is a tunnel of one router that registers with, or has for its far end, a tunnel of another.
type Link struct {
	Hub, Spoke             *Config
	HubTunnel, SpokeTunnel *Interface
	NBMA                   netip.Addr // where the spoke sends what is for the hub
	// Translated tells that NBMA is no address of the hub, who was found by its tunnel address: somebody between
	// them translates.
	Translated bool
}

// Links finds which tunnels of several routers belong together, by the addresses that spokes have of their hubs.
func Links(files []*Config) []Link {
	var out []Link
	for _, spoke := range files {
		for _, i := range spoke.tunnels() {
			for _, s := range serversOf(i) {
				out = append(out, linksTo(files, spoke, i, s)...)
			}
		}
	}
	return out
}

// serversOf lists whom a tunnel registers with; a single zero one where it has a destination only.
func serversOf(i *Interface) []NHS {
	if len(i.NHRP.NHS) == 0 && i.Tunnel.Destination.IsValid() {
		return []NHS{{}}
	}
	return i.NHRP.NHS
}

func linksTo(files []*Config, spoke *Config, i *Interface, s NHS) []Link {
	nbma := i.Tunnel.Destination
	if s.Addr.IsValid() {
		nbma = i.nbma(s)
	}
	if hub, h := tunnelAt(files, spoke, nbma, i); h != nil {
		return []Link{{Hub: hub, Spoke: spoke, HubTunnel: h, SpokeTunnel: i, NBMA: nbma}}
	}
	if !s.Addr.IsValid() || !nbma.IsValid() {
		return nil
	}
	for _, hub := range files {
		if hub == spoke {
			continue
		}
		for _, h := range hub.tunnels() {
			if h.hasAddr(s.Addr) && h.NHRP.NetworkID == i.NHRP.NetworkID && h.NHRP.Authentication == i.NHRP.Authentication && hub.sourceAddr(&h.Tunnel).IsValid() {
				return []Link{{Hub: hub, Spoke: spoke, HubTunnel: h, SpokeTunnel: i, NBMA: nbma, Translated: true}}
			}
		}
	}
	return nil
}

func (i *Interface) hasAddr(a netip.Addr) bool {
	for _, p := range i.prefixes() {
		if p.Addr() == a {
			return true
		}
	}
	return false
}
