package host

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nave/testbed/netns"
)

// troubles notes what Routes says of refused routes.
type troubles struct {
	mu  sync.Mutex
	n   []int
	err error
}

func (o *troubles) take(n int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.n = append(o.n, n)
	if err != nil {
		o.err = err
	}
}

func (o *troubles) last() (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.n) == 0 {
		return -1, o.err
	}
	return o.n[len(o.n)-1], o.err
}

func openRoutes(t testing.TB, h *Host) (*Routes, *troubles) {
	t.Helper()
	o := new(troubles)
	r, err := h.openRoutes(o.take, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r, o
}

func by(dev, gateway string) *Way {
	h := Hop{Netdev: dev}
	if gateway != "" {
		h.Gateway = netip.MustParseAddr(gateway)
	}
	return &Way{Hops: []Hop{h}}
}

// routes is what `ip route` shows of the main table.
func routes(t *testing.T, ns *netns.NS) string {
	t.Helper()
	out, err := ns.Run("ip", "-4", "route", "show")
	must(t, err)
	return out
}

// shows waits until `ip route` has some lines, by how they begin, and none with others in it.
func shows(t *testing.T, ns *netns.NS, want []string, none ...string) {
	t.Helper()
	var out string
	end := time.Now().Add(patience)
	for ok := false; !ok; time.Sleep(20 * time.Millisecond) {
		out = routes(t, ns)
		ok = true
		for _, w := range want {
			ok = ok && strings.Contains("\n"+out, "\n"+w)
		}
		for _, w := range none {
			ok = ok && !strings.Contains(out, w)
		}
		if !ok && time.Now().After(end) {
			t.Fatalf("want %q and none of %q in\n%s", want, none, out)
		}
	}
}

func run(t *testing.T, ns *netns.NS, line string) {
	t.Helper()
	if _, err := ns.Run(strings.Fields(line)...); err != nil {
		t.Fatal(err)
	}
}

func TestRoutesOut(t *testing.T) {
	router, _ := lab(t)
	h := open(t, router, t.TempDir())
	pfx := netip.MustParsePrefix
	must(t, h.SetAddresses("eth0", []netip.Prefix{pfx("10.1.0.1/24")}))
	run(t, router, "ip route add 10.66.0.0/16 via 10.1.0.66")
	run(t, router, "ip route add default via 10.1.0.99")
	r, _ := openRoutes(t, h)
	tun, err := h.OpenTwin("Tunnel0", 1400)
	must(t, err)
	defer tun.Close()
	must(t, h.SetAddresses("Tunnel0", []netip.Prefix{pfx("10.255.0.1/24")}))
	must(t, h.SetAddresses("lo", []netip.Prefix{pfx("10.9.9.9/32")}))
	two := &Way{Hops: []Hop{{Netdev: "eth0", Gateway: netip.MustParseAddr("10.1.0.7"), Weight: 3}, {Netdev: "Tunnel0"}}}
	onLink := &Way{Hops: []Hop{{Netdev: "eth0", Gateway: netip.MustParseAddr("192.0.2.7"), OnLink: true}}}
	src := &Way{Hops: []Hop{{Netdev: "Tunnel0"}}, Source: netip.MustParseAddr("10.9.9.9")}
	for p, w := range map[string]*Way{
		"0.0.0.0/0": by("eth0", "10.1.0.7"), "10.5.0.0/16": by("Tunnel0", ""), "10.6.0.0/16": by("eth0", "10.1.0.8"), "10.7.0.0/16": two,
		"10.8.0.0/16": {}, "10.10.0.0/16": onLink, "10.11.0.0/16": src, "10.66.0.0/16": by("Tunnel0", ""),
	} {
		r.Set(pfx(p), w)
	}
	shows(t, router, []string{
		"default via 10.1.0.7 dev eth0 proto 206 metric 4261413070", "default via 10.1.0.99 dev eth0", "10.5.0.0/16 dev Tunnel0 proto 206 scope link metric 4261413070",
		"10.6.0.0/16 via 10.1.0.8 dev eth0 proto 206 metric 4261413070", "10.7.0.0/16 proto 206 metric 4261413070", "blackhole 10.8.0.0/16 proto 206 metric 4261413070",
		"10.10.0.0/16 via 192.0.2.7 dev eth0 proto 206 metric 4261413070 onlink", "10.11.0.0/16 dev Tunnel0 proto 206 scope link src 10.9.9.9 metric 4261413070",
		"10.66.0.0/16 via 10.1.0.66 dev eth0", "10.66.0.0/16 dev Tunnel0 proto 206",
	})
	if out := routes(t, router); !strings.Contains(out, "nexthop via 10.1.0.7 dev eth0 weight 3") || !strings.Contains(out, "nexthop dev Tunnel0 weight 1") {
		t.Errorf("the two ways of 10.7.0.0/16:\n%s", out)
	}
	for dst, want := range map[string]string{"10.5.1.1": "dev Tunnel0 src 10.255.0.1", "10.11.1.1": "dev Tunnel0 src 10.9.9.9", "10.66.1.1": "via 10.1.0.66 dev eth0 src 10.1.0.1"} {
		if out, err := router.Run("ip", "route", "get", dst); err != nil || !strings.Contains(out, want) {
			t.Errorf("to %s by %s, %v; want %s", dst, out, err, want)
		}
	}
	// Changes: another gateway, from one way to two and back, none any more.
	r.Set(pfx("0.0.0.0/0"), by("eth0", "10.1.0.9"))
	r.Set(pfx("10.6.0.0/16"), two)
	r.Set(pfx("10.7.0.0/16"), by("Tunnel0", ""))
	r.Set(pfx("10.8.0.0/16"), nil)
	r.Set(pfx("10.99.0.0/16"), nil) // was none
	shows(t, router, []string{"default via 10.1.0.9 dev eth0 proto 206", "default via 10.1.0.99", "10.6.0.0/16 proto 206", "10.7.0.0/16 dev Tunnel0 proto 206"}, "blackhole", "10.1.0.7 dev eth0 proto")
	if w := r.Want(pfx("10.7.0.0/16")); w == nil || w.Hops[0].Netdev != "Tunnel0" {
		t.Errorf("want says %+v", w)
	}
	must(t, r.End())
	shows(t, router, []string{"default via 10.1.0.99", "10.66.0.0/16 via 10.1.0.66"}, "proto 206")
}

// The kernel forgets routes when a netdev goes down, or the address that they name; Check brings them back. What it refuses is told once, and put when it can be.
func TestRoutesComeBack(t *testing.T) {
	router, _ := lab(t)
	h := open(t, router, t.TempDir())
	pfx := netip.MustParsePrefix
	must(t, h.SetAddresses("eth0", []netip.Prefix{pfx("10.1.0.1/24")}))
	run(t, router, "ip addr add 10.9.9.9/32 dev lo")
	r, o := openRoutes(t, h)
	r.Set(pfx("10.5.0.0/16"), by("eth0", "10.1.0.7"))
	r.Set(pfx("10.6.0.0/16"), &Way{Hops: []Hop{{Netdev: "eth0", Gateway: netip.MustParseAddr("10.1.0.7")}}, Source: netip.MustParseAddr("10.9.9.9")})
	shows(t, router, []string{"10.5.0.0/16 via", "10.6.0.0/16 via"})
	run(t, router, "ip link set eth0 down")
	shows(t, router, nil, "proto 206")
	run(t, router, "ip link set eth0 up")
	r.Check()
	shows(t, router, []string{"10.5.0.0/16 via", "10.6.0.0/16 via"})
	run(t, router, "ip addr del 10.9.9.9/32 dev lo")
	shows(t, router, []string{"10.5.0.0/16 via"}, "10.6.0.0")
	run(t, router, "ip addr add 10.9.9.9/32 dev lo")
	r.Check()
	shows(t, router, []string{"10.5.0.0/16 via", "10.6.0.0/16 via"})
	// somebody tampers with one, takes one away, and adds one with nave's number
	run(t, router, "ip route replace 10.5.0.0/16 via 10.1.0.77 proto 206 metric 4261413070")
	run(t, router, "ip route del 10.6.0.0/16 proto 206")
	run(t, router, "ip route add 10.7.0.0/16 via 10.1.0.77 proto 206 metric 4261413070")
	r.Settle()
	r.Check()
	shows(t, router, []string{"10.5.0.0/16 via 10.1.0.7 ", "10.6.0.0/16 via 10.1.0.7 "}, "10.1.0.77")
	if n, err := o.last(); n > 0 || err != nil {
		t.Errorf("trouble: %d, %v", n, err)
	}
	// a way that can't be, until it can; and what was there by the old way is not there meanwhile
	r.Set(pfx("10.5.0.0/16"), by("eth0", "10.2.0.7"))
	shows(t, router, []string{"10.6.0.0/16 via"}, "10.5.0.0")
	eventually(t, "the refusal is told", func() bool {
		n, err := o.last()
		return n == 1 && strings.Contains(fmt.Sprint(err), "10.5.0.0/16 by eth0 and 10.2.0.7")
	})
	must(t, h.SetAddresses("eth0", []netip.Prefix{pfx("10.1.0.1/24"), pfx("10.2.0.1/24")}))
	r.Check()
	shows(t, router, []string{"10.5.0.0/16 via 10.2.0.7"})
	eventually(t, "the end of the trouble is told", func() bool { n, _ := o.last(); return n == 0 })
	r.Set(pfx("10.12.0.0/16"), by("none0", ""))
	time.Sleep(100 * time.Millisecond)
	if strings.Contains(routes(t, router), "10.12.0.0") {
		t.Error("a route by a netdev that is not there")
	}
}

// What a naved that was killed has left stays until the next one knows all that is wanted; what is the same is not touched.
func TestRoutesOfBefore(t *testing.T) {
	router, _ := lab(t)
	dir := t.TempDir()
	h := open(t, router, dir)
	pfx := netip.MustParsePrefix
	must(t, h.SetAddresses("eth0", []netip.Prefix{pfx("10.1.0.1/24")}))
	first, _ := openRoutes(t, h)
	for _, p := range []string{"10.5.0.0/16", "10.6.0.0/16", "10.7.0.0/16", "10.8.0.0/16"} {
		first.Set(pfx(p), by("eth0", "10.1.0.7"))
	}
	shows(t, router, []string{"10.5.0.0/16 via", "10.6.0.0/16 via", "10.7.0.0/16 via", "10.8.0.0/16 via"})
	first.cancel()
	<-first.done
	monitor := router.Command("ip", "-4", "monitor", "route")
	var text strings.Builder
	monitor.Stdout = &text
	must(t, monitor.Start())
	time.Sleep(200 * time.Millisecond)
	second, _ := openRoutes(t, h)
	stays := by("eth0", "10.1.0.7")
	stays.Stays = true
	second.Set(pfx("10.5.0.0/16"), stays)
	second.Set(pfx("10.6.0.0/16"), by("eth0", "10.1.0.8"))
	second.Set(pfx("10.8.0.0/16"), nil) // it is known by now that there is none
	shows(t, router, []string{"10.5.0.0/16 via 10.1.0.7", "10.6.0.0/16 via 10.1.0.8", "10.7.0.0/16 via 10.1.0.7"}, "10.8.0.0")
	second.Settle()
	shows(t, router, []string{"10.5.0.0/16 via 10.1.0.7", "10.6.0.0/16 via 10.1.0.8"}, "10.7.0.0")
	must(t, second.End())
	shows(t, router, []string{"10.5.0.0/16 via 10.1.0.7"}, "10.6.0.0")
	time.Sleep(100 * time.Millisecond)
	must(t, monitor.Process.Kill())
	_ = monitor.Wait()
	if strings.Contains(text.String(), "Deleted 10.5.0.0/16") {
		t.Errorf("a route that stays the same was taken away meanwhile:\n%s", &text)
	}
}

// A route of somebody else's with nave's metric is not replaced.
func TestRoutesOfOthersWithOurMetric(t *testing.T) {
	router, _ := lab(t)
	h := open(t, router, t.TempDir())
	must(t, h.SetAddresses("eth0", []netip.Prefix{netip.MustParsePrefix("10.1.0.1/24")}))
	run(t, router, "ip route add 10.5.0.0/16 via 10.1.0.66 metric 4261413070")
	r, o := openRoutes(t, h)
	r.Set(netip.MustParsePrefix("10.6.0.0/16"), by("eth0", "10.1.0.7"))
	shows(t, router, []string{"10.6.0.0/16 via 10.1.0.7"})
	r.Set(netip.MustParsePrefix("10.5.0.0/16"), by("eth0", "10.1.0.7"))
	eventually(t, "the refusal is told", func() bool { n, err := o.last(); return n == 1 && strings.Contains(fmt.Sprint(err), "give it another") })
	shows(t, router, []string{"10.5.0.0/16 via 10.1.0.66 dev eth0 metric 4261413070"}, "10.5.0.0/16 via 10.1.0.7")
}

// A hundred thousand routes, and a change that overtakes those that wait.
func TestManyRoutes(t *testing.T) {
	router, _ := lab(t)
	h := open(t, router, t.TempDir())
	must(t, h.SetAddresses("eth0", []netip.Prefix{netip.MustParsePrefix("10.1.0.1/24")}))
	r, o := openRoutes(t, h)
	const n = 20_000
	way, other := by("eth0", "10.1.0.7"), by("eth0", "10.1.0.8")
	for i := range n {
		r.Set(nth(i), way)
	}
	for i := range n {
		if i%2 == 1 {
			r.Set(nth(i), other)
		}
		if i%4 == 2 {
			r.Set(nth(i), nil)
		}
	}
	eventually(t, "all are written", func() bool { return r.Waiting() == 0 })
	shows(t, router, []string{nth(n-1).String() + " via 10.1.0.8", nth(n-4).String() + " via 10.1.0.7"}, nth(n-2).String())
	if got := strings.Count(routes(t, router), "proto 206"); got != n*3/4 {
		t.Errorf("%d routes in the kernel, want %d", got, n*3/4)
	}
	if k, err := o.last(); k > 0 {
		t.Errorf("%d refused: %v", k, err)
	}
	must(t, r.End())
	shows(t, router, nil, "proto 206")
}

// nth is the i-th of many prefixes.
func nth(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{20 + byte(i>>16), byte(i >> 8), byte(i), 0}), 24)
}

