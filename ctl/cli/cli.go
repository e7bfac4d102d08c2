// Package cli is the command line of a router as far as it runs single commands: exec commands with the
// abbreviations of IOS, sent to the daemon through package api, and checks of configuration files.
package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"nave/ctl/api"
	"nave/ctl/config/grammar"
	"nave/ctl/show"
)

// Daemon is what commands ask of the daemon. api.Client is one.
type Daemon interface {
	Status() (*show.Status, error)
	Flows(most int) (*show.FlowCache, error)
	Query(show.Query) (*show.Answer, error)
	Clear(api.Clear) error
	Reload() error
}

// Session runs commands.
type Session struct {
	Daemon Daemon
	// What few commands need of the daemon; nil: those are refused.
	Editor    Editor
	Logs      Logs
	Debugger  Debugger
	Explainer Explainer
	Capturer  Capturer
	Pinger    Pinger

	// Shell is where the command was typed; nil: it is one from the system's shell.
	Shell Shell
	// Context ends commands that go on for a while, as ^C does; nil: nothing does.
	Context context.Context

	Out  io.Writer
	JSON bool // show commands print JSON
	// ProfileDir has hardware profiles of the user; empty: there are none.
	ProfileDir string
}

// Ctx is what ends commands that go on for a while.
func (s *Session) Ctx() context.Context {
	if s.Context == nil {
		return context.Background()
	}
	return s.Context
}

// run is what a command of the table does.
type run func(s *Session, m *grammar.Match) error

// table is every exec command.
var table = grammar.New(slices.Concat(
	commands, tableCommands, eigrpCommands, hwprofileCommands, hardwareCommands, configCommands, logCommands, debugCommands, explainCommands, captureCommands, pingCommands,
	troubleCommands, shellCommands,
), helpWords)

