package host

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/testbed/netns"
)

// others is what a RouteWatch has told.
type others struct {
	mu    sync.Mutex
	m     map[netip.Prefix]OtherRoute
	tells int // routes that were told
	h     *Host
	w     *RouteWatch
}

func watchRoutes(t testing.TB, h *Host) (*others, context.CancelFunc) {
	t.Helper()
	o := &others{m: make(map[netip.Prefix]OtherRoute), h: h}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	w, err := h.WatchRoutes(ctx, o.take)
	if err != nil {
		t.Fatal(err)
	}
	o.w = w
	return o, cancel
}

func (o *others) take(changed []OtherRoute) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range changed {
		o.tells++
		if c.Gone {
			delete(o.m, c.Prefix)
		} else {
			o.m[c.Prefix] = c
		}
	}
}

func (o *others) count() (routes, tells int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.m), o.tells
}

// text is what is known of a prefix; "" if that is nothing.
func (o *others) text(p string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	r, ok := o.m[netip.MustParsePrefix(p)]
	if !ok {
		return ""
	}
	out := "proto " + strconv.Itoa(int(r.Protocol)) + " metric " + strconv.Itoa(int(r.Metric))
	if r.Discard {
		out += " discard"
	}
	for _, h := range r.Hops {
		name := "?"
		if l, err := o.h.nl.LinkByIndex(h.Link); err == nil {
			name = l.Attrs().Name
		}
		out += " " + name
		if h.Gateway.IsValid() {
			out += " via " + h.Gateway.String()
		}
		if h.Weight != 1 {
			out += " weight " + strconv.Itoa(h.Weight)
		}
	}
	return out
}

