package hardware

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nave/ctl/config"
	"nave/hwprofiles"
)

func unsupported(r *router) bool { return r.p.DMVPN.Supported.No() }

func (k *check) supervisor(r *router) {
	f := r.p.DMVPN.Supported
	if !f.No() {
		return
	}
	for _, i := range r.dmvpn() {
		k.add(i.Pos, config.Error, refused, r.because(f.Fact), "use a Supervisor Engine 720",
			"a %s with %s can't be hub or spoke of a DMVPN, as %s makes it", r.p.Platform, r.p.Supervisor, i.Name)
	}
}

// byRouteProcessor says how fast what the hardware does not switch is forwarded.
func byRouteProcessor(p *hwprofiles.Profile) string {
	n := p.RouteProcessor.CEF
	if !n.Known {
		return "by the route processor"
	}
	guess := ""
	if !n.Found {
		guess = ", assumed"
	}
	return fmt.Sprintf("by the route processor (about %s kpps in all%s)", strconv.FormatFloat(n.Value, 'f', -1, 64), guess)
}

func (k *check) tunnelKey(r *router) {
	f := r.p.GRE.Key
	if !f.No() {
		return
	}
	for _, i := range r.c.Tunnels() {
		if !i.Tunnel.HasKey {
			continue
		}
		action, sharing := "remove `tunnel key` here and on all routers of the network", []string{i.Name}
		for _, o := range r.c.Tunnels() {
			if o != i && r.c.SameSource(&o.Tunnel, &i.Tunnel) {
				sharing = append(sharing, o.Name)
			}
		}
		if n := len(sharing) - 1; n > 0 {
			action = "give " + strings.Join(sharing[:n], ", ") + " and " + sharing[n] + " sources of their own, and " + action
		}
		k.add(at(i, "tunnel key"), config.Warning, software, r.because(f.Fact), action, "packets of %s, which has a tunnel key, are forwarded %s", i.Name,
			byRouteProcessor(r.p))
	}
}

func (k *check) uniqueSource(r *router) {
	f := r.p.GRE.UniqueSource
	if !f.IsYes() {
		return
	}
	list := r.c.Tunnels()
	for n, i := range list {
		for _, o := range list[:n] {
			if r.c.SameSource(&o.Tunnel, &i.Tunnel) && !(r.moduleGRE(i) && r.moduleGRE(o)) {
				action := "give it another `tunnel source`, such as a loopback of its own"
				if r.p.Crypto.GRE.IsYes() {
					action += "; or let the module do GRE with `crypto engine gre vpnblade`"
				}
				k.add(at(i, "tunnel source"), config.Warning, software, r.because(f.Fact), action,
					"%s shares its source with %s: the packets of both are forwarded %s", i.Name, o.Name, byRouteProcessor(r.p))
				break
			}
		}
	}
}

// moduleGRE tells whether the crypto module can do GRE and is told to for a tunnel, or for all.
func (r *router) moduleGRE(i *config.Interface) bool {
	const command = "crypto engine gre vpnblade"
	return r.p.Crypto.GRE.IsYes() && len(r.c.AsidesOf("", command))+len(r.asides(i, command)) > 0
}

// ModuleGRE names the tunnels of which the crypto module does GRE, as far as it can and is told to.
func ModuleGRE(c *config.Config, p *hwprofiles.Profile) []string {
	if p == nil {
		return nil
	}
	var out []string
	r := &router{c: c, p: p}
	for _, i := range c.Tunnels() {
		if r.moduleGRE(i) {
			out = append(out, i.Name)
		}
	}
	return out
}

func (k *check) greOptions(r *router) {
	f := r.p.GRE.Options
	if !f.No() {
		return
	}
	for _, i := range r.c.Tunnels() {
		for _, o := range []struct {
			on      bool
			command string
		}{{i.Tunnel.Checksum, "tunnel checksum"}, {i.Tunnel.Sequence, "tunnel sequence-datagrams"}} {
			if o.on {
				k.add(at(i, o.command), config.Warning, software, r.because(f.Fact), "remove `"+o.command+"` on both ends",
					"packets of %s, with `%s`, are forwarded %s", i.Name, o.command, byRouteProcessor(r.p))
			}
		}
	}
}