var commands = []*grammar.Command{
	{Syntax: "show dmvpn [interface <iface:interface>]", Help: "peers of the tunnels", Data: shows("dmvpn", show.DMVPN)},
	{Syntax: "show dmvpn [interface <iface:interface>] detail", Help: "the same, with servers and crypto sessions", Data: crypto("dmvpn detail", dmvpnDetail)},
	{Syntax: "show crypto isakmp sa [{detail|peer <peer:ip>}]", Help: "IKE SAs of version 1", Data: crypto("crypto isakmp sa", show.IsakmpSA)},
	{Syntax: "show crypto isakmp policy", Help: "proposals of IKE version 1", Data: crypto("crypto isakmp policy", plain(show.IsakmpPolicy))},
	{Syntax: "show crypto ikev2 sa [detail]", Help: "IKE SAs of version 2", Data: crypto("crypto ikev2 sa", show.Ikev2SA)},
	{Syntax: "show crypto ipsec sa [{active|peer <peer:ip>|interface <iface:interface>}] [detail]", Help: "IPsec SAs of each tunnel, with what they carried", Data: crypto("crypto ipsec sa", show.IPsecSA)},
	{Syntax: "show crypto ipsec transform-set", Help: "transform sets", Data: crypto("crypto ipsec transform-set", plain(show.TransformSets))},
	{Syntax: "show crypto map [interface <iface:interface>]", Help: "what protects each tunnel, and its peers", Data: crypto("crypto map", show.CryptoMap)},
	{Syntax: "show crypto session [{active|remote <peer:ip>|interface <iface:interface>}] [detail]", Help: "peers with their IKE SAs and protected flows", Data: crypto("crypto session", show.CryptoSession)},
	{Syntax: "show crypto call admission statistics", Help: "who was let in and who was not", Data: crypto("crypto call admission statistics", plain(show.CallAdmission))},
	{Syntax: "show crypto engine connections active", Help: "associations and their packets", Data: crypto("crypto engine connections active", plain(show.CryptoEngine))},
	{Syntax: "show ip nhrp [<iface:interface>]", Help: "the NHRP cache", Data: shows("ip nhrp", show.NHRP)},
	{Syntax: "show ip nhrp traffic [interface <iface:interface>]", Help: "NHRP packets by type", Data: shows("ip nhrp traffic", show.NHRPTraffic)},
	{Syntax: "show ip nhrp nhs [<iface:interface>]", Help: "next hop servers", Data: shows("ip nhrp nhs", show.NHS)},
	{Syntax: "show interfaces [<iface:interface>]", Help: "interfaces, their state and traffic", Data: run(showInterfaces)},
	{Syntax: "show running-config", Help: "the configuration that runs", Data: shows("running-config", whole(show.RunningConfig))},
	{Syntax: "show fastpath", Help: "workers, ports, and packets not forwarded by reason", Data: shows("fastpath", whole(show.Fastpath))},
	{Syntax: "show ports [<iface:interface>]", Help: "how packets come to the workers: queues, RSS, filter rules, zero copy", Data: shows("ports", show.Ports)},
	{Syntax: "show processes", Help: "the processes of the workers", Data: shows("processes", whole(show.Processes))},
	{Syntax: "show ip cache flow [<flows:1-1000000>]", Help: "flows that are remembered (fastpath flows), those with the most packets first", Data: run(showFlows)},
	{Syntax: "show version", Help: "version and uptime", Data: shows("version", whole(show.Version))},
	{Syntax: "clear dmvpn session [peer {nbma|tunnel} <peer:ip>] [interface <iface:interface>] [static]", Help: "take down sessions", Data: clearing(api.ClearSessions)},
	{Syntax: "clear dmvpn statistics [peer {nbma|tunnel} <peer:ip>] [interface <iface:interface>]", Help: "zero the counters of sessions", Data: clearing(api.ClearStatistics)},
	{Syntax: "clear ip nhrp [<peer:ip>]", Help: "forget dynamic entries", Data: clearing(api.ClearNHRP)},
	{Syntax: "clear crypto sa [peer <peer:ip>]", Help: "take down IPsec SAs; those in use are made again", Data: clearing(api.ClearIPsec)},
	{Syntax: "clear crypto isakmp [<sa:1-4294967295>]", Help: "take down IKE SAs of version 1, all or by conn-id", Data: clearing(api.ClearISAKMP)},
	{Syntax: "clear crypto ikev2 sa [remote <peer:ip>]", Help: "take down IKE SAs of version 2", Data: clearing(api.ClearIKEv2)},
	{Syntax: "clear crypto session [remote <peer:ip>]", Help: "take down IKE and IPsec SAs", Data: clearing(api.ClearCrypto)},
	{Syntax: "clear ip bgp {*|<neighbor:ip>|<as:asn>} [vrf <vrf>] [soft] [{in|out}]", Help: "begin sessions again, or (soft) have routes sent and looked at again", Data: run(clearBGP)},
	{Syntax: "clear mpls ldp neighbor {*|<neighbor:ip>}", Help: "begin LDP sessions again", Data: run(clearLDP)},
	{Syntax: "reload", Help: "read the configuration file again; established sessions stay", Data: run(reload)},
}

// Run runs one command, given as a user types it.
func (s *Session) Run(line string) error {
	m, bad := table.Match(line, false)
	if bad != nil {
		return explain(line, bad)
	}
	return s.Do(m)
}

// explain says what is wrong with a command, as IOS marks it, and what there is.
func explain(line string, bad *grammar.Error) error {
	understood := strings.Fields(bad.Before)
	if len(understood) == 0 { // the first word may be short for several
		first, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		for _, c := range table.Commands {
			if word, _, _ := strings.Cut(c.Syntax, " "); first != "" && strings.HasPrefix(word, first) {
				understood = []string{word}
			}
		}
	}
	var known []string
	most := 0
	for _, c := range table.Commands {
		n := alike(understood, strings.Fields(c.Syntax))
		if n > most {
			known, most = nil, n
		}
		if n == most {
			known = append(known, "  "+c.Syntax)
		}
	}
	// The line has lines of its own: whoever prints the error puts something in front of it.
	return fmt.Errorf("%w\n  %s\n  %s^\ncommands:\n%s", bad, line, strings.Repeat(" ", max(0, bad.Column-1)), strings.Join(known, "\n"))
}