func (o *others) want(t *testing.T, p, want string) {
	t.Helper()
	end := time.Now().Add(patience)
	for o.text(p) != want {
		if time.Now().After(end) {
			t.Fatalf("%s: %q, want %q", p, o.text(p), want)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// routed is a namespace with eth0 (10.1.0.1/24) and eth1 (10.2.0.1/24).
func routed(t *testing.T) (*netns.NS, *Host) {
	t.Helper()
	router, far := lab(t)
	must(t, netns.Veth(netns.End{NS: router, Name: "eth1"}, netns.End{NS: far, Name: "eth1"}, 1500))
	h := open(t, router, t.TempDir())
	must(t, h.SetAddresses("eth0", []netip.Prefix{netip.MustParsePrefix("10.1.0.1/24")}))
	must(t, h.SetAddresses("eth1", []netip.Prefix{netip.MustParsePrefix("10.2.0.1/24")}))
	return router, h
}

func TestRoutesIn(t *testing.T) {
	router, h := routed(t)
	must(t, router.Sysctl("ipv6/conf/eth0/disable_ipv6", "0"))
	run(t, router, "ip route add 10.10.0.0/16 via 10.1.0.7")
	run(t, router, "ip route add 10.11.0.0/16 via 10.1.0.7 proto 206 metric 4261413070")
	o, _ := watchRoutes(t, h)
	o.want(t, "10.10.0.0/16", "proto 3 metric 0 eth0 via 10.1.0.7")
	for _, line := range []string{
		"ip route add default via 10.1.0.9 proto dhcp metric 100",
		"ip route add 10.12.0.0/16 proto ospf metric 20 nexthop via 10.1.0.7 weight 3 nexthop via 10.2.0.7 weight 1",
		"ip route add blackhole 10.13.0.0/16 proto static", "ip route add unreachable 10.14.0.0/16", "ip route add prohibit 10.15.0.0/16", "ip route add throw 10.16.0.0/16",
		"ip route add 10.17.0.0/16 dev eth1 scope link", "ip route add 10.18.0.0/16 via 192.0.2.7 dev eth1 onlink",
		"ip route add 10.19.0.0/16 via 10.1.0.7 table 100", "ip route add 10.20.0.0/16 via 10.1.0.7 proto redirect", "ip route add 10.21.0.0/16 via 10.1.0.7 proto ra",
		"ip route add 10.22.0.0/16 via 10.1.0.7 tos 0x10", "ip route add 10.23.0.0/16 via 10.1.0.7 proto 206 metric 4261413070", "ip route add 10.24.0.0/16 via inet6 fe80::1 dev eth0",
	} {
		run(t, router, line)
	}
	for p, want := range map[string]string{
		"0.0.0.0/0": "proto 16 metric 100 eth0 via 10.1.0.9", "10.12.0.0/16": "proto 188 metric 20 eth0 via 10.1.0.7 weight 3 eth1 via 10.2.0.7",
		"10.13.0.0/16": "proto 4 metric 0 discard", "10.14.0.0/16": "proto 3 metric 0 discard", "10.15.0.0/16": "proto 3 metric 0 discard",
		"10.17.0.0/16": "proto 3 metric 0 eth1", "10.18.0.0/16": "proto 3 metric 0 eth1 via 192.0.2.7", "10.24.0.0/16": "proto 3 metric 0",
		"10.11.0.0/16": "", "10.16.0.0/16": "", "10.19.0.0/16": "", "10.20.0.0/16": "", "10.21.0.0/16": "", "10.22.0.0/16": "", "10.23.0.0/16": "", "10.1.0.0/24": "",
	} {
		o.want(t, p, want)
	}
	// the best of several, by metric; and what comes after it when it goes
	run(t, router, "ip route add 10.10.0.0/16 via 10.2.0.7 metric 50 proto static")
	run(t, router, "ip route add 10.10.0.0/16 via 10.2.0.8 metric 20 proto ospf")
	time.Sleep(3 * tellAfter)
	o.want(t, "10.10.0.0/16", "proto 3 metric 0 eth0 via 10.1.0.7")
	run(t, router, "ip route del 10.10.0.0/16 via 10.1.0.7")
	o.want(t, "10.10.0.0/16", "proto 188 metric 20 eth1 via 10.2.0.8")
	run(t, router, "ip route replace 10.10.0.0/16 via 10.2.0.9 metric 20 proto ospf")
	o.want(t, "10.10.0.0/16", "proto 188 metric 20 eth1 via 10.2.0.9")
	run(t, router, "ip route append 10.10.0.0/16 via 10.2.0.10 metric 20 proto ospf")
	run(t, router, "ip route prepend 10.10.0.0/16 via 10.2.0.11 metric 20 proto ospf")
	o.want(t, "10.10.0.0/16", "proto 188 metric 20 eth1 via 10.2.0.11")
	run(t, router, "ip route del 10.10.0.0/16 via 10.2.0.11")
	o.want(t, "10.10.0.0/16", "proto 188 metric 20 eth1 via 10.2.0.9")
	run(t, router, "ip route flush 10.10.0.0/16 proto ospf")
	o.want(t, "10.10.0.0/16", "proto 4 metric 50 eth1 via 10.2.0.7")
	run(t, router, "ip route del 10.10.0.0/16")
	o.want(t, "10.10.0.0/16", "")
	// told again, all of it
	routes, tells := o.count()
	o.w.Again()
	eventually(t, "all is told again", func() bool { r, n := o.count(); return r == routes && n == tells+routes })
}

// Linux says nothing of these: a netdev that goes down, an address that a route names, a nexthop object.
func TestRoutesThatGoSilently(t *testing.T) {
	router, h := routed(t)
	run(t, router, "ip addr add 10.9.9.9/32 dev lo")
	o, cancel := watchRoutes(t, h)
	for _, line := range []string{
		"ip route add 10.10.0.0/16 via 10.1.0.7", "ip route add 10.10.0.0/16 via 10.2.0.7 metric 10",
		"ip route add 10.12.0.0/16 nexthop via 10.1.0.7 nexthop via 10.2.0.7", "ip route add 10.13.0.0/16 via 10.2.0.7 src 10.9.9.9",
		"ip nexthop add id 1 via 10.1.0.8 dev eth0", "ip nexthop add id 2 via 10.2.0.8 dev eth1", "ip nexthop add id 3 group 1,2/2,3",
		"ip route add 10.14.0.0/16 nhid 2 proto ospf metric 20", "ip route add 10.15.0.0/16 nhid 3 proto ospf metric 20",
	} {
		run(t, router, line)
	}
	o.want(t, "10.12.0.0/16", "proto 3 metric 0 eth0 via 10.1.0.7 eth1 via 10.2.0.7")
	o.want(t, "10.13.0.0/16", "proto 3 metric 0 eth1 via 10.2.0.7")
	o.want(t, "10.14.0.0/16", "proto 188 metric 20 eth1 via 10.2.0.8")
	o.want(t, "10.15.0.0/16", "proto 188 metric 20 eth0 via 10.1.0.8 weight 2 eth1 via 10.2.0.8 weight 3")
	run(t, router, "ip nexthop replace id 2 via 10.2.0.9 dev eth1")
	o.want(t, "10.14.0.0/16", "proto 188 metric 20 eth1 via 10.2.0.9")
	o.want(t, "10.15.0.0/16", "proto 188 metric 20 eth0 via 10.1.0.8 weight 2 eth1 via 10.2.0.9 weight 3")
	run(t, router, "ip nexthop del id 2")
	o.want(t, "10.14.0.0/16", "")
	o.want(t, "10.15.0.0/16", "proto 188 metric 20 eth0 via 10.1.0.8")
	run(t, router, "ip addr del 10.9.9.9/32 dev lo")
	o.want(t, "10.13.0.0/16", "")
	run(t, router, "ip link set eth0 down")
	o.want(t, "10.10.0.0/16", "proto 3 metric 10 eth1 via 10.2.0.7")
	o.want(t, "10.12.0.0/16", "proto 3 metric 0 eth1 via 10.2.0.7")
	o.want(t, "10.15.0.0/16", "")
	run(t, router, "ip link set eth0 up")
	run(t, router, "ip route add 10.10.0.0/16 via 10.1.0.8")
	o.want(t, "10.10.0.0/16", "proto 3 metric 0 eth0 via 10.1.0.8")
	o.want(t, "10.12.0.0/16", "proto 3 metric 0 eth0 via 10.1.0.7 eth1 via 10.2.0.7")
	cancel()
	time.Sleep(50 * time.Millisecond)
	_, tells := o.count()
	run(t, router, "ip route del 10.10.0.0/16 via 10.1.0.8")
	time.Sleep(5 * tellAfter)
	if _, n := o.count(); n != tells {
		t.Error("told after the end")
	}
}

// More than the socket holds: nothing is missing in the end.
func TestRoutesOverrun(t *testing.T) {
	router, h := routed(t)
	slow := make(chan struct{})
	o := &others{m: make(map[netip.Prefix]OtherRoute), h: h}
	first := true
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w, err := h.WatchRoutes(ctx, func(c []OtherRoute) {
		if first {
			first = false
			<-slow // and the socket fills up meanwhile
		}
		o.take(c)
	})
	must(t, err)
	must(t, w.events.raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) }))
	time.Sleep(100 * time.Millisecond)
	run(t, router, "ip route add 10.10.0.0/16 via 10.1.0.7")
	time.Sleep(5 * tellAfter)
	const n = 3000
	batch(t, router, n, "add %s via 10.1.0.7 proto 188")
	batch(t, router, n/2, "del %s")
	batch(t, router, n/4, "add blackhole %s")
	close(slow)
	eventually(t, "all is known", func() bool { r, _ := o.count(); return r == 1+n-n/2+n/4 })
	o.want(t, nth(0).String(), "proto 3 metric 0 discard")
	o.want(t, nth(n/2-1).String(), "")
	o.want(t, nth(n-1).String(), "proto 188 metric 0 eth0 via 10.1.0.7")
}