func (k *check) multicast(r *router) {
	f := r.p.Multicast.EncryptedGRE
	if !f.No() {
		return
	}
	routed := r.c.AsidesOf("", "ip multicast-routing")
	protected := r.tunnels(func(i *config.Interface) bool { return isDMVPN(i) && i.Tunnel.Protection.Profile != "" })
	for _, i := range protected {
		for _, a := range r.asides(i, "ip pim") {
			k.add(a.Pos, config.Warning, noEffect, r.because(f.Fact), "carry multicast outside the protected tunnels",
				"multicast that is routed into %s is dropped, as the tunnel is protected", i.Name)
		}
		toServer := slices.ContainsFunc(i.NHRP.NHS, func(s config.NHS) bool { return s.Multicast })
		if i.NHRP.MulticastDynamic || len(i.NHRP.Multicast) > 0 || toServer {
			k.add(at(i, "ip nhrp map multicast dynamic", "ip nhrp map multicast", "ip nhrp nhs"), config.Info, noEffect, r.because(f.Fact),
				"keep the line for routing protocols, and carry multicast of users outside the protected tunnels",
				"multicast of others that is to go through %s is dropped, as the tunnel is protected; this router's own hellos pass by the route processor", i.Name)
		}
	}
	if len(protected) > 0 {
		for _, a := range routed {
			k.add(a.Pos, config.Warning, noEffect, r.because(f.Fact), "carry multicast outside the protected tunnels",
				"multicast is not routed through protected tunnels, such as %s", protected[0].Name)
		}
	}
}

func (k *check) qos(r *router) {
	f := r.p.DMVPN.QoS
	if !f.No() {
		return
	}
	const action = "remove it; shape and mark on the routers before and behind this one"
	seen := map[string]bool{}
	for _, i := range r.dmvpn() {
		for _, a := range r.asides(i, "service-policy") {
			k.add(a.Pos, config.Warning, noEffect, r.because(f.Fact), action, "`%s` does nothing to the packets of %s", a.Text, i.Name)
		}
		for port := r.c.SourcePort(&i.Tunnel); port != nil && !seen[port.Name]; port = r.c.Interface(port.Parent()) {
			seen[port.Name] = true
			for _, a := range r.asides(port, "service-policy") {
				k.add(a.Pos, config.Warning, noEffect, r.because(f.Fact), action, "`%s` on %s, the source of %s, does nothing to packets of the tunnel", a.Text,
					port.Name, i.Name)
			}
		}
		if i.NHRP.Group != "" {
			k.add(at(i, "ip nhrp group"), config.Warning, noEffect, r.because(f.Fact), action, "no service policy follows from the group of %s", i.Name)
		}
		for _, a := range r.asides(i, "ip nhrp map group") {
			k.add(a.Pos, config.Warning, noEffect, r.because(f.Fact), action, "`%s` does nothing to the packets of %s", a.Text, i.Name)
		}
	}
	if list := r.dmvpn(); len(list) > 0 {
		for _, a := range r.c.AsidesOf("", "mls qos") {
			k.add(a.Pos, config.Info, noEffect, r.because(f.Fact), action, "`%s` does nothing to the packets of tunnels, such as %s", a.Text, list[0].Name)
		}
	}
}

func (k *check) adjustMSS(r *router) {
	f := r.p.MGRE.AdjustMSS
	if !f.No() {
		return
	}
	for _, i := range r.having(&tcpAdjustMSS) {
		k.add(at(i, "ip tcp adjust-mss"), config.Warning, noEffect, r.because(f.Fact), "remove it; adjust the MSS on the routers or hosts behind this one",
			"`ip tcp adjust-mss` is not supported on %s, which is multipoint", i.Name)
	}
}

func (k *check) preClassify(r *router) {
	f := r.p.MGRE.PreClassify
	if !f.No() {
		return
	}
	for _, i := range r.tunnels(isMGRE) {
		for _, a := range r.asides(i, "qos pre-classify") {
			k.add(a.Pos, config.Warning, noEffect, r.because(f.Fact), "remove it; the outer header has the inner TOS to go by",
				"`qos pre-classify` is not supported on %s, which is multipoint", i.Name)
		}
	}
}

