package gateway

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/ctl/config"
	"nave/ctl/show"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/hwprofiles"
	"nave/slowpath"
)

// priced stands in for the fast path's prices.
type priced struct {
	set     []fib.Pricer
	meters  int
	again   int // told that prices may have changed
	problem error
}

func (p *priced) SetPricer(x fib.Pricer) error {
	p.set = append(p.set, x)
	return p.problem
}
func (p *priced) Remeter() { p.meters++ }
func (p *priced) Reprice() error {
	p.again++
	return nil
}

// emulating is a Core that may emulate hardware.
func emulating(t *testing.T, profiles *Profiles) (*Core, *priced) {
	t.Helper()
	b, p := &box{}, &priced{}
	c := NewSeededCore(b, b, 1)
	c.Emulate(profiles, p)
	for name, l := range two().Links {
		if err := c.SetLink(start, name, l); err != nil {
			t.Fatal(err)
		}
	}
	return c, p
}

func platform(name string) string { return "platform hardware profile " + name + "\n" }

// TestHardwareFollows goes through what may become of a profile at run time.
func TestHardwareFollows(t *testing.T) {
	c, p := emulating(t, &Profiles{})
	step := func(what, text string, pricers, meters int) {
		t.Helper()
		if err := c.Configure(start, parse(t, text)); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if len(p.set) != pricers || p.meters != meters {
			t.Fatalf("%s: %d pricers, budgets asked for %d times; want %d and %d", what, len(p.set), p.meters, pricers, meters)
		}
	}
	step("none: what was inherited has no price any more", hub, 1, 0)
	if p.set[0] != nil || c.Hardware() != nil || c.Status(start).Hardware != nil {
		t.Error("a profile, of none")
	}
	step("none again", hub+"hostname x\n", 1, 0)
	step("one", platform("sup720-3b")+hub, 2, 0)
	if c.Hardware() == nil || c.Hardware().Name != "sup720-3b" || p.set[1] == nil {
		t.Error("no profile")
	}
	for _, problem := range c.Problems() {
		if strings.Contains(problem.What, "hardware profile") {
			t.Errorf("%+v", problem)
		}
	}
	step("other things change", platform("sup720-3b")+hub+"hostname y\n", 2, 0)
	step("a limiter", platform("sup720-3b")+hub+"mls rate-limit all ttl-failure 100 10\n", 2, 1)
	step("the same limiter", platform("sup720-3b")+hub+"mls rate-limit all ttl-failure 100 10\nhostname z\n", 2, 1)
	if m := c.Status(start).Hardware.Meters[fib.LimitTTL]; m.Rate != 100 {
		t.Errorf("the limiter is %+v", m)
	}
	step("the limiter goes", platform("sup720-3b")+hub, 2, 2)
	step("another split waits", platform("sup720-3b")+hub+"mls cef maximum-routes ip 100\n", 2, 2)
	if !slices.ContainsFunc(c.Problems(), func(p show.Problem) bool { return p.What == "mls cef maximum-routes" }) {
		t.Errorf("nobody says so: %v", c.Problems())
	}
	step("for another profile", platform("sup720-3bxl")+hub+"mls cef maximum-routes ip 100\n", 3, 2)
	if slices.ContainsFunc(c.Problems(), func(p show.Problem) bool { return p.What == "mls cef maximum-routes" }) {
		t.Error("the split is said to wait")
	}
	step("none", hub, 4, 2)
	if p.set[3] != nil || c.Status(start).Hardware != nil {
		t.Error("there is a profile still")
	}
	p.problem = errors.New("no room in the arena")
	step("entries that could not be priced", platform("sup720-3b")+hub, 5, 2)
	if !slices.ContainsFunc(c.Problems(), func(p show.Problem) bool { return p.Why == "no room in the arena" }) {
		t.Errorf("nobody says so: %v", c.Problems())
	}
}

