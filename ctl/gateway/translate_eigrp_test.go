package gateway

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"nave/ctl/show"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/eigrp"
	"nave/testbed/need"
)

const eigrpBase = `ip vrf red
 rd 1:1
interface Loopback0
 ip address 10.9.9.1 255.255.255.255
interface Loopback1
 ip vrf forwarding red
 ip address 203.0.113.9 255.255.255.255
interface Ethernet0
 ip address 192.0.2.1 255.255.255.0
interface Ethernet1
 ip address 192.168.0.1 255.255.255.0
 ip address 192.168.5.1 255.255.255.0 secondary
 ip address 172.16.0.1 255.255.255.0 secondary
interface Ethernet1.7
 encapsulation dot1Q 7
 ip vrf forwarding red
 ip address 10.0.0.1 255.255.255.0
interface Tunnel0
 ip address 10.0.0.1 255.255.255.0
 bandwidth 1000
 delay 1000
 tunnel source Ethernet0
 tunnel mode gre multipoint
`

func translateEIGRP(t *testing.T, text string) (slowpath.Config, []show.Problem) {
	t.Helper()
	out, problems := translate(parse(t, eigrpBase+text), two(), newNumbers())
	return out, problems
}

// only is the one process that a configuration makes.
func only(t *testing.T, c slowpath.Config) slowpath.EIGRP {
	t.Helper()
	if len(c.EIGRP) != 1 {
		t.Fatalf("%d processes: %+v", len(c.EIGRP), c.EIGRP)
	}
	return c.EIGRP[0]
}