// BenchmarkRoutes writes 100 000 routes. What Set takes the caller, and how long the kernel has them then.
func BenchmarkRoutes(b *testing.B) {
	router := netns.New(b, "router")
	var h *Host
	dir := b.TempDir()
	if err := router.Do(func() (err error) { h, err = Open(dir); return err }); err != nil {
		b.Fatal(err)
	}
	defer h.Close()
	tun, err := h.OpenTwin("Tunnel0", 1400)
	if err != nil {
		b.Fatal(err)
	}
	defer tun.Close()
	const n = 100_000
	for b.Loop() {
		r, o := openRoutes(b, h)
		way := by("Tunnel0", "")
		before := heap()
		start := time.Now()
		for i := range n {
			r.Set(nth(i), way)
		}
		said := time.Since(start)
		for r.Waiting() > 0 {
			time.Sleep(time.Millisecond)
		}
		b.ReportMetric(float64(said.Nanoseconds())/n, "ns/Set")
		b.ReportMetric(time.Since(start).Seconds(), "s/100k-routes")
		b.ReportMetric(heap()-before, "MB/100k-routes")
		start = time.Now()
		if err := r.End(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(start).Seconds(), "s/100k-removed")
		if k, err := o.last(); k > 0 {
			b.Fatal(k, err)
		}
	}
}

