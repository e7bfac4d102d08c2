package cli

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"

	"nave/ctl/config/grammar"
	"nave/ctl/debug"
	"nave/ctl/show"
)

// Debugger turns debugging on and off. api.Client is one.
type Debugger interface {
	Debugging() (debug.State, error)
	Debug(debug.Change) (debug.State, error)
}

// debugCommands turn debugging on and off, and show what is on.
var debugCommands = makeDebugCommands()

// condition is what may stand behind `condition`.
const condition = "{peer {nbma|tunnel} <peer:ip> [<mask:mask>]|interface <iface:interface>|vrf <vrf>|unmatched}"

func makeDebugCommands() []*grammar.Command {
	list := []*grammar.Command{
		{Syntax: "show debugging [condition]", Help: "what is debugged, and of whom", Data: run(showDebugging)},
		{Syntax: "undebug all", Help: "turn all debugging off", Data: run(setDebug)},
		{Syntax: "no debug all", Help: "turn all debugging off", Data: run(setDebug)},
	}
	for _, verb := range []string{"debug", "undebug", "no debug"} {
		off, help := verb != "debug", "write "
		behind := condition
		if off {
			help, behind = "stop writing ", "["+condition+"]"
		}
		add := func(syntax, what string) {
			list = append(list, &grammar.Command{Syntax: verb + " " + syntax, Help: help + what, Data: run(setDebug)})
		}
		add("nhrp [{cache|detail|error|extension|packet|rate}]", "what NHRP does: decisions and errors, or cache changes, packets, their extensions, what rate limits hold back")
		add("dmvpn {error|detail|packet|all} {all|nhrp|crypto|tunnel|socket}", "what happens to DMVPN sessions, at three levels of detail")
		add("crypto {isakmp|ikev2|ipsec} [error]", "what IKE does, or what becomes of IPsec SAs")
		add("crypto socket", "what becomes of crypto sockets")
		add("tunnel protection", "what protects the peers of tunnels")
		add("eigrp packets [terse]", "packets of EIGRP; terse: all but hellos and acknowledgements")
		what := "of this peer, tunnel or VRF only; with several conditions, of each"
		if off {
			help, what = "remove ", "a condition, or all of them"
		} else {
			help = "debug "
		}
		add("{dmvpn|nhrp} condition "+behind, what)
	}
	return list
}

var errNoDebugger = errors.New("debugging is not to be had here")

func showDebugging(s *Session, m *grammar.Match) error {
	if s.Debugger == nil {
		return errNoDebugger
	}
	state, err := s.Debugger.Debugging()
	if err != nil {
		return err
	}
	text := show.Debugging
	if m.Has("condition") {
		text = show.DebugConditions
	}
	return s.print(output{text: func() string { return text(&state) }, json: func() ([]byte, error) { return indented(state) }})
}

// indented is a value as JSON to read.
func indented(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}

// setDebug turns debugging on or off.
func setDebug(s *Session, m *grammar.Match) error {
	if s.Debugger == nil {
		return errNoDebugger
	}
	c := debugChange(m)
	if !c.Off && c.Condition != nil {
		if err := s.checkCondition(c.Condition); err != nil {
			return err
		}
	}
	after, err := s.Debugger.Debug(c)
	if err != nil {
		return err
	}
	return s.print(output{text: func() string { return show.Debugged(c, &after) }, json: func() ([]byte, error) { return indented(after) }})
}

// debugChange is what a command asks for.
func debugChange(m *grammar.Match) debug.Change {
	words := strings.Fields(m.Canonical)
	var c debug.Change
	if words[0] == "no" {
		words = words[1:]
		c.Off = true
	}
	c.Off = c.Off || words[0] == "undebug"
	words = words[1:]
	switch {
	case words[0] == "all":
		c.All = true
	case len(words) > 1 && words[1] == "condition":
		c.Family = debug.Family(words[0])
		c.Condition, c.Unmatched = conditionOf(m), m.Has("unmatched")
	case words[0] == "dmvpn":
		c.Flags = dmvpnFlags(words[1], words[2])
	default:
		c.Flags = []debug.Flag{debug.Flag(strings.Join(words, " "))}
	}
	return c
}

// dmvpnFlags are those of a level and a facility, of which either may be all.
func dmvpnFlags(level, facility string) (out []debug.Flag) {
	levels, facilities := []string{level}, []string{facility}
	if level == "all" {
		levels = debug.Levels
	}
	if facility == "all" {
		facilities = debug.Facilities
	}
	for _, f := range facilities {
		for _, l := range levels {
			out = append(out, debug.DMVPNFlag(l, f))
		}
	}
	return out
}

// conditionOf is the condition that a command names; nil: none.
func conditionOf(m *grammar.Match) *debug.Condition {
	var c debug.Condition
	switch {
	case m.Given("peer"):
		p := netip.PrefixFrom(m.IP("peer"), maskBits(m)).Masked()
		if m.Has("nbma") {
			c.NBMA = p
		} else {
			c.Tunnel = p
		}
	case m.Given("iface"):
		c.Iface = m.Text("iface")
	case m.Given("vrf"):
		c.VRF = m.Text("vrf")
	default:
		return nil
	}
	return &c
}

// maskBits is how long the mask of a command is; 32 without one.
func maskBits(m *grammar.Match) int {
	if !m.Given("mask") {
		return 32
	}
	bits := 0
	for _, b := range m.IP("mask").As4() {
		for ; b&0x80 != 0; b <<= 1 {
			bits++
		}
	}
	return bits
}

// checkCondition refuses a condition that nothing can fit.
func (s *Session) checkCondition(c *debug.Condition) error {
	if c.Iface == "" && c.VRF == "" {
		return nil
	}
	st, err := s.Daemon.Status()
	if err != nil {
		return err
	}
	if c.Iface != "" && !isInterface(st, c.Iface) {
		return show.UnknownInterface(c.Iface)
	}
	if c.VRF != "" && !st.HasVRF(c.VRF) {
		return show.UnknownVRF(st, c.VRF)
	}
	return nil
}
