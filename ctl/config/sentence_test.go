package config

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// entry says how each mode is entered, so that random commands find their place.
var entry = map[modeID][]string{
	mGlobal:           {"end"},
	mInterface:        {"interface Tunnel7"},
	mVRF:              {"ip vrf mauve"},
	mVRFDefinition:    {"vrf definition ochre"},
	mVRFFamily:        {"vrf definition ochre", "address-family ipv4"},
	mISAKMPPolicy:     {"crypto isakmp policy 10"},
	mKeyring:          {"crypto keyring ring1"},
	mISAKMPProfile:    {"crypto isakmp profile iprof"},
	mTransformSet:     {"crypto ipsec transform-set ts1 esp-aes esp-sha-hmac"},
	mIPsecProfile:     {"crypto ipsec profile pprof"},
	mCryptoIdentity:   {"crypto identity cid"},
	mIKEv2Proposal:    {"crypto ikev2 proposal prop"},
	mIKEv2Policy:      {"crypto ikev2 policy pol"},
	mIKEv2Keyring:     {"crypto ikev2 keyring kr2"},
	mIKEv2Peer:        {"crypto ikev2 keyring kr2", "peer far"},
	mIKEv2Profile:     {"crypto ikev2 profile prof2"},
	mTrustpoint:       {"crypto pki trustpoint tp"},
	mBGP:              {"router bgp 65010", "neighbor 10.1.1.1 remote-as 65010", "neighbor alpha peer-group"},
	mBGPFamily:        {"router bgp 65010", "address-family vpnv4"},
	mBGPVRF:           {"router bgp 65010", "address-family ipv4 vrf mauve", "neighbor 10.1.1.1 remote-as 7"},
	mEIGRP:            {"router eigrp 33"},
	mEIGRPVRF:         {"router eigrp 33", "address-family ipv4 vrf mauve"},
	mEIGRPNamed:       {"router eigrp WAN"},
	mEIGRPNamedFamily: {"router eigrp WAN", "address-family ipv4 unicast autonomous-system 33"},
	mEIGRPTopology:    {"router eigrp WAN", "address-family ipv4 unicast autonomous-system 33", "topology base"},
	mEIGRPInterface:   {"router eigrp WAN", "address-family ipv4 unicast autonomous-system 33", "af-interface default"},
	mKeyChain:         {"key chain kc"},
	mKey:              {"key chain kc", "key 1"},
	mStandardACL:      {"ip access-list standard std1"},
	mExtendedACL:      {"ip access-list extended ext1"},
	mRouteMap:         {"route-map rm1 permit 10"},
	mLine:             {"line vty 0 4"},
	mControlPlane:     {"control-plane"},
	mRedundancy:       {"redundancy"},
}

// sentence draws a random line of a command.
type sentence struct {
	t     *rapid.T
	text  string
	at    int
	words []string
}

func drawSentence(t *rapid.T, syntax string) string {
	s := &sentence{t: t, text: syntax}
	s.sequence(true)
	return strings.Join(s.words, " ")
}

func (s *sentence) chance(label string) bool { return rapid.Bool().Draw(s.t, label) }

// sequence reads elements up to a closing mark, keeping their words if use is set.
func (s *sentence) sequence(use bool) {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '~':
			s.at++
		case ']', '}', '|':
			return
		case '[', '{':
			s.group(use && (c == '{' || s.chance("optional")))
		case '<':
			end := s.at + strings.IndexByte(s.text[s.at:], '>')
			name, typ, _ := strings.Cut(s.text[s.at+1:end], ":")
			s.at = end + 1
			n := 1
			if s.repeated() && use {
				n = rapid.IntRange(1, 3).Draw(s.t, "repeat")
			}
			for range n {
				if use {
					s.words = append(s.words, drawValue(s.t, name, typ))
				}
			}
		default:
			end := s.at
			for end < len(s.text) && !strings.ContainsRune(" []{}|<>~", rune(s.text[end])) {
				end++
			}
			if use {
				s.words = append(s.words, s.text[s.at:end])
			}
			s.at = end
		}
	}
}

func (s *sentence) repeated() bool {
	if strings.HasPrefix(s.text[s.at:], "...") {
		s.at += 3
		return true
	}
	return false
}

// group reads a bracket and keeps one of its alternatives, if use is set.
func (s *sentence) group(use bool) {
	start := s.at
	end, alternatives := s.measure()
	again := strings.HasPrefix(s.text[end:], "...")
	rounds := 0
	if use {
		rounds = 1
		if again {
			rounds = rapid.IntRange(1, 3).Draw(s.t, "rounds")
		}
	}
	for range rounds {
		pick := rapid.IntRange(0, alternatives-1).Draw(s.t, "alternative")
		s.at = start + 1
		for i := 0; ; i++ {
			s.sequence(i == pick)
			if s.text[s.at] != '|' {
				break
			}
			s.at++
		}
	}
	s.at = end
	s.repeated()
}

// measure finds the end of the bracket at s.at and counts its alternatives.
func (s *sentence) measure() (end, alternatives int) {
	depth, alternatives := 0, 1
	for i := s.at; ; i++ {
		switch s.text[i] {
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1, alternatives
			}
		case '|':
			if depth == 1 {
				alternatives++
			}
		}
	}
}