// alike counts the words that two lines begin with.
func alike(a, b []string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// whole makes a show function of one that knows no interfaces.
func whole(f func(*show.Status) string) func(*show.Status, string) string {
	return func(s *show.Status, _ string) string { return f(s) }
}

// shows makes a command of a show function.
func shows(what string, text func(*show.Status, string) string) run {
	return func(s *Session, m *grammar.Match) error {
		st, err := s.Daemon.Status()
		if err != nil {
			return err
		}
		iface := m.Text("iface")
		if iface != "" && !isInterface(st, iface) {
			return show.UnknownInterface(iface)
		}
		if s.JSON {
			return s.json(st, what, iface)
		}
		_, err = io.WriteString(s.Out, text(st, iface))
		return err
	}
}

// plain makes a show function of one that takes no selection.
func plain(f func(*show.Status) string) func(*show.Status, show.Select) string {
	return func(s *show.Status, _ show.Select) string { return f(s) }
}

func dmvpnDetail(s *show.Status, sel show.Select) string { return show.DMVPNDetail(s, sel.Iface) }

// crypto makes a command of a show function that takes a selection.
func crypto(what string, text func(*show.Status, show.Select) string) run {
	return func(s *Session, m *grammar.Match) error {
		st, err := s.Daemon.Status()
		if err != nil {
			return err
		}
		sel := show.Select{Iface: m.Text("iface"), Active: m.Has("active"), Detail: m.Has("detail")}
		if m.Given("peer") {
			sel.Peer = m.IP("peer")
		}
		if sel.Iface != "" && !isInterface(st, sel.Iface) {
			return show.UnknownInterface(sel.Iface)
		}
		out := text(st, sel)
		if s.JSON {
			b, err := show.CryptoJSON(st, what, sel)
			if err != nil {
				return err
			}
			out = string(b)
		}
		_, err = io.WriteString(s.Out, out)
		return err
	}
}

func isInterface(st *show.Status, name string) bool {
	_, ok := st.Interfaces[name]
	return ok
}

func (s *Session) json(st *show.Status, what, iface string) error {
	b, err := show.JSON(st, what, iface)
	if err != nil {
		return err
	}
	_, err = s.Out.Write(b)
	return err
}

func showInterfaces(s *Session, m *grammar.Match) error {
	st, err := s.Daemon.Status()
	if err != nil {
		return err
	}
	text, ok := show.Interfaces(st, m.Text("iface"))
	if !ok {
		return show.UnknownInterface(m.Text("iface"))
	}
	if s.JSON {
		return s.json(st, "interfaces", m.Text("iface"))
	}
	_, err = io.WriteString(s.Out, text)
	return err
}

func showFlows(s *Session, m *grammar.Match) error {
	most := show.DefaultFlows
	if m.Given("flows") {
		most = int(m.Uint("flows"))
	}
	st, err := s.Daemon.Status()
	if err != nil {
		return err
	}
	c, err := s.Daemon.Flows(most)
	if err != nil {
		return err
	}
	out := []byte(show.IPCacheFlow(st, c))
	if s.JSON {
		if out, err = show.IPCacheFlowJSON(st, c); err != nil {
			return err
		}
	}
	_, err = s.Out.Write(out)
	return err
}

func clearing(what string) run {
	return func(s *Session, m *grammar.Match) error {
		c := api.Clear{What: what, Iface: m.Text("iface"), Static: m.Has("static")}
		switch {
		case !m.Given("peer"):
		case m.Has("nbma") || strings.HasPrefix(what, "crypto "):
			c.NBMA = m.IP("peer")
		default:
			c.Tunnel = m.IP("peer")
		}
		if m.Given("sa") {
			c.SA = uint32(m.Uint("sa"))
		}
		return s.Daemon.Clear(c)
	}
}

func clearBGP(s *Session, m *grammar.Match) error {
	if v := m.Text("vrf"); v != "" {
		st, err := s.Daemon.Status()
		if err != nil {
			return err
		}
		if !st.HasVRF(v) {
			return show.UnknownVRF(st, v)
		}
	}
	c := api.Clear{What: api.ClearBGP, VRF: m.Text("vrf"), Soft: m.Has("soft") || m.Has("in") || m.Has("out"), In: m.Has("in"), Out: m.Has("out")}
	if m.Given("neighbor") {
		c.Neighbour = m.IP("neighbor")
	}
	if m.Given("as") {
		c.AS = uint32(m.Uint("as"))
	}
	return s.Daemon.Clear(c)
}

func clearLDP(s *Session, m *grammar.Match) error {
	c := api.Clear{What: api.ClearLDP}
	if m.Given("neighbor") {
		c.Neighbour = m.IP("neighbor")
	}
	return s.Daemon.Clear(c)
}

func reload(s *Session, _ *grammar.Match) error { return s.Daemon.Reload() }