// heap is what is in use, in millions of bytes.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}

// What the kernel could never have said is not taken, at any length; what it says is understood.
func TestRouteMessage(t *testing.T) {
	index := func(string) (int, error) { return 7, nil }
	w := &Way{Hops: []Hop{{Netdev: "a", Gateway: netip.MustParseAddr("10.1.0.7"), Weight: 3, OnLink: true}, {Netdev: "b"}}, Source: netip.MustParseAddr("10.9.9.9")}
	k := keyOf(netip.MustParsePrefix("10.5.0.0/16"))
	b, err := w.put(nil, k, 0, 1, index)
	must(t, err)
	var m routeMessage
	eachMessage(b, func(_, _ uint16, _ uint32, body []byte) {
		if !m.parse(body) || !m.ours() || m.key != k || !w.matches(&m, index) {
			t.Errorf("%+v", m)
		}
		full := slices.Clone(body)
		for n := range full {
			m.parse(full[:n])
			if w.matches(&m, index) {
				t.Errorf("cut at %d bytes: the same", n)
			}
		}
	})
	if k.prefix() != netip.MustParsePrefix("10.5.0.0/16") {
		t.Errorf("a key of %s", k.prefix())
	}
	if _, err := w.put(nil, k, 0, 1, func(string) (int, error) { return 0, errNoNetdev }); !errors.Is(err, errNoNetdev) {
		t.Errorf("by a netdev that is not there: %v", err)
	}
}

func FuzzRouteMessage(f *testing.F) {
	w := &Way{Hops: []Hop{{Netdev: "a", Gateway: netip.MustParseAddr("10.1.0.7"), Weight: 3}, {Netdev: "b"}}}
	b, err := w.put(nil, keyOf(netip.MustParsePrefix("10.5.0.0/16")), 0, 1, func(string) (int, error) { return 7, nil })
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m routeMessage
		w := &RouteWatch{tell: func([]OtherRoute) {}, prefixes: make(map[routeKey]*otherPrefix), touched: make(map[routeKey]struct{})}
		eachMessage(b, func(kind, flags uint16, _ uint32, body []byte) {
			_ = refusal(flags, body)
			w.event(kind, flags, body)
			w.flush(t.Context())
			if m.parse(body) && m.key.prefix() != m.key.prefix().Masked() {
				t.Errorf("prefix %s", m.key.prefix())
			}
		})
	})
}
