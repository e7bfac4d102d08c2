package gateway

import (
	"cmp"
	"slices"
	"strconv"

	"nave/ctl/config"
	"nave/slowpath/bgp"
)

// maxBGPPassword is the length of the longest key that the kernel takes for TCP MD5 signatures.
const maxBGPPassword = 80

// neighbour is a neighbour with what its peer group says; ok is false where there is none to have.
func (x *bgpTranslation) neighbour(vrf string, all []*config.BGPNeighbor, families []*config.BGPFamily, n *config.BGPNeighbor) (out bgp.Neighbour, ok bool) {
	if !n.Addr.IsValid() {
		return out, false // a peer group
	}
	who := "neighbor " + n.Addr.String()
	if vrf != "" {
		who = "address-family ipv4 vrf " + vrf + ": " + who
	}
	g := &config.BGPNeighbor{}
	if n.PeerGroup != "" {
		k := slices.IndexFunc(all, func(o *config.BGPNeighbor) bool { return o.Group == n.PeerGroup && !o.Addr.IsValid() })
		if k < 0 {
			x.wrong(who, "peer group "+n.PeerGroup+" is not defined: the neighbour is left out")
			return out, false
		}
		g = all[k]
	}
	out = bgp.Neighbour{
		Address: n.Addr, RemoteAS: cmp.Or(n.RemoteAS, g.RemoteAS), Description: cmp.Or(n.Description, g.Description),
		Password: bgp.Secret(n.Password.Reveal()), Shutdown: n.Shutdown || g.Shutdown,
	}
	if out.Password == "" {
		out.Password = bgp.Secret(g.Password.Reveal())
	}
	out.Keepalive, out.Hold = x.timers(who, n.Timers, g.Timers)
	external := out.RemoteAS != x.b.AS
	if hops := cmp.Or(n.MultiHop, g.MultiHop); external {
		out.MultihopTTL = uint8(min(hops, 255))
	}
	switch {
	case out.RemoteAS == 0:
		x.wrong(who, "it has no AS and is left out: say `neighbor "+n.Addr.String()+" remote-as NUMBER`")
		return out, false
	case !n.Addr.Is4() || n.Addr.IsUnspecified() || n.Addr.IsMulticast():
		x.wrong(who, "it is no address of a router, and is left out")
		return out, false
	case len(out.Password) > maxBGPPassword:
		x.wrong(who+" password", "it is longer than the "+strconv.Itoa(maxBGPPassword)+" bytes that TCP MD5 takes: the session stays down")
		out.Password, out.Shutdown = "", true
	}
	x.source(who, vrf, &out, cmp.Or(n.UpdateSource, g.UpdateSource))
	if as := cmp.Or(n.LocalAS, g.LocalAS); as != 0 && as != x.b.AS {
		x.wrong(who+" local-as", notYet+": the session stays down, as the neighbour expects another AS")
		out.Shutdown = true
	}
	if n.BFD || g.BFD {
		x.wrong(who+" fall-over bfd", notYet+": the hold time finds out that the neighbour is gone")
	}
	for _, f := range families {
		x.activation(who, f, n, g, &out)
	}
	return out, true
}

// source is the address that the session comes from. Without it the session stays down: from another address the neighbour would refuse it, or take it for somebody else's.
func (x *bgpTranslation) source(who, vrf string, out *bgp.Neighbour, name string) {
	if name == "" {
		return
	}
	line := who + " update-source " + name
	i := x.find(name)
	switch {
	case i == nil:
		x.wrong(line, "there is no such interface: the session stays down")
	case i.VRF != vrf:
		x.wrong(line, "it is in "+table(i.VRF)+", and the session in "+table(vrf)+": the session stays down")
	case misplaced(x.tree, i) != "" || len(x.addresses(i)) == 0:
		x.wrong(line, "it has no address now: the session stays down")
	default:
		out.UpdateSource = x.addresses(i)[0].Addr()
		return
	}
	out.Shutdown = true
}

