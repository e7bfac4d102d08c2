package gateway

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/ctl/config"
	"nave/slowpath"
	"nave/slowpath/ldp"
)

// labelled is the configuration of a PE, and what its box is like.
const labelled = `hostname pe
ip vrf red
 rd 1:1
interface Loopback0
 ip address 10.9.9.1 255.255.255.255
interface Loopback1
 ip address 10.9.9.7 255.255.255.255
interface Loopback2
 ip vrf forwarding red
 ip address 10.9.9.9 255.255.255.255
interface Ethernet0
 ip address 192.0.2.1 255.255.255.0
 mpls ip
interface Ethernet1
 ip address 198.51.100.1 255.255.255.0
interface Tunnel1
 ip address 10.0.0.1 255.255.255.0
 mpls ip
 tunnel source Ethernet1
 tunnel mode gre multipoint
`

var labelledFacts = Facts{Links: map[string]Link{
	"Ethernet0": {MAC: [6]byte{2, 0, 0, 0, 0, 1}, MTU: 1500, Up: true}, "Ethernet1": {MAC: [6]byte{2, 0, 0, 0, 0, 2}, MTU: 1500, Up: true},
}}

// mplsOf translates a configuration, whatever Check says of it.
func mplsOf(t *testing.T, text string, facts Facts, n *numbers) (slowpath.MPLS, []string) {
	t.Helper()
	tree, diags := config.Parse("pe.cfg", []byte(text))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	c, problems := translate(tree, facts, n)
	var out []string
	for _, p := range problems {
		out = append(out, p.What+": "+p.Why)
	}
	return c.MPLS, out
}

func TestMPLS(t *testing.T) {
	m, problems := mplsOf(t, labelled, labelledFacts, newNumbers())
	if len(problems) != 0 {
		t.Error(problems)
	}
	if !slices.Equal(m.LDP.Interfaces, []ldp.Interface{{Name: "Tunnel1"}, {Name: "Ethernet0"}}) || m.LDP.RouterID != netip.MustParseAddr("10.9.9.7") ||
		m.First != 16 || m.Last != 1048575 || m.Pipe || !ldpRuns(&m.LDP) {
		t.Errorf("%+v", m)
	}
	m, _ = mplsOf(t, labelled+`mpls label range 100 199
mpls ldp router-id Loopback0
mpls ldp holdtime 90
mpls ldp discovery hello holdtime 30
mpls ldp discovery hello interval 10
mpls ldp neighbor 10.9.9.2 password secret
no mpls ip propagate-ttl
`, labelledFacts, newNumbers())
	if m.First != 100 || m.Last != 199 || !m.Pipe || m.LDP.RouterID != netip.MustParseAddr("10.9.9.1") || m.LDP.SessionHold != 90*time.Second ||
		m.LDP.HelloHold != 30*time.Second || m.LDP.HelloInterval != 10*time.Second {
		t.Errorf("%+v", m)
	}
	if p := m.LDP.Passwords; len(p) != 1 || p[0].Neighbor != netip.MustParseAddr("10.9.9.2") || string(p[0].Key) != "secret" {
		t.Errorf("%d passwords", len(p))
	}
	// Without an interface LDP is off.
	m, _ = mplsOf(t, strings.ReplaceAll(labelled, " mpls ip\n", ""), labelledFacts, newNumbers())
	if len(m.LDP.Interfaces) != 0 || m.LDP.RouterID.IsValid() || ldpRuns(&m.LDP) {
		t.Errorf("%+v", m)
	}
}

// The router ID stays while its address does, unless it is forced.
func TestLDPRouterID(t *testing.T) {
	n := newNumbers()
	one, seven := netip.MustParseAddr("10.9.9.1"), netip.MustParseAddr("10.9.9.7")
	check := func(text string, want netip.Addr, problem string) {
		t.Helper()
		m, problems := mplsOf(t, text, labelledFacts, n)
		if m.LDP.RouterID != want {
			t.Errorf("router ID %s, want %s", m.LDP.RouterID, want)
		}
		if (problem == "") != (len(problems) == 0) || problem != "" && !strings.Contains(strings.Join(problems, "\n"), problem) {
			t.Errorf("problems %q, want %q", problems, problem)
		}
	}
	check(labelled, seven, "")
	check(labelled+"interface Loopback3\n ip address 10.9.9.8 255.255.255.255\n", seven, "")
	check(labelled+"mpls ldp router-id Loopback0\n", seven, "say `force`")
	check(labelled+"mpls ldp router-id Loopback0 force\n", one, "")
	check(labelled, one, "")
	check(strings.Replace(labelled, "interface Loopback0\n", "interface Loopback0\n shutdown\n", 1), seven, "")
	check(labelled+"mpls ldp router-id Loopback2\n", seven, "not up with an address in the global table")
	// Without a loopback the highest address of all.
	bare := labelled[:strings.Index(labelled, "interface Loopback0")] + labelled[strings.Index(labelled, "interface Ethernet0"):]
	check(bare, netip.MustParseAddr("198.51.100.1"), "")
	m, problems := mplsOf(t, bare, Facts{}, newNumbers())
	if m.LDP.RouterID.IsValid() || ldpRuns(&m.LDP) {
		t.Errorf("a router ID without an address: %+v, %q", m, problems)
	}
}

// What LDP does not do is said.
func TestMPLSProblems(t *testing.T) {
	m, problems := mplsOf(t, labelled+`mpls ldp graceful-restart
mpls ldp neighbor vrf red 10.9.9.2 password hidden
interface Ethernet0
 mpls mtu 1508
`, labelledFacts, newNumbers())
	text := strings.Join(problems, "\n")
	for _, want := range []string{"mpls ldp neighbor vrf red 10.9.9.2: LDP runs in the global table", "interface Ethernet0: `mpls mtu` is read"} {
		if !strings.Contains(text, want) {
			t.Errorf("no problem %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "hidden") {
		t.Error("a secret in a problem")
	}
	if !m.LDP.GracefulRestart {
		t.Error("no graceful restart")
	}
}
