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
	// Format is which generation of IOS show commands print like, where they differ.
	Format show.Form
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
	{Syntax: "show running-config", Help: "the configuration that runs", Data: shows("running-config", whole(show.RunningConfig))},
	{Syntax: "show fastpath", Help: "workers, ports, and packets not forwarded by reason", Data: shows("fastpath", whole(show.Fastpath))},
	{Syntax: "show ports [<iface:interface>]", Help: "how packets come to the workers: queues, RSS, filter rules, zero copy", Data: shows("ports", named(show.Ports))},
	{Syntax: "show ip cache flow [<flows:1-1000000>]", Help: "flows that are remembered (fastpath flows), those with the most packets first", Data: run(showFlows)},
	{Syntax: "clear crypto sa [peer <nbma:ip>]", Help: "take down IPsec SAs; those in use are made again", Data: clearing(api.ClearIPsec)},
	{Syntax: "clear crypto isakmp [<sa:1-4294967295>]", Help: "take down IKE SAs of version 1, all or by conn-id", Data: clearing(api.ClearISAKMP)},
	{Syntax: "clear crypto ikev2 sa [remote <nbma:ip>]", Help: "take down IKE SAs of version 2", Data: clearing(api.ClearIKEv2)},
	{Syntax: "clear crypto session [remote <nbma:ip>]", Help: "take down IKE and IPsec SAs", Data: clearing(api.ClearCrypto)},
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

// mostListed commands are listed where one is not understood; of more, the words that could stand there are.
const mostListed = 20

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
	if len(known) > mostListed && len(bad.Keywords) > 0 {
		words := make([]show.ShellWord, 0, len(bad.Keywords))
		for _, w := range bad.Keywords {
			words = append(words, show.ShellWord{Text: w})
		}
		return fmt.Errorf("%w\n  %s\n  %s^\nhere stands one of (`nave help %s` lists the commands):\n%s", bad, line, strings.Repeat(" ", max(0, bad.Column-1)),
			strings.Join(append(understood, "WORD"), " "), strings.TrimRight(show.ShellWords(words, 100), "\n"))
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

// whole makes a show function of one that knows no selection.
func whole(f func(*show.Status) string) func(*show.Status, show.Select) string {
	return func(s *show.Status, _ show.Select) string { return f(s) }
}

// named makes a show function of one that knows interfaces only.
func named(f func(*show.Status, string) string) func(*show.Status, show.Select) string {
	return func(s *show.Status, sel show.Select) string { return f(s, sel.Iface) }
}

// shows makes a command of a show function.
func shows(what string, text func(*show.Status, show.Select) string) run {
	return chosen(what, text, show.JSON)
}

// crypto makes a command of a show function about IKE and IPsec.
func crypto(what string, text func(*show.Status, show.Select) string) run {
	return chosen(what, text, show.CryptoJSON)
}

// chosen makes a command of a show function and its JSON, with what the command line selects.
func chosen(what string, text func(*show.Status, show.Select) string, asJSON func(*show.Status, string, show.Select) ([]byte, error)) run {
	return func(s *Session, m *grammar.Match) error {
		st, err := s.Daemon.Status()
		if err != nil {
			return err
		}
		sel, err := s.selection(st, m)
		if err != nil {
			return err
		}
		if s.JSON {
			b, err := asJSON(st, what, sel)
			if err != nil {
				return err
			}
			_, err = s.Out.Write(b)
			return err
		}
		_, err = io.WriteString(s.Out, text(st, sel))
		return err
	}
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

// clearing makes a command that clears. What it names must be there.
func clearing(what string) run {
	return func(s *Session, m *grammar.Match) error {
		c := api.Clear{What: what, Iface: m.Text("iface"), VRF: m.Text("vrf"), Static: m.Has("static")}
		if c.Iface != "" || c.VRF != "" {
			st, err := s.Daemon.Status()
			if err != nil {
				return err
			}
			if err := there(st, c.Iface, c.VRF); err != nil {
				return err
			}
		}
		if m.Given("nbma") {
			c.NBMA = m.IP("nbma")
		}
		if m.Given("inside") {
			c.Inside = m.IP("inside")
		}
		if m.Given("tunnel") {
			c.Tunnel = m.IP("tunnel")
		}
		c.Network = network(m)
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

func reload(s *Session, _ *grammar.Match) error {
	if err := s.Daemon.Reload(); err != nil || s.JSON {
		return err
	}
	_, err := io.WriteString(s.Out, show.Reread())
	return err
}
