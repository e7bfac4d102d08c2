package hardware

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"nave/ctl/config"
	"nave/hwprofiles"
)

// name is how a message calls a tunnel of another file.
func name(c *config.Config, i *config.Interface) string {
	who := c.Hostname
	if who == "" {
		who = i.Pos.File
	}
	return fmt.Sprintf("%s of %s (%s:%d)", i.Name, who, i.Pos.File, i.Pos.Line)
}

// restricted returns the profile of a router whose platform knows no hub behind NAT.
func (k *check) restricted(c *config.Config) *hwprofiles.Profile {
	if p := k.profile(c); NoHubBehindNAT(p) {
		return p
	}
	return nil
}

// NoHubBehindNAT tells whether a router of a profile can be no hub behind NAT, nor a spoke of such a hub. A nil profile can.
func NoHubBehindNAT(p *hwprofiles.Profile) bool {
	return p != nil && p.DMVPN.HubBehindNAT.No() && !p.DMVPN.Supported.No()
}

// IsHub tells whether spokes register with a tunnel, by its configuration.
func IsHub(i *config.Interface) bool { return isHub(i) }

// HubsOf lists where the hubs of a DMVPN's tunnel are, by its configuration; none of another tunnel.
func HubsOf(i *config.Interface) []netip.Addr {
	if !isDMVPN(i) {
		return nil
	}
	return i.Servers()
}

func (k *check) natHub() {
	seen := map[*config.Interface]bool{}
	for _, l := range k.links {
		p := k.restricted(l.Hub)
		if p == nil || !l.Translated || seen[l.HubTunnel] {
			continue
		}
		seen[l.HubTunnel] = true
		k.add(at(l.HubTunnel, "tunnel source"), config.Error, refused, why{p, p.DMVPN.HubBehindNAT.Fact},
			"give the hub the public address itself, or correct the spoke's address of it",
			"%s is behind NAT: %s sends to %s, which is no address of it", l.HubTunnel.Name, name(l.Spoke, l.SpokeTunnel), l.NBMA)
	}
}

func (k *check) natSpoke() {
	for _, l := range k.links {
		p := k.restricted(l.Spoke)
		if p == nil || !l.Translated {
			continue
		}
		k.add(at(l.SpokeTunnel, "ip nhrp nhs"), config.Error, refused, why{p, p.DMVPN.HubBehindNAT.Fact},
			"give the hub the public address itself, or take another platform for the spoke",
			"the hub of %s, %s, is behind NAT: %s is no address of it", l.SpokeTunnel.Name, name(l.Hub, l.HubTunnel), l.NBMA)
	}
}

// natPeer looks for spokes with a private address whose hub has a public one: there is NAT between them.
func (k *check) natPeer() {
	for _, l := range k.links {
		from, to := l.Spoke.TunnelSource(&l.SpokeTunnel.Tunnel), l.Hub.TunnelSource(&l.HubTunnel.Tunnel)
		if l.Translated || !from.IsPrivate() || !to.IsValid() || to.IsPrivate() {
			continue
		}
		hub, spoke := k.restricted(l.Hub), k.restricted(l.Spoke)
		switch {
		case hub != nil && spoke != nil && hub.Platform == spoke.Platform:
		case hub != nil:
			k.recent(hub, l.Spoke, l.SpokeTunnel, "is a spoke behind NAT, by its address "+from.String()+", and its hub "+name(l.Hub, l.HubTunnel))
		case spoke != nil:
			k.recent(spoke, l.Hub, l.HubTunnel, "has a spoke behind NAT, by its address "+from.String()+": "+name(l.Spoke, l.SpokeTunnel))
		}
	}
}

// recent says what a router needs that is not the platform of its peer.
func (k *check) recent(p *hwprofiles.Profile, c *config.Config, i *config.Interface, what string) {
	f := p.DMVPN.PeerRelease
	if !f.Known {
		return
	}
	need := f.List[0]
	pos, w := at(i, "tunnel source"), why{p, f.Fact}
	action := "run " + need + " or later on it, or take a " + p.Platform
	have, known := version(c)
	switch {
	case k.profile(c) != nil:
		k.add(pos, config.Error, refused, w, "take a "+p.Platform+" here too, or a router with "+need+" or later",
			"%s %s is a %s: this router would have to be one, too, or run %s", i.Name, what, p.Platform, need)
	case !known:
		k.add(pos, config.Info, refused, w, action, "%s %s is a %s: this router needs %s or later", i.Name, what, p.Platform, need)
	default:
		switch compareReleases(have, need) {
		case -1:
			k.add(pos, config.Error, refused, w, action, "%s %s is a %s: this router needs %s or later, and has %s", i.Name, what, p.Platform, need, have)
		case 0:
			k.add(pos, config.Info, refused, w, action, "%s %s is a %s: this router needs %s or later, and `version %s` does not tell which it has", i.Name,
				what, p.Platform, need, have)
		}
	}
}