// activation is what one family says of a neighbour.
func (x *bgpTranslation) activation(who string, f *config.BGPFamily, n, g *config.BGPNeighbor, out *bgp.Neighbour) {
	p, on := policyOf(f, n.ID()), config.Unset
	if on = p.Activate; g.Group != "" {
		gp := policyOf(f, g.Group)
		if on == config.Unset {
			on = gp.Activate
		}
		p = joined(p, gp)
	}
	if !on.Or(f.Family == "ipv4" && x.b.DefaultIPv4.Or(true)) {
		return
	}
	a := bgp.Activation{
		Family: map[string]bgp.Family{"ipv4": bgp.IPv4Unicast, "vpnv4": bgp.VPNv4, "vpnv6": bgp.VPNv6}[f.Family], NextHopSelf: p.NextHopSelf,
		SendCommunity: p.SendStandard, SendExtended: p.SendExtended,
	}
	if p.MaximumPrefix > 0 && !p.MaximumPrefixWarningOnly {
		a.MaxPrefixes = uint32(p.MaximumPrefix)
	}
	external := out.RemoteAS != x.b.AS
	if p.ReflectorClient && external {
		x.wrong(who+" route-reflector-client", "a client is in our own AS: it has no effect")
	} else if p.ReflectorClient {
		out.Client = true
	}
	out.AllowOwn = max(out.AllowOwn, uint8(p.AllowASIn))
	line := who
	if f.VRF == "" && f.Family != "ipv4" {
		line = "address-family " + f.Family + ": " + who
	}
	x.unsaid(line, p)
	self := p.RouteMapOut != "" && x.nextHopSelf(p.RouteMapOut)
	a.NextHopSelf = a.NextHopSelf || self
	a.In = x.filter(p.RouteMapIn, p.PrefixListIn, p.DistributeIn, false, line)
	a.Out = x.filter(p.RouteMapOut, p.PrefixListOut, p.DistributeOut, self, line)
	out.Families = append(out.Families, a)
}

// unsaid names what is asked for a neighbour and not carried out.
func (x *bgpTranslation) unsaid(line string, p config.BGPPolicy) {
	for _, c := range []struct {
		is       bool
		what, so string
	}{
		{p.NextHopUnchanged, "next-hop-unchanged", "an external neighbour is sent this router's own address as next hop"},
		{p.DefaultOriginate, "default-originate", "say `network 0.0.0.0`, which announces to all neighbours, with a route-map for those that are not to have it"},
		{p.MaximumPrefix > 0 && p.MaximumPrefixWarningOnly, "maximum-prefix warning-only", "there is no warning, and no limit"},
		{p.AsOverride, "as-override", "routes that have the neighbour's AS in their path are refused there, unless it says `allowas-in`"},
		{p.SiteOfOrigin != (config.RD{}), "soo", "routes carry no site of origin"},
		{p.RemovePrivateAS, "remove-private-as", "private AS numbers stay in the path"},
		{p.Weight != 0, "weight", "say `set local-preference` in a route-map"},
	} {
		if c.is {
			x.wrong(line+" "+c.what, notYet+": "+c.so)
		}
	}
}

// policyOf is what a family says of a neighbour or group; nothing is the zero value.
func policyOf(f *config.BGPFamily, id string) config.BGPPolicy {
	for _, p := range f.Policies {
		if p.Neighbor == id {
			return *p
		}
	}
	return config.BGPPolicy{}
}

// joined is what a neighbour's own lines and those of its group come to: its own go before.
func joined(p, g config.BGPPolicy) config.BGPPolicy {
	p.SendStandard, p.SendExtended = p.SendStandard || g.SendStandard, p.SendExtended || g.SendExtended
	p.ReflectorClient = p.ReflectorClient || g.ReflectorClient
	p.NextHopSelf, p.NextHopUnchanged = p.NextHopSelf || g.NextHopSelf, p.NextHopUnchanged || g.NextHopUnchanged
	p.RouteMapIn, p.RouteMapOut = cmp.Or(p.RouteMapIn, g.RouteMapIn), cmp.Or(p.RouteMapOut, g.RouteMapOut)
	p.PrefixListIn, p.PrefixListOut = cmp.Or(p.PrefixListIn, g.PrefixListIn), cmp.Or(p.PrefixListOut, g.PrefixListOut)
	p.DistributeIn, p.DistributeOut = cmp.Or(p.DistributeIn, g.DistributeIn), cmp.Or(p.DistributeOut, g.DistributeOut)
	p.DefaultOriginate = p.DefaultOriginate || g.DefaultOriginate
	if p.MaximumPrefix == 0 {
		p.MaximumPrefix, p.MaximumPrefixWarningOnly = g.MaximumPrefix, g.MaximumPrefixWarningOnly
	}
	p.AllowASIn, p.Weight = cmp.Or(p.AllowASIn, g.AllowASIn), cmp.Or(p.Weight, g.Weight)
	p.AsOverride, p.RemovePrivateAS = p.AsOverride || g.AsOverride, p.RemovePrivateAS || g.RemovePrivateAS
	p.SiteOfOrigin = cmp.Or(p.SiteOfOrigin, g.SiteOfOrigin)
	return p
}
