package config

import (
	"fmt"
	"strings"

	"nave/ctl/config/grammar"
)

// CodeNoProfile is the code of findings about commands that say something to a hardware profile only. Who checks with
// a profile leaves them out.
const CodeNoProfile = "no-profile"

// hardwareCommands speak to the hardware of a Catalyst 6500 or a 7600. Nothing here runs by them; a check with a
// hardware profile looks at them.
func hardwareCommands() []*spec {
	return []*spec{
		forHardware("mls mpls tunnel-recursive", "Label lookups of tunnel packets pass twice: for a PE hub whose spokes meet across MPLS",
			func(x *ctx) { x.cfg.Platform.TunnelRecursive = x.on() }).def("off"),
		forHardware("mls mpls tunnel-recir", "Recirculate tunnel packets that carry labels", func(x *ctx) {
			x.cfg.Platform.TunnelRecir = x.on()
		}).def("off"),
		forHardware("mls cef maximum-routes {ip|mpls|ip-multicast|ipv6} ~ <thousands:1-1007>", "Split of the hardware's routing table",
			setMaximumRoutes),
		aside("mls rate-limit <text:line>", "Hardware rate limiters"),
		aside("mls {netflow|flow|aging|nde|sampling|ip|acl|verify|exclude} <text:line>", "Flow accounting and checks of the hardware"),
		aside("mls cef error action ~ <text:line>", "What the hardware does on an error of its table"),
		aside("crypto engine <text:line>", "Crypto module: slots, mode, who does GRE"),
		nop("redundancy", "Redundancy of supervisors and modules").enters(func(x *ctx) { x.enterIgnored(mRedundancy) }),
	}
}

// interfaceHardwareCommands are those of an interface.
func interfaceHardwareCommands() []*spec {
	return []*spec{
		aside("crypto engine <text:line>", "Crypto module: slot, side, who does GRE"),
		aside("crypto connect vlan <text:line>", "Port of a crypto module"),
	}
}

// redundancyCommands stand under `redundancy`.
func redundancyCommands() []*spec {
	return []*spec{
		nop("mode ~ {sso|rpr|rpr-plus}", "How the second supervisor takes over"),
		nop("keepalive-enable", "Keepalives between supervisors"),
		nop("main-cpu", "Parts of the supervisor"),
		nop("auto-sync ~ <text:line>", "What is kept the same on both supervisors").many(),
		aside("linecard-group <group:0-99> feature-card", "Group of modules that stand in for each other"),
		nop("class load-sharing", "Both modules of a group work"),
		nops("subslot <slot>", "Module of a group"),
	}
}

// aside makes a command that nothing runs by and that a check with a hardware profile looks at.
func aside(syntax, help string) *spec {
	s := nops(syntax, help)
	s.Note = withoutProfile
	s.hardware = true
	return s
}

const withoutProfile = "no effect without a hardware profile"

// forHardware makes a command that changes the tree, for a hardware profile only.
func forHardware(syntax, help string, do func(x *ctx)) *spec {
	s := cmd(syntax, help, func(x *ctx) {
		if x.on() && !x.p.noted[x.spec] {
			x.p.noted[x.spec] = true
			x.report(Info, CodeNoProfile, noProfile(x.spec), "")
		}
		do(x)
	})
	s.Note = withoutProfile
	return s
}

func noProfile(s *spec) string {
	return fmt.Sprintf("`%s` has no effect without a hardware profile", grammar.Path(s.Syntax))
}

func setMaximumRoutes(x *ctx) {
	kind := x.OneOf("ip", "mpls", "ip-multicast", "ipv6")
	if !x.on() {
		delete(x.cfg.Platform.MaximumRoutes, kind)
		return
	}
	if x.cfg.Platform.MaximumRoutes == nil {
		x.cfg.Platform.MaximumRoutes = map[string]int{}
	}
	x.cfg.Platform.MaximumRoutes[kind] = x.num("thousands")
}

// Aside is a line of the text that changed nothing in the tree, because it has no effect here or is refused, and where
// it stands.
type Aside struct {
	Text string // canonical
	In   string // the line that entered its mode ("interface Tunnel0"); empty at the top level
	Pos  Pos
}

// note keeps a line that changes nothing, or forgets it where it is undone. Lines with keys in them are not kept.
func (p *parser) note(x *ctx, fr *frame) {
	if x.Raw() && !x.spec.hardware && x.spec.kind == ignored {
		return // free text of a line that nobody asks for: it may hold a password
	}
	text, list := x.Canonical, &p.cfg.Asides
	if x.op == opSet {
		put(list, Aside{text, fr.enter, x.pos}, func(o Aside) bool { return o.In == fr.enter && o.Text == text })
		return
	}
	path := grammar.Path(x.spec.Syntax)
	if x.spec.multi {
		path = text
	}
	remove(list, func(o Aside) bool { return o.In == fr.enter && sameCommand(o.Text, path) })
}

// AsidesOf lists the lines that changed nothing, begin with these words, and stand in a mode that the line enters;
// empty: at the top level.
func (c *Config) AsidesOf(in, words string) []Aside {
	var out []Aside
	for _, a := range c.Asides {
		if a.In == in && (a.Text == words || strings.HasPrefix(a.Text, words+" ")) {
			out = append(out, a)
		}
	}
	return out
}
