package config

import (
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// Running returns the configuration as IOS text, which parses back to an equal tree. It has the keys in clear: show
// it to nobody who may not see them (Write masks).
func (c *Config) Running() string {
	var b strings.Builder
	c.print(&printer{w: &b})
	return b.String()
}

// Masked is Running with keys and passwords as asterisks: what may be shown.
func (c *Config) Masked() string {
	var b strings.Builder
	c.print(&printer{w: &b, mask: true})
	return b.String()
}

// Write prints the configuration as IOS text, with keys and passwords as asterisks if mask is set.
func (c *Config) Write(w io.Writer, mask bool) error {
	var b strings.Builder
	c.print(&printer{w: &b, mask: mask})
	_, err := io.WriteString(w, b.String())
	return err
}

// printer writes lines with the indentation of their mode.
type printer struct {
	w     *strings.Builder
	depth int
	mask  bool
}

// line prints one command. Empty words are left out.
func (p *printer) line(words ...any) {
	p.w.WriteString(strings.Repeat(" ", p.depth))
	first := true
	for _, w := range words {
		s := p.format(w)
		if s == "" {
			continue
		}
		if !first {
			p.w.WriteByte(' ')
		}
		first = false
		p.w.WriteString(s)
	}
	p.w.WriteByte('\n')
}

// format writes a value as the grammar reads it.
func (p *printer) format(w any) string {
	switch v := w.(type) {
	case string:
		return v
	case Secret:
		if p.mask {
			return v.String()
		}
		return v.Reveal()
	case time.Duration:
		return fmt.Sprint(int64(v / time.Second))
	case netip.Addr:
		if !v.IsValid() {
			return ""
		}
		return v.String()
	case netip.Prefix: // address and mask
		if !v.IsValid() {
			return ""
		}
		return v.Addr().String() + " " + mask(v.Bits())
	}
	return fmt.Sprint(w)
}

// when prints the command if cond holds.
func (p *printer) when(cond bool, words ...any) {
	if cond {
		p.line(words...)
	}
}

// set prints the command if v is not zero, with v at its end.
func set[T comparable](p *printer, command string, v T) {
	var zero T
	if v != zero {
		p.line(command, v)
	}
}

// toggle prints a Toggle that was configured.
func (p *printer) toggle(command string, t Toggle) {
	switch t {
	case On:
		p.line(command)
	case Off:
		p.line("no " + command)
	}
}

// in prints a mode: its head, then its lines one step further in.
func (p *printer) in(head string, body func()) {
	p.line(head)
	p.depth++
	body()
	p.depth--
}

func (p *printer) bang() { p.w.WriteString("!\n") }

// opt returns the word followed by the value, nothing where the value is zero.
func opt[T comparable](p *printer, word string, v T) string {
	var zero T
	if v == zero {
		return ""
	}
	if word == "" {
		return p.format(v)
	}
	return word + " " + p.format(v)
}

// plain returns the "0" that says that the key is in clear, where the key itself could be taken for such a number.
func plain(s Secret) string {
	first, _, _ := cutWord(s.Reveal())
	if first == "0" || first == "6" || first == "7" || first == "5" || first == "8" || first == "9" {
		return "0"
	}
	return ""
}

// word returns the word if the condition holds.
func word(cond bool, word string) string {
	if cond {
		return word
	}
	return ""
}

// mask returns the network mask of a prefix length.
func mask(bits int) string {
	m := ^uint32(0) << (32 - bits)
	if bits == 0 {
		m = 0
	}
	return addr4(m).String()
}

// wildcard returns the wildcard mask of a prefix length.
func wildcard(bits int) string {
	m := ^uint32(0) >> bits
	if bits == 32 {
		m = 0
	}
	return addr4(m).String()
}

func addr4(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// print writes everything. What stands at the top comes before what opens a mode, so that no line is read in the
// mode of the block before it.
func (c *Config) print(p *printer) {
	p.bang()
	set(p, "hostname", c.Hostname)
	if c.Enable != "" {
		p.line("enable secret", or(opt(p, "", c.EnableHashed), plain(c.Enable)), c.Enable)
	}
	for _, i := range c.Ignored {
		if !opensMode(i.Text) {
			p.line(p.hide(i.Text))
		}
	}
	c.printGlobal(p)
	p.bang()
	for _, v := range c.VRFs {
		printVRF(p, v)
	}
	c.printISAKMP(p)
	c.printIKEv2(p)
	c.printPKI(p)
	c.printIPsec(p)
	for _, k := range c.KeyChains {
		p.in("key chain "+k.Name, func() { printKeys(p, k) })
		p.bang()
	}
	for _, i := range c.Interfaces {
		c.printInterface(p, i)
	}
	for _, e := range c.EIGRP {
		printEIGRP(p, e)
	}
	if c.BGP != nil {
		printBGP(p, c.BGP)
	}
	for _, r := range c.StaticRoutes {
		p.line("ip route", opt(p, "vrf", r.VRF), r.Prefix, r.Interface, r.NextHop, word(r.DHCP, "dhcp"), word(r.Global, "global"),
			opt(p, "", r.Distance), opt(p, "name", r.Name), opt(p, "tag", r.Tag), word(r.Permanent, "permanent"))
	}
	c.printFilters(p)
	for _, i := range c.Ignored {
		if opensMode(i.Text) {
			p.in(i.Text, func() {
				for _, s := range i.Sub {
					p.line(p.hide(s))
				}
			})
		}
	}
	p.bang()
	p.line("end")
}

// opensMode tells whether a command without effect opens a mode.
func opensMode(text string) bool {
	return strings.HasPrefix(text, "line ") || strings.HasPrefix(text, "control-plane") || text == "archive" || text == "redundancy"
}

var (
	// passwordText leads to what may be of several words.
	passwordText = regexp.MustCompile(`(?i)\b(password|secret)( [0-9])? +\S.*`)
	// secretWords lead to a secret of one word, with the number of a key, how it is used and how it is written in between: `authentication-key 1 md5 WORD`, `md5 key-string 7 WORD`.
	secretWords = regexp.MustCompile(`(?i)\b((?:community|key-string|key|md5|sha(?:-[0-9]+)?|authentication text)(?: +[0-9]{1,5})?(?: +(?:md5|sha|key-string|cmac-aes-128|hmac-sha(?:1|2-256|-[0-9]+)))?(?: +[0-9])?) +\S+`)
	// snmpWords are what leads to a community name, or to the key of a user's privacy.
	snmpWords = regexp.MustCompile(`(?i)\b(host +\S+(?: +(?:traps|informs|version +(?:1|2c|3 +(?:noauth|auth|priv))))*|priv +(?:des|3des|aes +[0-9]+)) +[^ *]\S*`)
)

// hide masks what looks like a password in a line that is kept as text.
func (p *printer) hide(text string) string {
	if !p.mask {
		return text
	}
	return hide(text)
}

func (c *Config) printGlobal(p *printer) {
	c.Logging.printServices(p)
	c.Logging.print(p)
	for _, h := range c.Hosts {
		p.line("ip host", h.Name, h.Addr)
	}
	set(p, "call admission limit", c.CallAdmission.Load)
	set(p, "crypto call admission limit ike sa", c.CallAdmission.SA)
	set(p, "crypto call admission limit ike in-negotiation-sa", c.CallAdmission.InNegotiation)
	set(p, "platform hardware profile", c.Platform.HardwareProfile)
	p.when(c.Platform.TunnelRecursive, "mls mpls tunnel-recursive")
	p.when(c.Platform.TunnelRecir, "mls mpls tunnel-recir")
	for _, k := range []string{"ip", "mpls", "ip-multicast", "ipv6"} {
		set(p, "mls cef maximum-routes "+k, c.Platform.MaximumRoutes[k])
	}
	f := c.Fastpath
	set(p, "fastpath workers", f.Workers)
	set(p, "fastpath poll", f.Poll)
	set(p, "fastpath cpu", cpuList(f.CPUs))
	set(p, "fastpath count", f.Count)
	set(p, "fastpath ring", f.QueueDepth)
	set(p, "fastpath hand-over", f.HandOver)
	set(p, "fastpath spread", f.Spread)
	set(p, "fastpath flows", f.Flows)
	p.when(f.BusyPoll != 0, "fastpath busy-poll", f.BusyPoll, opt(p, "budget", f.BusyBudget))
	for _, k := range c.KernelImport {
		p.line("ip route import kernel", opt(p, "vrf", k.VRF), opt(p, "distance", k.Distance))
	}
	c.printMPLS(p)
}

func (c *Config) printMPLS(p *printer) {
	m := c.MPLS
	p.when(m.Off, "no mpls ip")
	p.when(m.NoPropagateTTL, "no mpls ip propagate-ttl")
	set(p, "mpls label protocol", m.LabelProtocol)
	p.when(m.RangeMin != 0, "mpls label range", m.RangeMin, m.RangeMax)
	for _, l := range m.LabelModes {
		p.line("mpls label mode", opt(p, "vrf", l.VRF), word(l.VRF == "", "all-vrfs"), "protocol bgp-vpnv4", l.Mode)
	}
	p.when(m.LDPRouterID != "", "mpls ldp router-id", m.LDPRouterID, word(m.LDPForce, "force"))
	set(p, "mpls ldp holdtime", m.LDPHoldTime)
	set(p, "mpls ldp discovery hello holdtime", m.HelloHold)
	set(p, "mpls ldp discovery hello interval", m.HelloInterval)
	for _, w := range m.LDPPasswords {
		p.line("mpls ldp neighbor", opt(p, "vrf", w.VRF), w.Neighbor, "password", plain(w.Password), w.Password)
	}
	p.when(m.GracefulRestart, "mpls ldp graceful-restart")
}

// cpuList writes ascending numbers with ranges: 1,3-5.
func cpuList(cpus []int) string {
	var parts []string
	for i := 0; i < len(cpus); {
		j := i
		for j+1 < len(cpus) && cpus[j+1] == cpus[j]+1 {
			j++
		}
		if i == j {
			parts = append(parts, fmt.Sprint(cpus[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", cpus[i], cpus[j]))
		}
		i = j + 1
	}
	return strings.Join(parts, ",")
}

func printVRF(p *printer, v *VRF) {
	targets := func() {
		for _, rt := range v.Export {
			p.line("route-target export", rt)
		}
		for _, rt := range v.Import {
			p.line("route-target import", rt)
		}
		set(p, "import map", v.ImportMap)
		set(p, "export map", v.ExportMap)
	}
	head := "ip vrf " + v.Name
	if v.Definition {
		head = "vrf definition " + v.Name
	}
	p.in(head, func() {
		set(p, "description", v.Description)
		set(p, "rd", v.RD)
		if !v.Definition {
			targets()
			return
		}
		p.in("address-family ipv4", targets)
		p.line("exit-address-family")
	})
	p.bang()
}

func printKeys(p *printer, k *KeyChain) {
	for _, e := range k.Keys {
		p.in(fmt.Sprintf("key %d", e.ID), func() {
			p.when(e.String != "", "key-string", plain(e.String), e.String)
			set(p, "accept-lifetime", e.Accept)
			set(p, "send-lifetime", e.Send)
		})
	}
}

func (c *Config) printFilters(p *printer) {
	for _, a := range c.AccessLists {
		p.in("ip access-list "+word(a.Extended, "extended")+word(!a.Extended, "standard")+" "+a.Name, func() {
			for _, e := range a.Entries {
				printEntry(p, a.Extended, e)
			}
		})
		p.bang()
	}
	for _, l := range c.PrefixLists {
		p.when(l.Description != "", "ip prefix-list", l.Name, "description", l.Description)
		for _, e := range l.Entries {
			p.line("ip prefix-list", l.Name, "seq", e.Seq, action(e.Permit), e.Prefix.String(), opt(p, "ge", e.GE), opt(p, "le", e.LE))
		}
	}
	for _, m := range c.RouteMaps {
		for _, cl := range m.Clauses {
			p.in(fmt.Sprintf("route-map %s %s %d", m.Name, action(cl.Permit), cl.Seq), func() { printClause(p, cl) })
			p.bang()
		}
	}
}

func action(permit bool) string {
	if permit {
		return "permit"
	}
	return "deny"
}

func printEntry(p *printer, extended bool, e AccessEntry) {
	if e.Remark != "" {
		p.line(e.Seq, "remark", e.Remark)
		return
	}
	if !extended {
		p.line(e.Seq, action(e.Permit), matchText(e.Source), word(e.Log, "log"))
		return
	}
	p.line(e.Seq, action(e.Permit), e.Protocol, matchText(e.Source), portText(e.SrcPort), matchText(e.Dest), portText(e.DstPort),
		e.ICMPType, word(e.Established, "established"), word(e.Fragments, "fragments"), word(e.Log, "log"))
}

func matchText(m AddressMatch) string {
	switch {
	case !m.Addr.IsValid():
		return "any"
	case m.Wildcard.IsUnspecified():
		return "host " + m.Addr.String()
	}
	return m.Addr.String() + " " + m.Wildcard.String()
}

func portText(m PortMatch) string {
	switch m.Op {
	case "":
		return ""
	case "range":
		return fmt.Sprintf("range %d %d", m.From, m.To)
	}
	return fmt.Sprintf("%s %d", m.Op, m.From)
}

func printClause(p *printer, c *RouteMapClause) {
	list := func(head string, values []string) {
		// A list named like the beginning of the next keyword needs a line of its own.
		if len(values) > 1 && strings.HasPrefix("prefix-list", strings.ToLower(values[0])) {
			for _, v := range values {
				p.line(head, v)
			}
			return
		}
		p.when(len(values) > 0, head, strings.Join(values, " "))
	}
	set(p, "description", c.Description)
	list("match ip address", c.MatchACL)
	list("match ip address prefix-list", c.MatchPrefix)
	list("match ip next-hop", c.MatchNextHop)
	list("match ip next-hop prefix-list", c.MatchNextHopPL)
	list("match interface", c.MatchInterface)
	list("match tag", numbers(c.MatchTag))
	list("match metric", numbers(c.MatchMetric))
	switch {
	case c.Continue < 0:
		p.line("continue")
	case c.Continue > 0:
		p.line("continue", c.Continue)
	}
	set(p, "set ip next-hop", c.SetNextHop)
	p.when(c.SetNextHopPeer, "set ip next-hop peer-address")
	p.when(c.SetNextHopSelf, "set ip next-hop self")
	for _, v := range []struct {
		word  string
		value *uint32
	}{{"local-preference", c.SetLocalPref}, {"metric", c.SetMetric}, {"tag", c.SetTag}, {"weight", c.SetWeight}} {
		if v.value != nil {
			p.line("set", v.word, *v.value)
		}
	}
	p.when(len(c.SetMetricEIGRP) > 0, "set metric", joinInts(c.SetMetricEIGRP))
	p.when(len(c.SetCommunity) > 0, "set community", strings.Join(c.SetCommunity, " "), word(c.SetCommunityAdd, "additive"))
	if len(c.SetExtRT) > 0 {
		var rts []string
		for _, rt := range c.SetExtRT {
			rts = append(rts, rt.String())
		}
		p.line("set extcommunity rt", strings.Join(rts, " "), word(c.SetExtRTAdd, "additive"))
	}
	list("set as-path prepend", numbers(c.SetPrepend))
	set(p, "set origin", c.SetOrigin)
}

func numbers(list []uint32) []string {
	var out []string
	for _, n := range list {
		out = append(out, fmt.Sprint(n))
	}
	return out
}