// version returns the software release that a configuration was written by.
func version(c *config.Config) (string, bool) {
	for _, g := range c.Ignored {
		if v, ok := strings.CutPrefix(g.Text, "version "); ok {
			if _, _, ok := release(v); ok {
				return v, true
			}
		}
	}
	return "", false
}

// compareReleases compares by the first two numbers: -1, 0 or 1.
func compareReleases(a, b string) int {
	a1, a2, _ := release(a)
	b1, b2, _ := release(b)
	switch {
	case a1 < b1 || a1 == b1 && a2 < b2:
		return -1
	case a1 == b1 && a2 == b2:
		return 0
	}
	return 1
}

// release reads the first two numbers of a release such as 12.3(11)T02.
func release(text string) (major, minor int, ok bool) {
	a, rest, ok := strings.Cut(text, ".")
	end := strings.IndexFunc(rest, func(c rune) bool { return c < '0' || c > '9' })
	if end < 0 {
		end = len(rest)
	}
	major, err1 := strconv.Atoi(a)
	minor, err2 := strconv.Atoi(rest[:end])
	return major, minor, ok && err1 == nil && err2 == nil
}

// natUnknown says once what the configurations don't tell.
func (k *check) natUnknown() {
	for _, l := range k.links {
		if l.Translated {
			return
		}
	}
	for _, c := range k.files {
		p := k.restricted(c)
		if p == nil {
			continue
		}
		for _, i := range c.Tunnels() {
			if !isDMVPN(i) {
				continue
			}
			hint := ""
			if a := c.TunnelSource(&i.Tunnel); a.IsPrivate() {
				hint = fmt.Sprintf("; its source %s is private: who comes from the Internet reaches it by NAT only", a)
			}
			k.add(at(i, "tunnel source"), config.Info, refused, why{p, p.DMVPN.HubBehindNAT.Fact}, "see to it that no hub is behind NAT",
				"a %s can be no hub behind NAT, nor a spoke of such a hub; whether somebody translates before %s can't be told from configurations%s", p.Platform, i.Name, hint)
			return
		}
	}
}

// member is a tunnel of a network.
type member struct {
	c *config.Config
	i *config.Interface
}

// mixedKeys looks at each hub with its spokes, and at spokes of one hub whose own file is not there.
func (k *check) mixedKeys() {
	var networks []*[]member
	byHub := map[*config.Interface]*[]member{}
	linked := map[*config.Interface]bool{}
	for _, l := range k.links {
		if byHub[l.HubTunnel] == nil {
			byHub[l.HubTunnel] = &[]member{{l.Hub, l.HubTunnel}}
			networks = append(networks, byHub[l.HubTunnel])
		}
		*byHub[l.HubTunnel] = append(*byHub[l.HubTunnel], member{l.Spoke, l.SpokeTunnel})
		linked[l.SpokeTunnel] = true
	}
	type server struct {
		nbma    netip.Addr
		network uint32 // a hub may have several on one address
	}
	byServer := map[server]*[]member{}
	for _, c := range k.files {
		for _, i := range c.Tunnels() {
			for _, a := range i.Servers() {
				if linked[i] {
					break
				}
				s := server{a, i.NHRP.NetworkID}
				if byServer[s] == nil {
					byServer[s] = &[]member{}
					networks = append(networks, byServer[s])
				}
				*byServer[s] = append(*byServer[s], member{c, i})
			}
		}
	}
	seen := map[*config.Interface]bool{}
	for _, list := range networks {
		k.mixed(*list, seen)
	}
}

// mixed looks at one network; seen are tunnels that something was said of.
func (k *check) mixed(list []member, seen map[*config.Interface]bool) {
	var w why
	var bare *member
	for n, m := range list {
		if p := k.profile(m.c); p != nil && p.GRE.Key.No() && w.p == nil {
			w = why{p, p.GRE.Key.Fact}
		}
		if !m.i.Tunnel.HasKey && bare == nil {
			bare = &list[n]
		}
	}
	if w.p == nil || bare == nil {
		return
	}
	for _, m := range list {
		if m.i.Tunnel.HasKey && !seen[m.i] {
			seen[m.i] = true
			k.add(at(m.i, "tunnel key"), config.Error, refused, w, "remove `tunnel key` on all routers of the network",
				"%s has a tunnel key, and %s, in the same network, has none", m.i.Name, name(bare.c, bare.i))
		}
	}
}