// batch runs one command of `ip route` for each of the first n prefixes.
func batch(t testing.TB, ns *netns.NS, n int, line string) {
	t.Helper()
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "route "+line+"\n", nth(i))
	}
	c := ns.Command("ip", "-batch", "-")
	c.Stdin = strings.NewReader(b.String())
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// A hundred thousand routes of nave's do not come back, and cost the watch nothing.
func TestRoutesOfOursDoNotComeBack(t *testing.T) {
	router, h := routed(t)
	o, _ := watchRoutes(t, h)
	r, _ := openRoutes(t, h)
	way := by("eth0", "10.1.0.7")
	for i := range 5000 {
		r.Set(nth(i), way)
	}
	eventually(t, "they are written", func() bool { return r.Waiting() == 0 })
	run(t, router, "ip route add 10.10.0.0/16 via 10.1.0.7")
	o.want(t, "10.10.0.0/16", "proto 3 metric 0 eth0 via 10.1.0.7")
	if n, _ := o.count(); n != 1 {
		t.Errorf("%d routes told", n)
	}
	run(t, router, "ip route add "+nth(7).String()+" via 10.2.0.7 metric 20 proto ospf")
	o.want(t, nth(7).String(), "proto 188 metric 20 eth1 via 10.2.0.7")
	must(t, r.End())
	time.Sleep(3 * tellAfter)
	o.want(t, nth(7).String(), "proto 188 metric 20 eth1 via 10.2.0.7")
}

