package bgp

import (
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"
)

// box is a router of a test: a speaker at an address of the loopback, and what it said.
type box struct {
	t      testing.TB
	n      byte
	s      *Speaker
	addr   netip.Addr
	labels *labelPool

	mu       sync.Mutex
	routes   map[Key]Route
	swaps    map[uint32]Swap
	sessions []Session
	settled  int // how often the speaker said so
	moves    int // changes of routes
	lowest   int // least number of routes there were
}

// labelPool gives labels in order.
type labelPool struct {
	mu       sync.Mutex
	next     uint32
	given    map[uint32]LabelFor
	released []uint32
	refuse   bool
}

func (p *labelPool) Allocate(f LabelFor) (uint32, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse {
		return 0, fmt.Errorf("the label table is full")
	}
	p.next++
	p.given[p.next] = f
	return p.next, nil
}

func (p *labelPool) Release(f LabelFor, label uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.given[label] != f {
		panic(fmt.Sprintf("label %d was given for %v, released for %v", label, p.given[label], f))
	}
	delete(p.given, label)
	p.released = append(p.released, label)
}

// newBox starts router n, whose labels begin at n*1000.
func newBox(t testing.TB, n int) *box {
	b := &box{
		t: t, n: byte(n), addr: netip.AddrFrom4([4]byte{127, 0, byte(n), 1}), routes: make(map[Key]Route), swaps: make(map[uint32]Swap),
		labels: &labelPool{next: uint32(n * 1000), given: make(map[uint32]LabelFor)},
	}
	var log *slog.Logger
	if os.Getenv("BGP_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("box", n)
	}
	b.s = New(Env{Deliver: b.deliver, Labels: b.labels, Within: func(_ string, f func() error) error { return f() }, Log: log})
	if os.Getenv("BGP_LOG") == "2" {
		b.s.inner = log
	}
	t.Cleanup(b.s.Close)
	return b
}

func (b *box) deliver(e Effects) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range e.Swaps {
		if w.Removed {
			delete(b.swaps, w.Label)
		} else {
			b.swaps[w.Label] = w
		}
	}
	for _, r := range e.Routes {
		b.moves++
		if r.Withdrawn {
			delete(b.routes, r.Key)
			b.lowest = min(b.lowest, len(b.routes))
		} else {
			b.routes[r.Key] = r
		}
	}
	b.sessions = append(b.sessions, e.Sessions...)
	if e.Settled {
		b.settled++
	}
}

func (b *box) route(vrf, prefix string) (Route, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, ok := b.routes[Key{vrf, netip.MustParsePrefix(prefix)}]
	return r, ok
}

func (b *box) swapOf(label uint32) (Swap, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w, ok := b.swaps[label]
	return w, ok
}

func (b *box) ups(a netip.Addr) (up, down int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sessions {
		if s.Neighbour == a {
			if s.Up {
				up++
			} else {
				down++
			}
		}
	}
	return up, down
}

// configure applies a configuration that must work.
func (b *box) configure(c Config) {
	b.t.Helper()
	if err := b.s.Configure(c); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) announce(ls ...Local) {
	b.t.Helper()
	if err := b.s.Announce(ls...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *box) state(a netip.Addr) State {
	st, err := b.s.Status()
	if err != nil {
		b.t.Fatal(err)
	}
	i := slices.IndexFunc(st.Neighbours, func(n NeighbourStatus) bool { return n.Address == a })
	if i < 0 {
		return 0
	}
	return st.Neighbours[i].State
}

// patienceOfTests is less than the time for which routes of a neighbour that restarts are kept, and than that for which one that has restarted tells nobody anything.
const patienceOfTests = 45 * time.Second

// wait waits for something to become true.
func wait(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patienceOfTests); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// never watches for a while that something stays false.
func never(t testing.TB, what string, d time.Duration, f func() bool) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if f() {
			t.Fatalf("must not be: %s", what)
		}
	}
}

// base is a configuration of a box with neighbours in its own AS.
func (b *box) base(port uint16, as uint32, peers ...*box) Config {
	c := Config{AS: as, RouterID: netip.AddrFrom4([4]byte{10, 0, 0, b.n}), Port: port, Listen: []netip.Addr{b.addr}}
	for _, p := range peers {
		c.Neighbours = append(c.Neighbours, b.to(p, as, IPv4Unicast))
	}
	return c
}

// to is a neighbour with families and all communities.
func (b *box) to(p *box, as uint32, fs ...Family) Neighbour {
	n := Neighbour{Address: p.addr, RemoteAS: as, UpdateSource: b.addr, ConnectRetry: 2 * time.Second}
	for _, f := range fs {
		n.Families = append(n.Families, Activation{Family: f, SendCommunity: true, SendExtended: true})
	}
	return n
}

func established(t testing.TB, bs ...*box) {
	t.Helper()
	for _, b := range bs {
		wait(t, fmt.Sprintf("all sessions of %s", b.addr), func() bool {
			st, err := b.s.Status()
			if err != nil {
				t.Fatal(err)
			}
			return !slices.ContainsFunc(st.Neighbours, func(n NeighbourStatus) bool { return n.State != Established && !n.Shutdown })
		})
	}
}

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func mustRD(s string) RD {
	d, err := ParseRD(s)
	if err != nil {
		panic(err)
	}
	return d
}

func mustRT(s string) RouteTarget {
	d, err := ParseRouteTarget(s)
	if err != nil {
		panic(err)
	}
	return d
}

// The tests wait far more than they work.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "12"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
