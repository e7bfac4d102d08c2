package config

import (
	"net/netip"
	"time"
)

// tunnelOnly wraps a command that only a tunnel interface has.
func tunnelOnly(syntax, help string, do func(x *ctx, t *Tunnel)) *spec {
	return cmd(syntax, help, func(x *ctx) {
		if !x.ifc().IsTunnel() {
			x.report(Error, "not-tunnel", "`tunnel` commands belong on a tunnel interface, not on "+x.ifc().Name, "move the line under `interface Tunnel0`")
			return
		}
		do(x, &x.ifc().Tunnel)
	})
}

// tunnelCommands are the `tunnel ...` commands.
func tunnelCommands() []*spec {
	return []*spec{
		tunnelOnly("tunnel source ~ {<address:ip>|<interface:interface>}", "Source of the encapsulated packets", func(x *ctx, t *Tunnel) {
			t.SourceAddr, t.SourceInterface = x.addr("address"), x.str("interface")
		}),
		tunnelOnly("tunnel destination ~ {<address:ip>|<hostname:name>}", "Far end of a point-to-point tunnel", func(x *ctx, t *Tunnel) {
			t.Destination, t.DestinationHost = x.addr("address"), x.str("hostname")
		}),
		tunnelOnly("tunnel mode gre ~ {ip|multipoint}", "Encapsulation", func(x *ctx, t *Tunnel) {
			t.Mode, t.ModeSet = GREPointToPoint, x.on()
			if x.has("multipoint") {
				t.Mode = GREMultipoint
			}
		}).def("gre ip"),
		not("tunnel mode {ipsec|ipip|ipv6ip|mpls} [<text:line>]", "Other encapsulations", "nave has GRE over IPv4 only",
			"use `tunnel mode gre ip` or `tunnel mode gre multipoint`"),
		not("tunnel mode gre ipv6", "GRE over IPv6", "nave has GRE over IPv4 only", "use `tunnel mode gre ip` or `tunnel mode gre multipoint`"),
		tunnelOnly("tunnel key ~ <key:0-4294967295>", "Number that tells the tunnels of one source apart; the same on all nodes",
			func(x *ctx, t *Tunnel) { t.Key, t.HasKey = uint32(x.num("key")), x.on() }).def("none"),
		tunnelOnly("tunnel vrf ~ <vrf>", "VRF that the encapsulated packets are routed in", func(x *ctx, t *Tunnel) { t.VRF = x.str("vrf") }),
		tunnelOnly("tunnel protection ipsec profile ~ <profile> [{shared|isakmp-profile <isakmpprofile>|ikev2-profile <ikev2profile>}...]",
			"Encrypt by this IPsec profile", func(x *ctx, t *Tunnel) {
				t.Protection = Protection{Profile: x.str("profile"), Shared: x.has("shared"),
					ISAKMPProfile: x.str("isakmpprofile"), IKEv2Profile: x.str("ikev2profile")}
			}).def("packets leave in clear"),
		tunnelOnly("tunnel path-mtu-discovery ~ [{age-timer {<minutes:10-30>|infinite}|min-mtu <bytes:92-65535>}...]",
			"Copy DF to the outer header and follow ICMP", setPathMTU).def("off"),
		tunnelOnly("tunnel tos ~ <tos:0-255>", "TOS of the outer header", func(x *ctx, t *Tunnel) {
			t.TOS, t.HasTOS = x.num("tos"), x.on()
		}).def("the inner packet's"),
		tunnelOnly("tunnel ttl ~ <ttl:1-255>", "TTL of the outer header", func(x *ctx, t *Tunnel) { t.TTL = x.num("ttl") }).def("255"),
		tunnelOnly("tunnel checksum", "Send GRE checksums", func(x *ctx, t *Tunnel) { t.Checksum = x.on() }).def("off"),
		tunnelOnly("tunnel sequence-datagrams", "Send GRE sequence numbers", func(x *ctx, t *Tunnel) { t.Sequence = x.on() }).def("off"),
		tunnelOnly("tunnel bandwidth transmit ~ <kbps:1-100000000>", "Bandwidth told to routing protocols", func(x *ctx, t *Tunnel) {
			t.BandwidthTx = x.num("kbps")
		}),
		tunnelOnly("tunnel bandwidth receive ~ <kbps:1-100000000>", "Bandwidth told to routing protocols", func(x *ctx, t *Tunnel) {
			t.BandwidthRx = x.num("kbps")
		}),
		cmd("keepalive ~ [<period:0-32767>] [<retries:2-255>]", "Keepalives; not on a multipoint tunnel", setKeepalive),
	}
}