// A hub as the guide has it.
func TestEIGRPClassic(t *testing.T) {
	out, problems := translateEIGRP(t, `interface Tunnel0
 no ip split-horizon eigrp 1
 no ip next-hop-self eigrp 1
 ip hello-interval eigrp 1 10
 ip hold-time eigrp 1 40
 ip bandwidth-percent eigrp 1 25
 ip summary-address eigrp 1 192.168.0.0 255.255.0.0 7
 no ip split-horizon eigrp 2
router eigrp 1
 network 10.0.0.0 0.0.0.255
 network 10.9.9.1 0.0.0.0
 network 192.168.0.0
 network 172.16.9.0 0.0.0.255
 passive-interface Ethernet1
 no auto-summary
 variance 4
 maximum-paths 6
 metric weights 0 1 1 1 1 1
 metric maximum-hops 20
 distance eigrp 91 171
 timers active-time 2
 no eigrp log-neighbor-changes
 eigrp router-id 1.2.3.4
 neighbor 192.0.2.2 Ethernet0
 eigrp stub connected static
`)
	if len(problems) != 1 || problems[0].What != "router eigrp 1: neighbor 192.0.2.2 Ethernet0" {
		t.Errorf("problems: %v", problems)
	}
	got := only(t, out)
	want := slowpath.EIGRP{Key: slowpath.EIGRPKey{AS: 1}, Quiet: true, Run: eigrp.Config{
		AS: 1, RouterID: addr("1.2.3.4"), K: [6]uint8{1, 1, 1, 1, 1}, Variance: 4, MaximumPaths: 6, MaximumHops: 20, Internal: 91, External: 171, ActiveTime: 2 * time.Minute,
		Stub: eigrp.Stub{Enabled: true, Connected: true, Static: true},
		Interfaces: []eigrp.Interface{
			{Name: "Loopback0", Passive: true},
			{Name: "Tunnel0", NoSplitHorizon: true, NoNextHopSelf: true, Hello: 10 * time.Second, Hold: 40 * time.Second, BandwidthPercent: 25,
				Summaries: []eigrp.Summary{{Prefix: pfx("192.168.0.0/16"), Distance: 7}}},
			{Name: "Ethernet1", Passive: true, Subnets: []netip.Prefix{pfx("192.168.0.0/24")}},
		},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	again, _ := translateEIGRP(t, "router eigrp 1\n")
	if len(only(t, again).Run.Interfaces) != 0 || only(t, again).Run.RouterID != addr("10.9.9.1") {
		t.Errorf("without networks: %+v", again.EIGRP)
	}
}

// What neither configuration nor filter differs in compares equal, so that nothing is done anew.
func TestEIGRPSameAgain(t *testing.T) {
	const text = "router eigrp 1\n network 10.0.0.0\n redistribute static route-map M\n distribute-list prefix P out\nip prefix-list P permit 10.0.0.0/8 le 32\nroute-map M permit 10\n"
	a, _ := translateEIGRP(t, text)
	b, _ := translateEIGRP(t, "\n\n"+text)
	c, _ := translateEIGRP(t, text+" set tag 7\n")
	d, _ := translateEIGRP(t, text+"router eigrp 1\n distribute-list prefix P in\n")
	if p := only(t, a).Policy; p == "" || p != only(t, b).Policy || p == only(t, c).Policy || p == only(t, d).Policy {
		t.Error("the policies' fingerprints", p, only(t, b).Policy, only(t, c).Policy, only(t, d).Policy)
	}
	plain, _ := translateEIGRP(t, "router eigrp 1\n network 10.0.0.0\n redistribute static\n")
	other, _ := translateEIGRP(t, "router eigrp 1\n network 10.0.0.0\n redistribute static\nip prefix-list P permit 10.0.0.0/8 le 32\n")
	if !reflect.DeepEqual(plain.EIGRP, other.EIGRP) || only(t, plain).Policy != "" {
		t.Errorf("%+v\n%+v", plain.EIGRP, other.EIGRP)
	}
}

func TestEIGRPVRFs(t *testing.T) {
	out, problems := translateEIGRP(t, `router eigrp 9
 network 10.0.0.0
 address-family ipv4 vrf red
  network 10.0.0.0 0.0.0.255
  passive-interface default
  no passive-interface Ethernet1.7
  autonomous-system 5
router eigrp 10
 address-family ipv4 vrf red autonomous-system 6
  network 203.0.113.0
`)
	noProblems(t, problems)
	if len(out.EIGRP) != 4 {
		t.Fatalf("%+v", out.EIGRP)
	}
	red := out.VRFs[0].ID
	one, two := out.EIGRP[1], out.EIGRP[3]
	if one.Key != (slowpath.EIGRPKey{VRF: red, AS: 5}) || one.Run.RouterID != addr("203.0.113.9") || len(one.Run.Interfaces) != 1 ||
		!reflect.DeepEqual(one.Run.Interfaces[0], eigrp.Interface{Name: "Ethernet1.7"}) {
		t.Errorf("%+v", one)
	}
	if two.Key != (slowpath.EIGRPKey{VRF: red, AS: 6}) || len(two.Run.Interfaces) != 1 || two.Run.Interfaces[0].Name != "Loopback1" {
		t.Errorf("%+v", two)
	}
	for _, i := range out.EIGRP[0].Run.Interfaces {
		if i.Name == "Ethernet1.7" {
			t.Error("an interface of a VRF in the global table")
		}
	}
}

func TestEIGRPNamed(t *testing.T) {
	out, problems := translateEIGRP(t, `key chain K
 key 3
  key-string third
router eigrp WAN
 address-family ipv4 unicast autonomous-system 1
  af-interface default
   hello-interval 20
   hold-time 60
   no split-horizon
   passive-interface
   authentication mode md5
   authentication key-chain K
  exit-af-interface
  af-interface Tunnel0
   hold-time 90
   split-horizon
   no next-hop-self
   no passive-interface
   bandwidth-percent 30
   authentication mode hmac-sha-256 0 s3cret
   summary-address 10.0.0.0 255.0.0.0
  exit-af-interface
  af-interface Loopback0
   shutdown
  exit-af-interface
  topology base
   variance 3
   metric maximum-hops 9
  exit-af-topology
  network 10.0.0.0
  network 192.168.0.0 0.0.255.255
  eigrp stub receive-only
 exit-address-family
 address-family ipv4 unicast vrf red autonomous-system 2
  shutdown
  network 0.0.0.0
router eigrp OFF
 shutdown
 address-family ipv4 unicast autonomous-system 3
  network 0.0.0.0
`)
	noProblems(t, problems)
	got := only(t, out)
	third := []eigrp.Key{{ID: 3, Secret: eigrp.Secret("third")}}
	want := eigrp.Config{
		AS: 1, RouterID: addr("10.9.9.1"), Wide: true, Variance: 3, MaximumHops: 9, Stub: eigrp.Stub{Enabled: true, ReceiveOnly: true},
		Interfaces: []eigrp.Interface{
			{Name: "Tunnel0", NoNextHopSelf: true, Hello: 20 * time.Second, Hold: 90 * time.Second, BandwidthPercent: 30,
				Auth:      eigrp.Auth{Mode: eigrp.AuthSHA256, Keys: third},
				Summaries: []eigrp.Summary{{Prefix: pfx("10.0.0.0/8")}}},
			{Name: "Ethernet1", NoSplitHorizon: true, Passive: true, Hello: 20 * time.Second, Hold: time.Minute, Auth: eigrp.Auth{Mode: eigrp.AuthMD5, Keys: third},
				Subnets: []netip.Prefix{pfx("192.168.0.0/24"), pfx("192.168.5.0/24")}},
		},
	}
	if got.Name != "WAN" || !reflect.DeepEqual(got.Run, want) {
		t.Errorf("got  %+v\nwant %+v", got.Run, want)
	}
}

func TestEIGRPKeys(t *testing.T) {
	out, problems := translateEIGRP(t, `key chain K
 key 1
  key-string one
  accept-lifetime 00:00:00 Jan 1 2026 duration 60
  send-lifetime 00:00:00 1 January 2026 00:00:00 Feb 1 2026
 key 2
 key 7
  key-string local seven
  accept-lifetime local 12:00:00 Mar 3 2026 infinite
interface Tunnel0
 ip authentication mode eigrp 1 md5
 ip authentication key-chain eigrp 1 K
router eigrp 1
 network 10.0.0.0 0.0.0.255
`)
	noProblems(t, problems)
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	want := eigrp.Auth{Mode: eigrp.AuthMD5, Keys: []eigrp.Key{
		{ID: 1, Secret: eigrp.Secret("one"), SendFrom: first, SendUntil: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), AcceptFrom: first, AcceptUntil: first.Add(time.Minute)},
		{ID: 7, Secret: eigrp.Secret("local seven"), AcceptFrom: time.Date(2026, 3, 3, 12, 0, 0, 0, time.Local)},
	}}
	if got := only(t, out).Run.Interfaces[0].Auth; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// What can't be carried out is named, and closes rather than opens.
func TestEIGRPProblems(t *testing.T) {
	silent := func(c slowpath.Config) bool {
		i := c.EIGRP[0].Run.Interfaces[0]
		return i.Auth.Mode == eigrp.AuthMD5 && len(i.Auth.Keys) == 0
	}
	runs := func(c slowpath.Config) bool { return len(c.EIGRP) == 1 && len(c.EIGRP[0].Run.Interfaces) == 1 }
	none := func(c slowpath.Config) bool { return len(c.EIGRP[0].Redistribute) == 0 }
	leaves := func(n int) func(slowpath.Config) bool {
		return func(c slowpath.Config) bool { return len(c.EIGRP) == n }
	}
	const r = "router eigrp 1\n network 10.0.0.0 0.0.0.255\n"
	const auth = r + "interface Tunnel0\n ip authentication mode eigrp 1 md5\n"
	for _, c := range []struct {
		text, what, why string
		is              func(slowpath.Config) bool
	}{
		{"router eigrp 1\n address-family ipv4 vrf red\n  network 10.0.0.0\n", "vrf red", "autonomous-system", leaves(1)},
		{"router eigrp 1\n address-family ipv4 vrf none autonomous-system 2\n", "vrf none", "not defined", leaves(1)},
		{r + "router eigrp X\n address-family ipv4 autonomous-system 1\n  network 10.0.0.0\n", "router eigrp 1", "already", func(c slowpath.Config) bool { return len(c.EIGRP) == 1 && c.EIGRP[0].Name == "X" }},
		{auth, "authentication mode md5", "no key chain", silent},
		{auth + " ip authentication key-chain eigrp 1 K\n", "key-chain K", "not defined", silent},
		{auth + " ip authentication key-chain eigrp 1 K\nkey chain K\n key 1\n", "key-chain K", "no key", silent},
		{r + "interface Tunnel0\n ip authentication key-chain eigrp 1 K\nkey chain K\n key 1\n  key-string x\n", "key-chain K", "authentication mode", runs},
		{r + " metric weights 0 0 0 0 0 0\n", "metric weights", "defaults", runs},
		{r + " metric weights 1 1 0 1 0 0\n", "metric weights", "type of service", runs},
		{r + " redistribute ospf 1\n", "redistribute ospf 1", "redistribute kernel", none},
		{r + " redistribute rip\n", "redistribute rip", "redistribute kernel", none},
		{r + " redistribute bgp 1\n", "redistribute bgp 1", "does not run", none},
		{r + " redistribute eigrp 1\n", "redistribute eigrp 1", "itself", none},
		{r + " redistribute eigrp 2\n", "redistribute eigrp 2", "does not run", none},
		{r + " distribute-list prefix P in\n", "distribute-list prefix P", "lets all", func(c slowpath.Config) bool { return c.EIGRP[0].Run.In("Tunnel0", pfx("10.0.0.0/8")) }},
		{r + " distribute-list 5 out\n", "distribute-list 5", "lets all", func(c slowpath.Config) bool { return c.EIGRP[0].Run.Out("Tunnel0", pfx("10.0.0.0/8")) }},
		{r + " distribute-list route-map M out\n", "route-map M", "refuses all", func(c slowpath.Config) bool { return !c.EIGRP[0].Run.Out("Tunnel0", pfx("10.0.0.0/8")) }},
		{r + " distribute-list route-map M out\nroute-map M permit 10\n match tag 5\n", "route-map M permit 10", "match tag", func(c slowpath.Config) bool {
			return !c.EIGRP[0].Run.Out("Tunnel0", pfx("10.0.0.0/8"))
		}},
		{r + " eigrp stub connected leak-map M\n", "leak-map M", "refuses all", func(c slowpath.Config) bool { return !c.EIGRP[0].Run.Stub.Leak(pfx("10.0.0.0/8"), "Tunnel0") }},
		{"ip route import kernel vrf none\n", "ip route import kernel vrf none", "not defined", func(c slowpath.Config) bool { return len(c.Kernel) == 0 }},
	} {
		out, problems := translateEIGRP(t, c.text)
		if len(problems) != 1 || !strings.Contains(problems[0].What, c.what) || !strings.Contains(problems[0].Why, c.why) {
			t.Errorf("%s\nproblems: %+v", c.text, problems)
		}
		if !c.is(out) {
			t.Errorf("%s\nmakes %+v", c.text, out.EIGRP)
		}
	}
	out, problems := translate(parse(t, "router eigrp 1\n network 10.0.0.0\n"), two(), newNumbers())
	if len(out.EIGRP) != 0 || len(problems) != 1 || !strings.Contains(problems[0].Why, "eigrp router-id") {
		t.Errorf("no address at all: %+v, %v", out.EIGRP, problems)
	}
}

// The router ID stays while its address does.
func TestEIGRPRouterIDStays(t *testing.T) {
	n := newNumbers()
	id := func(text string) netip.Addr {
		out, _ := translate(parse(t, text+"router eigrp 1\n network 10.0.0.0\n"), two(), n)
		return only(t, out).Run.RouterID
	}
	if got := id(eigrpBase); got != addr("10.9.9.1") {
		t.Error(got)
	}
	if got := id(eigrpBase + "interface Loopback9\n ip address 10.9.9.9 255.255.255.255\n"); got != addr("10.9.9.1") {
		t.Errorf("another loopback moved it to %s", got)
	}
	if got := id(strings.Replace(eigrpBase, "10.9.9.1", "10.9.9.7", 1)); got != addr("10.9.9.7") {
		t.Errorf("its address is gone, and it is %s", got)
	}
}

func TestInterfaceSpeeds(t *testing.T) {
	facts := two()
	for _, name := range []string{"FastEthernet0/0", "GigabitEthernet0/1", "TenGigabitEthernet1/0/0"} {
		facts.Links[name] = Link{MAC: [6]byte{2, 0, 0, 0, 1, byte(len(name))}, MTU: 1500, Up: true}
	}
	out, _ := translate(parse(t, eigrpBase+`interface Tunnel1
 tunnel source Ethernet0
interface FastEthernet0/0
interface GigabitEthernet0/1
 bandwidth 500000
interface GigabitEthernet0/1.5
 encapsulation dot1Q 5
interface GigabitEthernet0/1.6
 encapsulation dot1Q 6
 bandwidth 64
 delay 7
interface TenGigabitEthernet1/0/0.5
 encapsulation dot1Q 5
`), facts, newNumbers())
	for name, want := range map[string]speed{
		"Loopback0": {8_000_000, 500}, "Tunnel0": {1000, 1000}, "Tunnel1": {9, 50_000}, "Ethernet0": {10_000, 100}, "Ethernet1.7": {10_000, 100}, "FastEthernet0/0": {100_000, 10},
		"GigabitEthernet0/1": {500_000, 1}, "GigabitEthernet0/1.5": {500_000, 1}, "GigabitEthernet0/1.6": {64, 7},
		"TenGigabitEthernet1/0/0": {10_000_000, 1}, "TenGigabitEthernet1/0/0.5": {10_000_000, 1},
	} {
		i := find(out, name)
		if i == nil || (speed{i.Bandwidth, i.Delay}) != want {
			t.Errorf("%s: %+v, want %+v", name, i, want)
		}
	}
}

// The processes that the guide's configurations make, where they are at hand.
func TestEIGRPGuide(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "guide", "configs")
	need.Optional(t, dir)
	want := map[string][]string{ // process: interfaces
		"hub.cfg": {"1: Tunnel0 Ethernet1"}, "spoke.cfg": {"1: Tunnel0 Ethernet1"}, "vrf-hub.cfg": {"1:", "1 BLUE: Tunnel0", "1 RED: Tunnel1"},
		"2547-enterprise-hub.cfg": {"1: Loopback0 Tunnel1"}, "2547-enterprise-spoke2.cfg": {"1: Loopback0 Tunnel1"}, "2547-enterprise-spoke3.cfg": {"1: Loopback0 Tunnel1"},
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.cfg"))
	if err != nil || len(files) != 11 {
		t.Fatalf("%d files, %v; want 11", len(files), err)
	}
	for _, f := range files {
		name := filepath.Base(f)
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		head := ""
		if name == "vrf-hub.cfg" { // which uses VRFs that it does not define
			head = "ip vrf BLUE\nip vrf RED\n"
		}
		tree := parse(t, head+string(text))
		facts := Facts{Links: make(map[string]Link), Leases: make(map[string]Lease)}
		for n, i := range tree.Interfaces {
			facts.Links[i.Name] = Link{MAC: [6]byte{2, 0, 0, 0, 2, byte(n)}, MTU: 1500, Up: true}
		}
		out, problems := translate(tree, facts, newNumbers())
		var got []string
		for _, e := range out.EIGRP {
			got = append(got, processText(out, e))
		}
		if !slices.Equal(got, want[name]) {
			t.Errorf("%s: %q, want %q", name, got, want[name])
		}
		if slices.ContainsFunc(problems, func(p show.Problem) bool { return strings.Contains(p.What, "eigrp") }) {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

func processText(c slowpath.Config, e slowpath.EIGRP) string {
	text := strconv.Itoa(int(e.Key.AS))
	for _, v := range c.VRFs {
		if v.ID == e.Key.VRF && e.Key.VRF != fib.Global {
			text += " " + v.Name
		}
	}
	text += ":"
	for _, i := range e.Run.Interfaces {
		text += " " + i.Name
	}
	return text
}
