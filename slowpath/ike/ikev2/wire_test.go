package ikev2

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
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
	packet []byte // nil: one of the traffic that is protected, by spi
	spi    uint32
	seq    int
}

// wire joins two nodes in virtual time.
type wire struct {
	t       *testing.T
	now     time.Time
	a, b    *node
	flights []flight
	delay   time.Duration
	loss    float64
	dup     float64
	jitter  time.Duration
	rand    *rand.Rand
	ladder  []string
	seq     int
	tap     func(from *node, p ike.Path, packet []byte) bool // false: lost
	natA    netip.AddrPort                                   // what b sees of a; zero: a itself
	traffic bool                                             // packets are sent by the children whenever something about them changes
	changed bool
	carried int
	lost    int
}

// node is one engine and what it has said.
type node struct {
	w         *wire
	name      string
	addr      netip.Addr
	e         *Engine
	cfg       ike.Config
	children  map[ike.ChildID]*ike.Child
	active    ike.ChildID
	logs      []ike.Log
	traces    []ike.Trace
	failed    []ike.Failed
	removed   map[ike.ChildID]ike.Why
	heard     map[ike.ChildID]bool
	activated map[ike.ChildID]bool
	stopped   bool
	keepaliv  int
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// config is a protection with a pre-shared key for everybody.
func config(local netip.Addr) ike.Config {
	return ike.Config{
		Protections: []ike.Protection{{
			ID: 1, Profile: "vpn", Local: local, Version: 2, IKEv2Profile: "prof", Window: 64,
			Transforms: []ike.Transform{{Cipher: suite.CipherAESGCM, KeyBits: 128, ICV: 16}},
		}},
		Keyrings: []ike.Keyring{{Name: "ring", VRF: ike.AnyVRF, Keys: []ike.KeyEntry{{
			Name: "all", Prefix: netip.MustParsePrefix("0.0.0.0/0"), Local: ike.Secret("secret"), Remote: ike.Secret("secret"),
		}}}},
		V2: ike.V2{
			Fragmentation: true,
			Profiles: []ike.V2Profile{{
				Name: "prof", Match: []ike.Match{{VRF: ike.AnyVRF}}, VRF: ike.AnyVRF, AuthLocal: ike.AuthPSK, AuthRemote: []ike.AuthMethod{ike.AuthPSK}, Keyring: "ring",
			}},
		},
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
	n := &node{w: w, name: name, addr: addr(a), children: make(map[ike.ChildID]*ike.Child), removed: make(map[ike.ChildID]ike.Why), activated: make(map[ike.ChildID]bool), heard: make(map[ike.ChildID]bool)}
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
			n.w.changed = true
			c := f.Child
			n.children[c.ID] = &c
		case ike.Activate:
			if n.children[f.Child] == nil {
				n.w.t.Errorf("%s: a child is activated that is not installed", n.name)
			}
			n.w.changed = true
			n.active, n.activated[f.Child] = f.Child, true
		case ike.Remove:
			n.w.changed = true
			delete(n.children, f.Child)
			n.removed[f.Child] = f.Why
			if n.active == f.Child { // as sessions do: the newest of the others that was sent by takes over
				n.active = 0
				for id := range n.children {
					if n.activated[id] && id > n.active {
						n.active = id
					}
				}
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

func (n *node) event(ev ike.Event) {
	n.do(n.e.Handle(n.w.now, ev))
	n.checkTimers()
}

// checkTimers compares the heap with what every SA would say now.
func (n *node) checkTimers() {
	var want time.Time
	for _, s := range n.e.sas {
		want = earlier(want, s.wake())
	}
	if got := n.e.Deadline(); !got.Equal(want) {
		n.w.t.Fatalf("%s wakes at %v, and is to wake at %v", n.name, got, want)
	}
}

func (n *node) initiate() {
	n.event(ike.Initiate{Protection: 1, Remote: netip.AddrPortFrom(n.w.other(n).addr, 0)})
}

var exchangeNames = map[uint8]string{
	ikev2msg.ExchangeInit: "INIT", ikev2msg.ExchangeAuth: "AUTH", ikev2msg.ExchangeCreateChild: "CHILD", ikev2msg.ExchangeInformational: "INFO",
	ikev2msg.ExchangeIntermediate: "INTERMEDIATE", ikev2msg.ExchangeFollowupKE: "FOLLOWUP",
}

func (w *wire) send(from *node, f ike.Send) {
	h, err := ikemsg.ParseHeader(f.Packet)
	if err != nil {
		w.t.Fatalf("%s sends nonsense: %v", from.name, err)
	}
	arrow := "req"
	if h.Flags&ikev2msg.FlagResponse != 0 {
		arrow = "rsp"
	}
	w.ladder = append(w.ladder, fmt.Sprintf("%s %s %s %d", from.name, exchangeNames[h.Exchange], arrow, h.MessageID))
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
		w.flights = append(w.flights, flight{at: at, to: to, path: path, packet: f.Packet, seq: w.seq})
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
		w.flights = slices.Delete(w.flights, k, k+1)
		if f.packet == nil {
			w.arrived(f)
		} else if !f.to.stopped {
			f.to.event(ike.Received{Path: f.path, Packet: f.packet})
		}
	default:
		return false
	}
	w.carry()
	return true
}

// carry sends a quick and a slow packet in each direction, if anything about the children has changed.
func (w *wire) carry() {
	if !w.changed || !w.traffic {
		return
	}
	w.changed = false
	for _, n := range []*node{w.a, w.b} {
		c := n.children[n.active]
		if c == nil {
			w.t.Errorf("%s has nothing to send by after %v", n.name, w.now.Sub(start))
			w.lost++
			continue
		}
		for _, d := range []time.Duration{w.delay, graceTime / 2} {
			w.seq++
			w.carried++
			w.flights = append(w.flights, flight{at: w.now.Add(d), to: w.other(n), spi: c.ESP.OutSPI, seq: w.seq})
		}
	}
}

// arrived is a packet of the traffic at the other end. The first one of a child is heard at once.
func (w *wire) arrived(f flight) {
	for id, c := range f.to.children {
		if c.ESP.InSPI == f.spi {
			if !f.to.heard[id] {
				f.to.heard[id] = true
				f.to.event(ike.Heard{Child: id})
			}
			return
		}
	}
	w.lost++
	w.t.Errorf("a packet by SPI %08x finds no SA at %s after %v\n%v", f.spi, f.to.name, w.now.Sub(start), w.ladder[max(0, len(w.ladder)-20):])
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