func setPathMTU(x *ctx, t *Tunnel) {
	t.PathMTU, t.PathMTUInfinite, t.PathMTUMin = x.on(), x.has("infinite"), x.num("bytes")
	t.PathMTUAge = time.Duration(x.num("minutes")) * time.Minute
}

// setKeepalive notes keepalives on a tunnel and ignores them elsewhere. What is wrong with them depends on the tunnel's mode, which may stand on a later line.
func setKeepalive(x *ctx) {
	i := x.ifc()
	if !i.IsTunnel() {
		return
	}
	delete(x.p.keepalives, i)
	if x.on() && !(x.Given("period") && x.Uint("period") == 0) {
		x.p.keepalives[i] = x.pos
	}
}

// judgeKeepalives says what is wrong with keepalives on tunnels: a multipoint tunnel has nobody to send them to; elsewhere they are not sent, and the tunnel is up without.
func (p *parser) judgeKeepalives() {
	for _, i := range p.cfg.Interfaces {
		pos, ok := p.keepalives[i]
		switch {
		case !ok:
		case i.Tunnel.Mode == GREMultipoint:
			p.report(pos, Error, "keepalive-tunnel", "GRE keepalives do not work on a DMVPN tunnel",
				"remove `keepalive`; NHRP registrations and IKE dead peer detection watch the peers")
		default:
			p.report(pos, Warning, "keepalive-tunnel", "`keepalive` has no effect on "+i.Name+": nave sends none, and the tunnel is up while its source is",
				"remove it; NHRP registrations, IKE dead peer detection and routing protocols watch the peer")
		}
	}
}

