package show

import (
	"fmt"
	"strings"

	"nave/ctl/debug"
	"nave/slowpath"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
)

// Trace is what debugging writes of something that a protocol did, line by line and without line ends; none where
// nothing is to be said. No line has a secret or a control character in it, whatever a peer sends.
func Trace(t *slowpath.Traced) []string {
	var b traceLines
	switch e := t.Event.(type) {
	case nhrp.Received:
		b.nhrpPacket(t, "Receive", e.From, e.Payload)
	case nhrp.Send:
		b.nhrpPacket(t, "Send", e.To, e.Payload)
	case nhrp.Trace:
		b.nhrp(t, &e)
	case nhrp.Log:
		b.nhrpLog(&e)
	case ike.Trace:
		b.ike(t, &e)
	case ike.Log:
		b.ikeLog(&e)
	case slowpath.ChildTrace:
		b.child(t, &e)
	case slowpath.EIGRPTrace:
		b.eigrp(&e)
	case dmvpn.Secure, dmvpn.Unsecure, dmvpn.ToIKE:
		b.session(t, e)
	case dmvpn.Log:
		b.sessionLog(&e)
	}
	return b
}

// traceLines are lines that are being written.
type traceLines []string

func (b *traceLines) add(format string, args ...any) {
	*b = append(*b, oneLine(fmt.Sprintf(format, args...)))
}

// oneLine takes everything out of s that could be taken for more than a line, or steer a terminal.
func oneLine(s string) string {
	if len(s) > maxReason {
		s = s[:maxReason] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufffd' {
			return '?'
		}
		return r
	}, s)
}

// DebugLeftOut says how much was not written.
func DebugLeftOut(n uint64) string {
	return fmt.Sprintf("debugging: %d more were left out, as they came too fast (conditions make it less)", n)
}

// vrfText is a VRF as debugging names it: 0 is the global table.
func vrfText(name string) string {
	if name == "" {
		return "0"
	}
	return name
}

// flagText is what IOS calls the debugging of a flag.
func flagText(f debug.Flag) string {
	switch f {
	case "nhrp":
		return "NHRP protocol debugging"
	case "nhrp cache":
		return "NHRP cache operations debugging"
	case "nhrp detail":
		return "NHRP detail debugging"
	case "nhrp error":
		return "NHRP errors debugging"
	case "nhrp extension":
		return "NHRP extension processing debugging"
	case "nhrp packet":
		return "NHRP activity debugging"
	case "nhrp rate":
		return "NHRP rate limiting debugging"
	case "crypto isakmp":
		return "Crypto ISAKMP debugging"
	case "crypto isakmp error":
		return "Crypto ISAKMP Error debugging"
	case "crypto ikev2":
		return "IKEv2 default debugging"
	case "crypto ikev2 error":
		return "IKEv2 error debugging"
	case "crypto ipsec":
		return "Crypto IPSEC debugging"
	case "crypto ipsec error":
		return "Crypto IPSEC Error debugging"
	case "crypto socket":
		return "Crypto secure socket events debugging"
	case "tunnel protection":
		return "Tunnel Protection Debugs debugging"
	case "eigrp packets":
		return "EIGRP Packet debugging (UPDATE, REQUEST, QUERY, REPLY, HELLO, ACK, SIAQUERY, SIAREPLY)"
	case "eigrp packets terse":
		return "EIGRP Packet debugging (UPDATE, REQUEST, QUERY, REPLY, SIAQUERY, SIAREPLY)"
	}
	words := strings.Fields(string(f)) // dmvpn LEVEL FACILITY
	if len(words) != 3 {
		return string(f) + " debugging"
	}
	facility := words[2]
	if facility == "nhrp" {
		facility = "NHRP"
	}
	return fmt.Sprintf("DMVPN %s %s level debugging", facility, words[1])
}

// Debugged is what a change to debugging is answered with; after is what is on then.
func Debugged(c debug.Change, after *debug.State) string {
	var b strings.Builder
	state := "on"
	if c.Off {
		state = "off"
	}
	switch {
	case c.Family != "":
		b.WriteString(conditionAnswer(c, after))
	case c.All:
		b.WriteString("All possible debugging has been turned off\n")
		if n := len(after.NHRP.List) + len(after.DMVPN.List); n > 0 {
			fmt.Fprintf(&b, "Conditions stay as they are (%d; show debug condition)\n", n)
		}
	}
	for _, f := range c.Flags {
		fmt.Fprintf(&b, "%s is %s\n", flagText(f), state)
	}
	return b.String()
}

// conditionAnswer is what a change of conditions is answered with.
func conditionAnswer(c debug.Change, after *debug.State) string {
	name := strings.ToUpper(string(c.Family))
	set := after.Conditions(c.Family)
	switch {
	case c.Unmatched && c.Off:
		return fmt.Sprintf("%s: what can't be compared with a condition is left out\n", name)
	case c.Unmatched && !set.Any():
		return fmt.Sprintf("%s: unmatched is set; it is of use only beside another condition\n", name)
	case c.Unmatched:
		return fmt.Sprintf("%s: what can't be compared with a condition is shown, too\n", name)
	case !c.Off:
		return fmt.Sprintf("%s condition %d set\n", name, len(set.List))
	}
	out := "Condition has been removed\n"
	if c.Condition == nil {
		out = fmt.Sprintf("All %s conditions have been removed\n", name)
	}
	if !set.Any() && len(after.Flags) > 0 {
		out += fmt.Sprintf("There is no %s condition any more: debugging that is on is of all peers now (undebug all turns it off)\n", name)
	}
	return out
}

// Debugging is `show debugging`.
func Debugging(s *debug.State) string {
	var b strings.Builder
	for _, group := range []struct{ title, prefix string }{
		{"NHRP:", "nhrp"}, {"DMVPN:", "dmvpn"}, {"Cryptographic Subsystem:", "crypto"}, {"Tunnel:", "tunnel"}, {"EIGRP:", "eigrp"},
	} {
		first := true
		for _, f := range s.Flags {
			if string(f) != group.prefix && !strings.HasPrefix(string(f), group.prefix+" ") {
				continue
			}
			if first {
				fmt.Fprintf(&b, "%s\n", group.title)
				first = false
			}
			fmt.Fprintf(&b, "  %s is on\n", flagText(f))
		}
		if !first {
			b.WriteString("\n")
		}
	}
	if len(s.Flags) == 0 {
		b.WriteString("No debugging is on\n")
	}
	if s.NHRP.Any() || s.DMVPN.Any() {
		b.WriteString(DebugConditions(s))
	}
	if s.LeftOut > 0 {
		fmt.Fprintf(&b, "%d shown, %d left out as they came too fast\n", s.Told, s.LeftOut)
	}
	return b.String()
}

// DebugConditions is `show debug condition`.
func DebugConditions(s *debug.State) string {
	var b strings.Builder
	for _, family := range []debug.Family{debug.NHRP, debug.DMVPN} {
		c := s.Conditions(family)
		for i, one := range c.List {
			fmt.Fprintf(&b, "%s condition %d: %s\n", strings.ToUpper(string(family)), i+1, one)
		}
		if c.Unmatched {
			fmt.Fprintf(&b, "%s: unmatched is shown, too\n", strings.ToUpper(string(family)))
		}
	}
	if b.Len() == 0 {
		return "No condition is set\n"
	}
	return b.String()
}