// The crypto module does the GRE of those tunnels that it is told to, whichever way it is said.
func TestHardwareModuleGRE(t *testing.T) {
	c, p := emulating(t, &Profiles{})
	for n, step := range []struct {
		text   string
		module []bool // of Tunnel0 and Tunnel1
	}{
		{hub, []bool{false, false}}, {"crypto engine gre vpnblade\n" + hub, []bool{true, true}}, {"crypto engine gre vpnblade\nhostname x\n" + hub, []bool{true, true}},
		{hub + "interface Tunnel1\n crypto engine gre vpnblade\n", []bool{false, true}},
	} {
		if err := c.Configure(start, parse(t, platform("sup720-3b-spa")+step.text)); err != nil {
			t.Fatal(err)
		}
		for _, i := range c.current.Interfaces {
			if k := slices.Index([]string{"Tunnel0", "Tunnel1"}, i.Name); k >= 0 {
				if got := c.hardware.options.ModuleGRE[i.Tunnel.ID]; got != step.module[k] {
					t.Errorf("step %d: %s: %v", n, i.Name, got)
				}
			}
		}
		if want := []int{0, 1, 1, 2}[n]; p.again != want || len(p.set) != 1 {
			t.Errorf("step %d: prices were asked for again %d times, want %d; %d pricers", n, p.again, want, len(p.set))
		}
	}
}

// A profile that is not there, or is broken, changes nothing.
func TestHardwareRefused(t *testing.T) {
	dir := t.TempDir()
	c, p := emulating(t, &Profiles{Dir: dir})
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "mine.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const good = "name: mine\nextends: sup720-3b\n"
	write(good)
	if err := c.Configure(start, parse(t, platform("mine")+hub)); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []struct{ file, name, want string }{
		{good, "sup720-3bx1", "did you mean sup720-3bxl"}, {"name: mine\nvalues:\n  frob: 7\n", "sup720-3b", "mine.yaml:3"},
	} {
		write(bad.file)
		if err := c.Configure(start, parse(t, platform(bad.name)+"hostname other\n"+hub)); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s: %v", bad.name, err)
		}
		if c.Tree().Hostname == "other" || len(p.set) != 1 || c.Hardware().Name != "mine" {
			t.Errorf("%s: it took effect", bad.name)
		}
		// The file is not looked at while the name stays.
		if err := c.Configure(start, parse(t, platform("mine")+hub)); err != nil || len(p.set) != 1 {
			t.Errorf("%v, %d pricers", err, len(p.set))
		}
	}
	if err := (&Profiles{Dir: dir}).check(); err == nil {
		t.Error("a broken file starts")
	}
	if err := (&Profiles{}).check(); err != nil {
		t.Error(err)
	}
}

// What naved is told wins over what the file says.
func TestHardwareNamed(t *testing.T) {
	for _, tc := range []struct{ named, file, want string }{
		{"", "", ""}, {"", "sup720-3a", "sup720-3a"}, {"sup720-3b", "sup720-3a", "sup720-3b"}, {"sup720-3b", "", "sup720-3b"}, {"none", "sup720-3a", ""}, {"", "none", ""},
	} {
		text := hub
		if tc.file != "" {
			text = platform(tc.file) + hub
		}
		got, err := (&Profiles{Name: tc.named}).Choose(parse(t, text))
		if name := nameOf(got); err != nil || name != tc.want {
			t.Errorf("%+v: %q, %v", tc, name, err)
		}
	}
	if _, err := (&Profiles{Name: "sup3"}).Choose(parse(t, hub)); err == nil || !strings.Contains(err.Error(), "sup720-3b") {
		t.Errorf("%v", err)
	}
}

func nameOf(p *hwprofiles.Profile) string {
	if p == nil {
		return ""
	}
	return p.Name
}