// nhrpCommands are the `ip nhrp ...` commands.
func nhrpCommands() []*spec {
	n := func(syntax, help string, do func(x *ctx, n *NHRP)) *spec {
		return cmd("ip nhrp "+syntax, help, func(x *ctx) { do(x, &x.ifc().NHRP) })
	}
	return []*spec{
		n("network-id ~ <id:1-4294967295>", "Turn NHRP on; tunnels of one number are one network", func(x *ctx, n *NHRP) {
			n.NetworkID = uint32(x.num("id"))
		}).def("off"),
		n("authentication ~ <string:secret>", "Shared string, at most 8 characters, in clear on the wire", func(x *ctx, n *NHRP) {
			n.Authentication = x.secret("string")
		}),
		n("holdtime ~ <seconds:1-65535>", "How long others may keep our address", func(x *ctx, n *NHRP) { n.HoldTime = x.dur("seconds") }).def("7200"),
		n("registration timeout ~ <seconds:1-65535>", "Time between registrations", func(x *ctx, n *NHRP) {
			n.RegistrationTimeout = x.dur("seconds")
		}).def("a third of the hold time"),
		n("registration no-unique", "Let another NBMA address take over our registration", func(x *ctx, n *NHRP) { n.NoUnique = x.on() }).def("unique"),
		n("map <protocol:ip> [<mask:mask>] ~ <nbma:ip>", "NBMA address of a tunnel address", setNHRPMap),
		n("map multicast dynamic", "Send multicast to all that registered", func(x *ctx, n *NHRP) { n.MulticastDynamic = x.on() }).def("off"),
		n("map multicast <nbma:ip>", "Send multicast to this NBMA address", func(x *ctx, n *NHRP) {
			update(x, &n.Multicast, x.IP("nbma"), equals(x.IP("nbma")))
		}),
		n("nhs {<nhs:ip>|dynamic} ~ [{nbma {<nbma:ip>|<nbmahost:name>} [multicast]|priority <priority:0-255>|cluster <cluster:0-10>}...]",
			"Next hop server to register with", setNHS),
		n("nhs <nhs:ip> <net:ip> <netmask:mask>", "Next hop server for one network", setNHS),
		n("nhs cluster <cluster:0-10> max-connections ~ <connections:0-255>", "How many servers of a cluster are used at a time",
			func(x *ctx, n *NHRP) {
				c := uint8(x.Uint("cluster"))
				update(x, &n.NHSClusters, NHSCluster{c, uint8(x.Uint("connections"))}, func(o NHSCluster) bool { return o.Cluster == c })
			}),
		n("nhs fallback ~ <seconds:0-60>", "Time a better server must be up before it is used again", func(x *ctx, n *NHRP) {
			n.NHSFallback = x.dur("seconds")
		}).def("0, at once"),
		n("server-only ~ [non-caching]", "Answer requests, send none", func(x *ctx, n *NHRP) {
			n.ServerOnly, n.ServerOnlyNonCaching = x.on(), x.has("non-caching")
		}).def("off"),
		n("shortcut", "Follow redirects with direct tunnels", func(x *ctx, n *NHRP) { n.Shortcut = x.on() }).def("off"),
		n("redirect ~ [timeout <seconds:2-30>]", "Tell spokes of the direct way", func(x *ctx, n *NHRP) {
			n.Redirect, n.RedirectTimeout = x.on(), x.dur("seconds")
		}).def("off; timeout 8"),
		n("max-send ~ <packets:1-65535> every <seconds:1-65535>", "Limit of NHRP packets sent", func(x *ctx, n *NHRP) {
			n.MaxSend, n.MaxSendInterval = x.num("packets"), x.dur("seconds")
		}).def("100 every 10"),
		n("nat simultaneous-open", "Open paths between spokes behind NAT on both sides; on hub and spokes", func(x *ctx, n *NHRP) {
			n.SimultaneousOpen = x.on()
		}).def("off").nave(),
		n("group ~ <group>", "Group name told to the hub", func(x *ctx, n *NHRP) { n.Group = x.str("group") }),
		n("max-entries ~ <entries:1-1000000>", "Most cache entries of the interface; more are refused", func(x *ctx, n *NHRP) {
			n.MaxEntries = x.num("entries")
		}).nave(),
		n("idle-timeout ~ <seconds:10-86400>", "Remove a dynamic entry that no traffic used for so long", func(x *ctx, n *NHRP) {
			n.IdleTimeout = x.dur("seconds")
		}).def("the hold time").nave(),
		not("ip nhrp map group <text:line>", "Service policy of a group", "nave has no quality of service", "remove the line"),
		nop("ip nhrp record", "Record the route of requests"),
		nop("ip nhrp use ~ <count:1-65535>", "Packets before a request is sent"),
		nop("ip nhrp responder ~ <interface:interface>", "Interface whose address answers carry"),
		nop("if-state nhrp", "Follow the state of the next hop servers"),
	}
}

func setNHRPMap(x *ctx, n *NHRP) {
	bits := 32
	if m := x.Text("mask"); m != "" {
		p, ok := x.network("protocol", "mask")
		if !ok {
			return
		}
		bits = p.Bits()
	}
	p := netip.PrefixFrom(x.IP("protocol"), bits)
	if x.on() && !usable(x.IP("nbma")) {
		x.bad("give the public address of the peer", "%s can't be an NBMA address", x.IP("nbma"))
		return
	}
	update(x, &n.Maps, NHRPMap{p, x.IP("nbma")}, func(m NHRPMap) bool { return m.Protocol == p })
}

func setNHS(x *ctx, n *NHRP) {
	s := NHS{Addr: x.IP("nhs"), Dynamic: x.Has("dynamic"), NBMA: x.IP("nbma"), NBMAHost: x.Text("nbmahost"),
		Multicast: x.Has("multicast"), Priority: uint8(x.Uint("priority")), Cluster: uint8(x.Uint("cluster"))}
	if x.Given("net") {
		p, ok := x.network("net", "netmask")
		if !ok {
			return
		}
		s.Net = p
	}
	bare := !s.NBMA.IsValid() && s.NBMAHost == ""
	if s.Dynamic && bare && x.on() {
		x.bad("add `nbma ADDRESS`", "`dynamic` needs the server's NBMA address")
		return
	}
	same := func(o NHS) bool {
		return o.Addr == s.Addr && o.Dynamic == s.Dynamic && o.NBMA == s.NBMA && o.NBMAHost == s.NBMAHost && o.Net == s.Net
	}
	if !x.on() && bare && !s.Net.IsValid() { // the address alone takes all forms of it away
		same = func(o NHS) bool { return o.Addr == s.Addr && o.Dynamic == s.Dynamic }
	}
	update(x, &n.NHS, s, same)
}