var pools = map[string][]string{
	"ip":        {"10.1.1.1", "10.1.1.2", "10.1.0.0", "10.0.0.0", "192.0.2.7", "172.20.0.9", "0.0.0.0", "10.1.2.3"},
	"mask":      {"255.255.255.0", "255.255.0.0", "255.255.255.255", "0.0.0.0", "255.0.0.0", "255.255.255.252"},
	"wildcard":  {"0.0.0.255", "0.0.255.255", "0.0.0.0", "255.255.255.255", "0.255.0.255"},
	"prefix":    {"10.1.0.0/16", "0.0.0.0/0", "192.0.2.128/25", "10.1.1.1/8"},
	"rd":        {"65010:1", "10.1.1.1:5", "1:1", "70000:9", "1.5:3"},
	"asn":       {"65010", "7", "4200000000", "1.5"},
	"interface": {"Tunnel7", "tu 7", "Ethernet0/0", "e0/1", "gi0/1.20", "Loopback0", "lo 0", "Null0", "Tunnel8"},
	"line":      {"some free text", "0 zero", "7 seven", "x ! y", "two  spaces"},
	"secret":    {"K3y!with", "0", "7x", "secret", "!start", "six6"},
	"name":      {"alpha", "beta", "mauve", "ochre", "gamma", "m", "pre"},
	"word":      {"alpha", "beta", "mauve", "ochre", "33", "p", "default", "10.1.1.1", "vrf"},
}

// drawValue draws an argument; few different values, so that lines meet each other.
func drawValue(t *rapid.T, name, typ string) string {
	if typ == "" {
		typ = "word"
	}
	if pool, ok := pools[typ]; ok {
		if strings.HasSuffix(name, "eq") || strings.HasSuffix(name, "from") || strings.HasSuffix(name, "to") {
			pool = []string{"isakmp", "80", "0", "65535"}
		}
		return rapid.SampledFrom(pool).Draw(t, name)
	}
	var lo, hi uint64
	if _, err := fmt.Sscanf(typ, "%d-%d", &lo, &hi); err != nil {
		t.Fatalf("type %q", typ)
	}
	return fmt.Sprint(rapid.SampledFrom([]uint64{lo, hi, (lo + hi) / 2, min(hi, lo+1), min(hi, max(lo, 100))}).Draw(t, name))
}

// drawConfig draws the text of a configuration: a few modes, random commands in each.
func drawConfig(t *rapid.T) []string {
	var lines []string
	for range rapid.IntRange(1, 8).Draw(t, "blocks") {
		m := modeID(rapid.IntRange(0, int(mRedundancy)).Draw(t, "mode"))
		lines = append(lines, entry[m]...)
		commands := modes()[m].set.Commands
		for range rapid.IntRange(1, 8).Draw(t, "commands") {
			c := rapid.SampledFrom(commands).Draw(t, "command")
			line := drawSentence(t, c.Syntax)
			switch rapid.IntRange(0, 9).Draw(t, "form") {
			case 0:
				line = "no " + line
			case 1:
				line = "default " + line
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// withoutErrors drops lines until the rest parses.
func withoutErrors(lines []string) (*Config, []string) {
	for {
		c, diags := Parse("drawn", []byte(strings.Join(lines, "\n")))
		if !diags.HasErrors() {
			return c, lines
		}
		bad := map[int]bool{}
		for _, d := range diags {
			if d.Severity == Error {
				bad[d.Line] = true
			}
		}
		var kept []string
		for i, l := range lines {
			if !bad[i+1] {
				kept = append(kept, l)
			}
		}
		lines = kept
	}
}

// TestRunningParsesBack draws configurations and asserts that what is printed parses back to the same tree, and
// prints the same again.
func TestRunningParsesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, lines := withoutErrors(drawConfig(t))
		printed := c.Running()
		again, diags := Parse("printed", []byte(printed))
		if diags.HasErrors() {
			t.Fatalf("printed text does not parse: %v\nfrom:\n%s\nprinted:\n%s", diags.Err(), strings.Join(lines, "\n"), printed)
		}
		if !again.Equal(c) {
			t.Fatalf("another tree\nfrom:\n%s\nprinted:\n%s\nagain:\n%s", strings.Join(lines, "\n"), printed, again.Running())
		}
		if p := again.Running(); p != printed {
			t.Fatalf("printed differently:\n%s\nand:\n%s", printed, p)
		}
	})
}

// TestApplyIsAtomic asserts that Apply never changes the old tree, gives it back where a line has an error, and else
// does what parsing everything at once would.
func TestApplyIsAtomic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, _ := withoutErrors(drawConfig(t))
		before := base.Clone()
		fragment := drawConfig(t)
		got, diags := base.Apply("fragment", []byte(strings.Join(fragment, "\n")))
		if !base.Equal(before) {
			t.Fatalf("Apply changed the old tree by:\n%s", strings.Join(fragment, "\n"))
		}
		if diags.HasErrors() && got != base {
			t.Fatal("a fragment with errors was applied")
		}
		if !diags.HasErrors() {
			whole, _ := Parse("whole", []byte(base.Running()+"\n"+strings.Join(fragment, "\n")))
			if !whole.Equal(got) {
				t.Fatalf("applied differs from the whole\n%s\n%s", got.Running(), whole.Running())
			}
		}
	})
}
