package config

import "strings"

// ignoredCommands are global commands that are understood and change nothing here, and those that are refused.
func ignoredCommands() []*spec {
	return join(softwareCommands(), serviceCommands(), refusedCommands(), []*spec{
		nop("line console <line:0-0>", "Console line").enters(enterLine),
		nop("line con <line:0-0>", "Console line").enters(enterLine),
		nop("line aux <line:0-0>", "Auxiliary line").enters(enterLine),
		nops("line vty <first:0-1510> [<last:0-1510>]", "Terminal lines").enters(enterLine),
		nop("control-plane ~ [host]", "Control plane").enters(func(x *ctx) { x.enterIgnored(mControlPlane) }),
		nops("banner {motd|login|exec|incoming} ~ <text:line>", "Text at login").enters(skipBanner),
	})
}

// enterIgnored enters a mode without effect; its lines are kept with the command.
func (x *ctx) enterIgnored(m modeID) {
	x.push(m, nil, nil).sink = &x.cfg.Ignored[x.ignoredAt].Sub
}

func enterLine(x *ctx) { x.enterIgnored(mLine) }

// skipBanner leaves out the text of a banner up to its delimiter, which is the text's first character (^C counts as
// one). Banners are not kept.
func skipBanner(x *ctx) {
	text := x.Text("text")
	x.cfg.Ignored = append(x.cfg.Ignored[:x.ignoredAt:x.ignoredAt], x.cfg.Ignored[x.ignoredAt+1:]...)
	n := 1
	if text[0] == '^' && len(text) > 1 {
		n = 2
	}
	for n < len(text) && text[n]&0xC0 == 0x80 { // the rest of a character in UTF-8
		n++
	}
	if !strings.Contains(text[n:], text[:n]) {
		x.p.until = text[:n]
	}
}

// softwareCommands describe the router's own software and hardware.
func softwareCommands() []*spec {
	return []*spec{
		nop("version ~ <version>", "Software release"),
		nop("boot-start-marker", "Begin of the boot commands"),
		nop("boot-end-marker", "End of the boot commands"),
		nops("boot system <text:line>", "Image to boot"),
		nop("resource policy", "Resource policy"),
		nop("memory-size iomem ~ <percent:1-100>", "Memory for packets"),
		nop("ip cef ~ [distributed]", "Express forwarding; nave always forwards from its FIB"),
		nop("ip subnet-zero", "Subnet zero; always allowed"),
		nop("ip classless", "Classless routing; always on"),
		nop("ip source-route", "Source routing; never done"),
		nop("ip routing", "Routing; always on"),
		nop("ip multicast-routing ~ [distributed]", "Multicast routing; tunnels replicate multicast without it"),
		nop("ip forward-protocol ~ <text:line>", "Forwarding of broadcasts"),
		nop("ip bgp-community new-format", "Form of communities; always AS:number"),
		nop("ip domain lookup", "Name lookups"),
		nop("ip domain-lookup", "Name lookups"),
		nop("ip domain name ~ <name>", "Domain of this router"),
		nop("ip domain-name ~ <name>", "Domain of this router"),
		nops("ip name-server <servers:ip>...", "Name servers"),
		nop("clock timezone ~ <zone> <hours> [<minutes:0-59>]", "Time zone"),
		nop("clock summer-time ~ <text:line>", "Summer time"),
		nop("call admission load ~ <multiplier:1-1000> <time:1-60>", "Weight of new calls"),
		nop("multilink bundle-name ~ <text:line>", "Multilink"),
		nop("mmi {polling-interval|auto-configure|pvc|snmp-timeout} ~ [<value:0-65535>]", "Modem management"),
		nop("crypto isakmp invalid-spi", "Reaction to an unknown SPI"),
		nop("crypto isakmp default policy", "Policies that are there without being configured; nave has none"),
		nop("crypto ipsec default transform-set", "Transform set that is there without being configured; nave has none"),
		nop("crypto isakmp xauth timeout ~ <seconds:5-90>", "Extended authentication"),
		nop("crypto isakmp diagnose error ~ [<count:1-65535>]", "Diagnosis of errors"),
		nop("crypto logging {session|ikev2|ezvpn}", "Messages about sessions; nave logs them anyway"),
	}
}