func (k *check) tunnelVRF(r *router) {
	f := r.p.MGRE.TunnelVRF
	if !f.No() {
		return
	}
	for _, i := range r.having(&tunnelInVRF) {
		k.add(at(i, "tunnel vrf"), config.Error, refused, r.because(f.Fact), "put the source of "+i.Name+" into the global table and remove the line",
			"`tunnel vrf` is not supported on %s, which is multipoint", i.Name)
	}
}

func (k *check) pathMTU(r *router) {
	f := r.p.MGRE.PathMTU
	if !f.No() {
		return
	}
	for _, i := range r.having(&tunnelPathMTU) {
		k.add(at(i, "tunnel path-mtu-discovery"), config.Warning, noEffect, r.because(f.Fact), "remove it, and set an `ip mtu` that fits every path",
			"`tunnel path-mtu-discovery` is not supported on %s, which is multipoint", i.Name)
	}
}

func (k *check) mtu(r *router) {
	f := r.p.DMVPN.IPMTU
	if !f.Known {
		return
	}
	best := f.Int()
	set := fmt.Sprintf("set `ip mtu %d`", best)
	for _, i := range r.tunnels(isMGRE) {
		if i.Tunnel.Protection.Profile != "" && r.p.Crypto.Prefragmented.IsYes() && r.moduleGRE(i) {
			continue // the module cuts what is too long
		}
		pos := at(i, "ip mtu")
		size, known := r.c.Encapsulated(i, i.IPMTU)
		link := r.c.LinkMTU(&i.Tunnel)
		switch {
		case i.IPMTU == 0:
			k.add(pos, config.Warning, software, r.because(f.Fact), set,
				"%s has no `ip mtu`: packets that are too long once encapsulated are fragmented by the route processor", i.Name)
		case size > link:
			k.add(pos, config.Warning, software, r.because(f.Fact), set,
				"packets of `ip mtu %d` on %s are %d bytes long once encapsulated, more than the %d of the link: the route processor fragments them", i.IPMTU, i.Name, size, link)
		case !known && i.IPMTU > best:
			k.add(pos, config.Info, software, r.because(f.Fact), set,
				"whether packets of `ip mtu %d` on %s fit the link depends on an IPsec profile that is not in this file; the route processor fragments what does not", i.IPMTU, i.Name)
		case i.IPMTU < best:
			k.add(pos, config.Info, software, r.because(f.Fact), set, "packets longer than `ip mtu %d` on %s are fragmented by the route processor", i.IPMTU,
				i.Name)
		}
	}
}

func (k *check) bladeSwitchover(r *router) {
	f := r.p.DMVPN.BladeSwitchover
	list := r.dmvpn()
	if !f.No() || len(list) == 0 {
		return
	}
	for _, a := range r.c.AsidesOf("redundancy", "linecard-group") {
		k.add(a.Pos, config.Warning, noEffect, r.because(f.Fact), "use a second hub for redundancy, and name both in `ip nhrp nhs` of the spokes",
			"when a module of the group fails, no other takes the tunnels of a DMVPN over, such as %s: they come up anew", list[0].Name)
	}
}

func (k *check) phase3(r *router) {
	f := r.p.DMVPN.Phase3
	if !f.No() {
		return
	}
	for _, c := range []*command{&nhrpShortcut, &nhrpRedirect} {
		for _, i := range r.having(c) {
			k.add(at(i, c.words), config.Error, refused, r.because(f.Fact), phase2, "a %s does not have `%s`", r.p.Platform, c.words)
		}
	}
}

const phase2 = "remove it; for direct tunnels let the routing protocol keep the far spoke as next hop"

func (k *check) ipv6(r *router) {
	f := r.p.DMVPN.IPv6
	if !f.No() {
		return
	}
	for _, i := range r.dmvpn() {
		for _, a := range r.asides(i, "ipv6") {
			k.add(a.Pos, config.Error, refused, r.because(f.Fact), "remove it; IPv6 needs another way than "+i.Name, "`%s`: there is no IPv6 over DMVPN",
				strings.TrimSpace(a.Text))
		}
	}
}
