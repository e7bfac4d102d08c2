package ikev1

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/ike/suite"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// chaos is randomness that a test can repeat.
type chaos struct{ r *rand.ChaCha8 }

func (c chaos) Read(b []byte) (int, error) { return c.r.Read(b) }

func newChaos(seed uint64) io.Reader {
	var s [32]byte
	binary.LittleEndian.PutUint64(s[:], seed)
	return chaos{rand.NewChaCha8(s)}
}

// flight is a packet on its way.
type flight struct {
	at     time.Time
	to     *node
	path   ike.Path
	packet []byte
	seq    int
}

// wire joins two nodes in virtual time.
type wire struct {
	t        *testing.T
	now      time.Time
	a, b     *node
	flights  []flight
	delay    time.Duration
	loss     float64
	dup      float64
	jitter   time.Duration
	rand     *rand.Rand
	ladder   []string
	seq      int
	tap      func(from *node, p ike.Path, packet []byte) bool // false: lost
	natA     netip.AddrPort                                   // what b sees of a; zero: a itself
	natPorts map[uint16]uint16
}

// node is one engine and what it has said.
type node struct {
	w        *wire
	name     string
	addr     netip.Addr
	e        *Engine
	cfg      ike.Config
	children map[ike.ChildID]*ike.Child
	active   ike.ChildID
	logs     []ike.Log
	traces   []ike.Trace
	failed   []ike.Failed
	removed  map[ike.ChildID]ike.Why
	stopped  bool
	keepaliv int
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// config is a protection with a pre-shared key for everybody.
func config(local netip.Addr) ike.Config {
	return ike.Config{
		Protections: []ike.Protection{{
			ID: 1, Profile: "vpn", Local: local, Version: 1, Window: 64,
			Transforms: []ike.Transform{{Cipher: suite.CipherDES, Auth: suite.HashMD5}},
		}},
		Keyrings: []ike.Keyring{{Keys: []ike.KeyEntry{{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Local: ike.Secret("secret"), Remote: ike.Secret("secret")}}}},
		V1:       ike.V1{Policies: []ike.V1Policy{{Priority: 1}}, Identity: ike.IDIPv4},
	}
}

// join makes two nodes; change is given both configurations.
func join(t *testing.T, seed uint64, change func(a, b *ike.Config)) *wire {
	t.Helper()
	w := &wire{t: t, now: start, delay: 10 * time.Millisecond, rand: rand.New(rand.NewPCG(seed, 1))}
	w.a, w.b = w.node("a", "192.0.2.1", seed), w.node("b", "192.0.2.2", seed+1000)
	if change != nil {
		change(&w.a.cfg, &w.b.cfg)
	}
	for _, n := range []*node{w.a, w.b} {
		n.do(n.e.Configure(w.now, &n.cfg))
	}
	return w
}

func (w *wire) node(name, a string, seed uint64) *node {
	n := &node{w: w, name: name, addr: addr(a), children: make(map[ike.ChildID]*ike.Child), removed: make(map[ike.ChildID]ike.Why)}
	n.e = New(ike.NewEnv(newChaos(seed), seed))
	n.cfg = config(n.addr)
	return n
}

func (w *wire) other(n *node) *node {
	if n == w.a {
		return w.b
	}
	return w.a
}

// do carries out effects.
func (n *node) do(effects []ike.Effect) {
	for _, f := range effects {
		switch f := f.(type) {
		case ike.Send:
			n.w.send(n, f)
		case ike.NATKeepalive:
			n.keepaliv++
		case ike.Install:
			c := f.Child
			n.children[c.ID] = &c
		case ike.Activate:
			if n.children[f.Child] == nil {
				n.w.t.Errorf("%s: a child is activated that is not installed", n.name)
			}
			n.active = f.Child
		case ike.Remove:
			delete(n.children, f.Child)
			n.removed[f.Child] = f.Why
			if n.active == f.Child {
				n.active = 0
			}
		case ike.Rehomed:
			if c := n.children[f.Child]; c != nil {
				c.Path = f.Path
			}
		case ike.Failed:
			n.failed = append(n.failed, f)
		case ike.Log:
			n.logs = append(n.logs, f)
		case ike.Trace:
			n.traces = append(n.traces, f)
		}
	}
}

func (n *node) event(ev ike.Event) { n.do(n.e.Handle(n.w.now, ev)) }

func (n *node) initiate() {
	n.event(ike.Initiate{Protection: 1, Remote: netip.AddrPortFrom(n.w.other(n).addr, 0)})
}

var exchangeNames = map[uint8]string{
	ikev1msg.MainMode: "MM", ikev1msg.AggressiveMode: "AG", ikev1msg.QuickMode: "QM", ikev1msg.Informational: "INFO", ikev1msg.Transaction: "TRANS",
}

func (w *wire) send(from *node, f ike.Send) {
	h, err := ikemsg.ParseHeader(f.Packet)
	if err != nil {
		w.t.Fatalf("%s sends nonsense: %v", from.name, err)
	}
	w.ladder = append(w.ladder, from.name+" "+exchangeNames[h.Exchange])
	if w.tap != nil && !w.tap(from, f.Path, f.Packet) || w.rand.Float64() < w.loss {
		return
	}
	to := w.other(from)
	path := ike.Path{VRF: f.Path.VRF, Local: f.Path.Remote, Remote: f.Path.Local}
	if w.natA.IsValid() {
		if from == w.a {
			path.Remote = netip.AddrPortFrom(w.natA.Addr(), w.natA.Port()+f.Path.Local.Port())
		} else {
			path.Local = netip.AddrPortFrom(w.a.addr, f.Path.Remote.Port()-w.natA.Port())
		}
	}
	copies := 1
	if w.rand.Float64() < w.dup {
		copies = 2
	}
	for range copies {
		at := w.now.Add(w.delay)
		if w.jitter > 0 {
			at = at.Add(time.Duration(w.rand.Int64N(int64(w.jitter))))
		}
		w.seq++
		w.flights = append(w.flights, flight{at, to, path, f.Packet, w.seq})
	}
}

// step goes on to what happens next, until limit; false when that is nothing.
func (w *wire) step(limit time.Time) bool {
	next, k := limit, -1
	for i, f := range w.flights {
		if f.at.Before(next) || k >= 0 && f.at.Equal(next) && f.seq < w.flights[k].seq {
			next, k = f.at, i
		}
	}
	var tick *node
	for _, n := range []*node{w.a, w.b} {
		if d := n.e.Deadline(); !n.stopped && !d.IsZero() && d.Before(next) {
			next, tick, k = d, n, -1
		}
	}
	if next.After(w.now) {
		w.now = next
	}
	switch {
	case tick != nil:
		tick.event(ike.Tick{})
	case k >= 0:
		f := w.flights[k]
		w.flights = append(w.flights[:k:k], w.flights[k+1:]...)
		if !f.to.stopped {
			f.to.event(ike.Received{Path: f.path, Packet: f.packet})
		}
	default:
		return false
	}
	return true
}

func (w *wire) run(d time.Duration) {
	limit := w.now.Add(d)
	for range 2_000_000 {
		if !w.step(limit) {
			return
		}
	}
	w.t.Fatal("they never stop talking")
}

// paired tells whether what a sends by arrives at b with the same keys.
func (w *wire) paired(from *node) error {
	c := from.children[from.active]
	if c == nil {
		return fmt.Errorf("%s has nothing to send by", from.name)
	}
	for _, o := range w.other(from).children {
		if o.ESP.InSPI == c.ESP.OutSPI && o.AH.InSPI == c.AH.OutSPI {
			if string(o.ESP.In.Cipher) != string(c.ESP.Out.Cipher) || string(o.ESP.In.Auth) != string(c.ESP.Out.Auth) || string(o.AH.In.Auth) != string(c.AH.Out.Auth) {
				return fmt.Errorf("%s sends by keys that the other does not have", from.name)
			}
			return nil
		}
	}
	return fmt.Errorf("%s sends by SPI %08x, which the other does not know", from.name, c.ESP.OutSPI)
}

func (w *wire) wantUp() {
	w.t.Helper()
	for _, n := range []*node{w.a, w.b} {
		if err := w.paired(n); err != nil {
			w.t.Errorf("%v\n%s\nlogs: %+v\n%+v", err, strings.Join(w.ladder, "\n"), w.a.logs, w.b.logs)
		}
	}
}

func (w *wire) wantLadder(want ...string) {
	w.t.Helper()
	if got := strings.Join(w.ladder, ", "); got != strings.Join(want, ", ") {
		w.t.Errorf("ladder: %s\nwant:   %s", got, strings.Join(want, ", "))
	}
	w.ladder = nil
}

func (n *node) logged(k ike.LogKind, why ike.Why) bool {
	for _, l := range n.logs {
		if l.Kind == k && l.Why == why {
			return true
		}
	}
	return false
}