// What the hardware refuses is not carried out, and stands in the configuration all the same.
func TestHardwareRestricts(t *testing.T) {
	const more = "interface Tunnel0\n ip nhrp redirect\n ip tcp adjust-mss 1360\n tunnel path-mtu-discovery\ninterface Tunnel1\n ip nhrp network-id 2\n"
	c, _ := emulating(t, &Profiles{})
	find := func(name string) *slowpath.Interface {
		for k := range c.Current().Interfaces {
			if i := &c.Current().Interfaces[k]; i.Name == name {
				return i
			}
		}
		t.Fatalf("there is no %s", name)
		return nil
	}
	if err := c.Configure(start, parse(t, hub+more)); err != nil {
		t.Fatal(err)
	}
	if i := find("Tunnel0"); !i.Tunnel.Redirect || i.MSS != 1360 || !i.Tunnel.PathMTU || !i.Up {
		t.Fatalf("%+v %+v", i, i.Tunnel)
	}
	if err := c.Configure(start, parse(t, platform("sup720-3b-spa")+hub+more)); err != nil {
		t.Fatal(err)
	}
	if i := find("Tunnel0"); i.Tunnel.Redirect || i.MSS != 0 || i.Tunnel.PathMTU || !i.Up {
		t.Errorf("%+v %+v", i, i.Tunnel)
	}
	s := c.Status(start)
	if !strings.Contains(s.Running, "ip nhrp redirect") || len(s.Hardware.Restricted) != 3 || s.Hardware.Profile != c.Hardware() || s.Hardware.Since != start {
		t.Errorf("%+v", s.Hardware)
	}
	if rate := c.Current().IKE.Admission.SetUp; rate != 65 {
		t.Errorf("IKE SAs begin at %v a second", rate)
	}
	if err := c.Configure(start, parse(t, platform("sup2")+hub+more)); err != nil {
		t.Fatal(err)
	}
	if find("Tunnel0").Up || find("Tunnel1").Up || !slices.ContainsFunc(c.Problems(), func(p show.Problem) bool {
		return p.What == "interface Tunnel0" && strings.Contains(p.Why, "can't be hub or spoke")
	}) {
		t.Errorf("tunnels of a Supervisor Engine 2: %v", c.Problems())
	}
	if err := c.Configure(start, parse(t, hub+more)); err != nil {
		t.Fatal(err)
	}
	if i := find("Tunnel0"); !i.Tunnel.Redirect || !i.Up || c.Current().IKE.Admission.SetUp != 0 {
		t.Errorf("without the profile: %+v", i)
	}
}

func TestHardwareLimits(t *testing.T) {
	set, err := hwprofiles.Load("")
	if err != nil {
		t.Fatal(err)
	}
	p, err := set.Profile("sup720-3b")
	if err != nil {
		t.Fatal(err)
	}
	tree, _ := config.Parse("r", []byte("mls rate-limit unicast cef receive 1000 50\nmls rate-limit all mtu-failure 500\nmls rate-limit unicast ip options 10 1\nmls rate-limit all ttl-failure 0\n"))
	o, limited := optionsOf(tree, p)
	if len(o.Limits) != 2 || o.Limits[fib.LimitReceive] != (fib.Meter{Rate: 1000, Burst: 50}) || o.Limits[fib.LimitMTU] != (fib.Meter{Rate: 500, Burst: 10}) {
		t.Errorf("%+v", o.Limits)
	}
	if len(limited) != 4 {
		t.Fatalf("%+v", limited)
	}
	for _, l := range limited {
		if l.Known != (l.Case != "unicast ip options") || !l.Register {
			t.Errorf("%+v", l)
		}
	}
	p.RateLimiters.L3.Value = 1
	if o, _ := optionsOf(tree, p); len(o.Limits) > 1 {
		t.Errorf("one register: %+v", o.Limits)
	}
	if o, limited := optionsOf(tree, nil); o.Limits != nil || o.Routes != nil || limited != nil {
		t.Errorf("without hardware: %+v", o)
	}
}

// The table of flows of the hardware bounds those that are remembered.
func TestHardwareFlows(t *testing.T) {
	p := &hwprofiles.Profile{NetFlow: hwprofiles.NetFlow{Effective: hwprofiles.Number{Fact: hwprofiles.Fact{Known: true}, Value: 1000}}}
	for _, tc := range []struct {
		configured, workers, want int
		p                         *hwprofiles.Profile
	}{{5000, 1, 1000, p}, {5000, 4, 250, p}, {100, 4, 100, p}, {0, 4, 0, p}, {5000, 4, 5000, nil}, {5000, 4, 5000, &hwprofiles.Profile{}}, {5000, 3000, 1, p}} {
		if got := flowsOf(tc.configured, tc.workers, tc.p); got != tc.want {
			t.Errorf("%+v: %d", tc, got)
		}
		h, tree := emulation{profile: tc.p}, &config.Config{}
		tree.Fastpath.Flows, tree.Fastpath.Count = tc.configured, tc.workers
		if told := len(h.report(tree)) == 1; told != (tc.want != tc.configured) {
			t.Errorf("%+v: told: %v", tc, told)
		}
	}
}