// serviceCommands are about access to the router and services on it.
func serviceCommands() []*spec {
	return []*spec{
		nop("aaa new-model", "Access control by AAA"),
		nops("aaa {authentication|authorization|accounting} <text:line>", "Access control by AAA"),
		nop("aaa session-id ~ {common|unique}", "Access control by AAA"),
		nops("username <text:line>", "Users of the router's command line"),
		nop("service password-encryption", "Hide passwords in the configuration"),
		nop("service {tcp-keepalives-in|tcp-keepalives-out|pad|dhcp|compress-config|config}", "Small services").many(),
		nop("ip http server", "Web server"),
		nop("ip http secure-server", "Web server"),
		nop("ip http {authentication|access-class|timeout-policy|max-connections} ~ <text:line>", "Web server").many(),
		nop("ip ssh <text:line>", "SSH server").many(),
		nop("ip scp server enable", "SCP server"),
		nops("ntp {server|peer} <text:line>", "Time servers; the host keeps the time"),
		nop("ntp source ~ <interface:interface>", "Address of time requests"),
		nops("snmp-server <text:line>", "SNMP"),
		nop("cdp run", "CDP"),
		nop("archive", "Archive of configurations").enters(swallow),
		nop("scheduler <text:line>", "Scheduler"),
		nop("spanning-tree <text:line>", "Bridging").many(),
	}
}

// many marks an ignored command that may stand several times.
func (s *spec) many() *spec {
	s.multi = true
	return s
}

func refusedCommands() []*spec {
	const noQoS = "nave has no quality of service"
	return []*spec{
		not("ip nat <text:line>", "Address translation", "nave does not translate addresses",
			"translate on another box; DMVPN peers behind it work by NAT traversal"),
		not("policy-map <text:line>", "Quality of service", noQoS, "shape before or behind this router").enters(swallow),
		not("class-map <text:line>", "Quality of service", noQoS, "shape before or behind this router").enters(swallow),
		not("mls qos [<text:line>]", "Quality of service", noQoS, "remove the line"),
		not("ipv6 <text:line>", "IPv6", "nave forwards IPv4 only", "remove the line"),
		not("ip pim <text:line>", "Multicast routing", "nave has no multicast routing", "tunnels replicate multicast by `ip nhrp map multicast`"),
		not("ip sla <text:line>", "Probes", "nave does not probe", "remove the line").enters(swallow),
		not("track <text:line>", "Tracked objects", "nave does not track objects", "remove the line").enters(swallow),
		not("ip dhcp <text:line>", "DHCP server", "nave serves no addresses", "run a DHCP server of the host").enters(swallow),
	}
}

// interfaceIgnoredCommands are those of an interface.
func interfaceIgnoredCommands() []*spec {
	return []*spec{
		nop("ip route-cache ~ [{cef|flow|same-interface|policy|distributed}]", "Route cache").many(),
		nop("ip mroute-cache", "Multicast route cache"),
		nop("ip proxy-arp", "Proxy ARP; never done"),
		nop("ip virtual-reassembly ~ [<text:line>]", "Reassembly"),
		nop("ip directed-broadcast", "Directed broadcasts; never forwarded"),
		nop("ip flow {ingress|egress}", "NetFlow").many(),
		nop("ip mask-reply", "ICMP mask replies"),
		nop("duplex ~ {auto|full|half}", "Duplex; ethtool sets it"),
		nop("speed ~ {auto|10|100|1000}", "Speed; ethtool sets it"),
		nop("media-type ~ <media>", "Media type"),
		nop("negotiation ~ auto", "Autonegotiation"),
		nop("load-interval ~ <seconds:30-600>", "Interval of load figures"),
		nop("cdp enable", "CDP"),
		nop("mop enabled", "MOP"),
		nop("mop sysid", "MOP"),
		nop("arp timeout ~ <seconds:0-2147483>", "Age of ARP entries; the kernel decides"),
		nop("hold-queue <packets:0-4096> ~ {in|out}", "Queue lengths").many(),
		nop("snmp trap link-status", "SNMP traps"),
		nop("logging event <text:line>", "Messages about the link").many(),
		nop("carrier-delay ~ <text:line>", "Delay of link changes"),
		nop("switchport", "Bridging"),
	}
}

func lineCommands() []*spec {
	return []*spec{
		nop("logging synchronous ~ [<text:line>]", "Order of messages"),
		nop("login ~ [{local|authentication <list>}]", "Password at login"),
		nop("password ~ <text:line>", "Password"),
		nop("exec-timeout ~ <minutes:0-35791> [<seconds:0-2147483>]", "Idle time"),
		nop("transport {input|output|preferred} ~ <text:line>", "Protocols").many(),
		nop("privilege level ~ <level:0-15>", "Privilege"),
		nop("access-class <acl> {in|out} [vrf-also]", "Who may log in").many(),
		nop("length ~ <lines:0-512>", "Lines of a page"),
		nop("width ~ <columns:0-512>", "Columns"),
		nop("history size ~ <lines:0-256>", "Lines of history"),
		nop("stopbits ~ {1|1.5|2}", "Serial line"),
		nop("speed ~ <bps:50-115200>", "Serial line"),
		nop("exec", "Command line"),
		nop("authorization <text:line>", "Access control"),
		nop("session-timeout ~ <minutes:0-35791>", "Idle time"),
	}
}

func controlPlaneCommands() []*spec {
	return []*spec{
		not("service-policy <text:line>", "Quality of service", "nave has no quality of service", "punted packets are limited by reason already"),
	}
}