func TestPackHops(t *testing.T) {
	in := []routeHop{{link: 3, weight: 1}, {link: 4, weight: 256, gateway: netip.MustParseAddr("10.1.0.7")}, {link: 5, weight: 1, dead: true}, {link: 6, weight: 1, strange: true}}
	want := []OtherHop{{Link: 3, Weight: 1}, {Link: 4, Weight: 256, Gateway: netip.MustParseAddr("10.1.0.7")}}
	if got := unpackHops(packHops(&routeMessage{hops: in})); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// BenchmarkRoutesIn lists 100 000 routes of others, and hears of a change of each.
func BenchmarkRoutesIn(b *testing.B) {
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
	batch(b, router, n, "add %s dev Tunnel0 proto 188")
	for b.Loop() {
		start := time.Now()
		o, cancel := watchRoutes(b, h)
		for r, _ := o.count(); r < n; r, _ = o.count() {
			time.Sleep(time.Millisecond)
		}
		b.ReportMetric(time.Since(start).Seconds(), "s/100k-listed")
		cancel()
	}
}

// Whatever is done to routes, what was heard of it is what there is: as somebody is told who begins to listen afterwards.
func TestRoutesHeardAreThoseListed(t *testing.T) {
	router, h := routed(t)
	o, _ := watchRoutes(t, h)
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	for round := range 8 {
		var b strings.Builder
		for range 400 {
			p := nth(random.IntN(6)).String()
			attributes := pick(" proto kernel", " proto kernel metric 10", " metric 10 proto ospf", " metric 10 proto static", " metric 20 proto ospf", " proto bgp")
			// names, as `ip -batch` takes a number for that of another line
			hop := pick(" via 10.1.0.7", " via 10.2.0.7", " via 10.2.0.8", " dev eth1", " nexthop via 10.1.0.7 nexthop via 10.2.0.7 weight 3")
			kind := ""
			if random.IntN(8) == 0 {
				kind, hop = pick("blackhole ", "throw ", "unreachable "), ""
			}
			switch verb := pick("add", "add", "replace", "append", "prepend", "change", "del", "del"); verb {
			case "del":
				fmt.Fprintf(&b, "route del %s%s\n", p, pick("", attributes, hop))
			default:
				fmt.Fprintf(&b, "route %s %s%s%s%s\n", verb, kind, p, attributes, hop)
			}
		}
		c := router.Command("ip", "-force", "-batch", "-") // what can't be done is left
		c.Stdin = strings.NewReader(b.String())
		_ = c.Run()
		time.Sleep(5 * tellAfter)
		fresh, cancel := watchRoutes(t, h)
		same := func() bool {
			o.mu.Lock()
			defer o.mu.Unlock()
			fresh.mu.Lock()
			defer fresh.mu.Unlock()
			return maps.EqualFunc(o.m, fresh.m, func(a, b OtherRoute) bool {
				return a.Protocol == b.Protocol && a.Metric == b.Metric && a.Discard == b.Discard && slices.Equal(a.Hops, b.Hops)
			})
		}
		for end := time.Now().Add(patience); !same() && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		if !same() {
			t.Fatalf("round %d of seed %d:\nheard  %v\nlisted %v\n%s", round, seed, o.m, fresh.m, routes(t, router))
		}
		cancel()
	}
}