// Loads are means of the last seconds, and peaks stay.
func TestHardwareLoads(t *testing.T) {
	var m meter
	var spent [fib.NumBudgets]uint64
	now := start
	for s := range 30 {
		m.rate(now, &spent)
		now = now.Add(time.Second)
		switch {
		case s < 10:
			spent[fib.CEF] += 1000
		case s == 10:
			spent[fib.CEF] += 6000
		}
		if l := m.loads[fib.CEF]; s == 9 && (l.PerSecond != 1000 || l.Peak != 1000) {
			t.Errorf("steady: %+v", l)
		}
		if l := m.loads[fib.CEF]; s == 12 && (l.PerSecond != (3000+6000)/5) {
			t.Errorf("after a burst: %+v", l)
		}
	}
	if l := m.loads[fib.CEF]; l.PerSecond != 0 || l.Peak != 6000 || l.PeakTime != start.Add(11*time.Second) {
		t.Errorf("%+v", l)
	}
	if m.loads[fib.Process] != (show.Load{}) {
		t.Errorf("%+v", m.loads[fib.Process])
	}
}

// What the log is to be told: the first time, and while it goes on once a minute.
func TestHardwareTold(t *testing.T) {
	var m meter
	tell := func(at time.Duration, u hwprofiles.Usage, switched []show.SwitchedTunnel, multicast uint64) (kinds []show.HardwareKind) {
		for _, e := range m.tell(start.Add(at), &u, switched, multicast) {
			kinds = append(kinds, e.(show.HardwareLog).Kind)
		}
		return kinds
	}
	expect := func(what string, got []show.HardwareKind, want ...show.HardwareKind) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	full := hwprofiles.Usage{IPv4: hwprofiles.Routes{Threshold: true}}
	expect("nothing", tell(0, hwprofiles.Usage{}, nil, 0))
	expect("threshold", tell(time.Second, full, nil, 0), show.HardwareThreshold)
	expect("still", tell(2*time.Second, full, nil, 0))
	full.IPv4.Exception, full.MPLS.Exception = true, true
	expect("exception", tell(3*time.Second, full, nil, 0), show.HardwareException, show.HardwareException)
	one := []show.SwitchedTunnel{{Interface: "Tunnel0", Key: "gre.key_in_hw"}}
	expect("a tunnel", tell(4*time.Second, full, one, 0), show.HardwareSwitched)
	expect("the same", tell(5*time.Second, full, one, 0))
	expect("none", tell(6*time.Second, full, nil, 0))
	expect("again", tell(7*time.Second, full, one, 0), show.HardwareSwitched)
	expect("multicast", tell(8*time.Second, full, one, 3), show.HardwareMulticast)
	expect("goes on", tell(9*time.Second, full, one, 9))
	expect("a minute later", tell(69*time.Second, full, one, 9), show.HardwareMulticast)
	expect("over", tell(200*time.Second, full, one, 9))
	full.CryptoRefused = 2
	expect("refused", tell(201*time.Second, full, one, 9), show.HardwareCryptoFull)
	expect("counted anew", tell(300*time.Second, full, one, 1), show.HardwareMulticast)
}

// A Core samples by its profile only, and what was dropped before that is not told.
func TestSampleHardware(t *testing.T) {
	c, _ := emulating(t, &Profiles{})
	if err := c.Configure(start, parse(t, hub)); err != nil {
		t.Fatal(err)
	}
	var tally fastpath.Tally
	tally.Reasons[fastpath.EncryptedMulticast] = 7
	if list := c.SampleHardware(start, tally); list != nil {
		t.Errorf("%v", list)
	}
	if err := c.Configure(start, parse(t, platform("sup720-3b-spa")+hub)); err != nil {
		t.Fatal(err)
	}
	if list := c.SampleHardware(start, tally); len(list) != 0 {
		t.Errorf("%v", list)
	}
	tally.Reasons[fastpath.EncryptedMulticast], tally.Spent[fib.Engine] = 9, 1600
	list := c.SampleHardware(start.Add(time.Second), tally)
	if len(list) != 1 || list[0].(show.HardwareLog).Count != 2 || c.Status(start).Hardware.Loads[fib.Engine].PerSecond != 1600 {
		t.Errorf("%v", list)
	}
}
