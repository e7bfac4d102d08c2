package hwprofiles

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"nave/fastpath/fib"
)

// box is hardware that is nothing but these values.
func box(t *testing.T, values map[string]any) *Profile {
	t.Helper()
	p := &Profile{Name: "box"}
	for name, v := range values {
		k, known := keyNamed(name), Fact{Known: true}
		switch v := v.(type) {
		case bool:
			*k.flag(p) = Flag{Fact: known, Yes: v}
		case int:
			*k.number(p) = Number{Fact: known, Value: float64(v)}
		case float64:
			*k.number(p) = Number{Fact: known, Value: v}
		default:
			t.Fatalf("%s is %v", name, v)
		}
	}
	return p
}

func ofName(t *testing.T, name string) *Pricer {
	t.Helper()
	return NewPricer(profile(t, load(t, ""), name), Options{})
}

// gre is a tunnel between an own address and everybody.
func gre(id fib.TunnelID, local string) fib.Tunnel {
	return fib.Tunnel{ID: id, Local: netip.MustParseAddr(local), MTU: 1400}
}

func keyed(t fib.Tunnel) fib.Tunnel { t.Key, t.HasKey = 1000, true; return t }

func protected(t fib.Tunnel) fib.Tunnel { t.Protected, t.Protection = true, 1; return t }

// link is an adjacency of a port that pushes labels.
func link(id fib.AdjID, labels ...uint32) fib.Adjacency {
	return fib.Adjacency{ID: id, Kind: fib.AdjLink, Port: 1, Outer: append(make([]byte, 12), 8, 0), MTU: 1500, LinkMTU: 1500, Labels: labels}
}

// into is an adjacency of a tunnel, with flags of GRE in the first byte.
func into(id fib.AdjID, t fib.TunnelID, flags byte, labels ...uint32) fib.Adjacency {
	a := link(id, labels...)
	a.Kind, a.Tunnel, a.MTU, a.Inner = fib.AdjTunnel, t, 1400, []byte{flags, 0, 8, 0}
	a.Outer = append(a.Outer, make([]byte, 20)...)
	return a
}

// install installs tunnels and prices them.
func (p *Pricer) install(list ...fib.Tunnel) []fib.Price {
	p.Begin(&fib.Batch{Tunnels: list})
	var out []fib.Price
	for i := range list {
		out = append(out, p.Tunnel(&list[i]))
	}
	return out
}

// adj installs an adjacency and prices it.
func (p *Pricer) adj(a fib.Adjacency) fib.Price {
	p.Begin(&fib.Batch{Adjacencies: []fib.Adjacency{a}})
	return p.Adjacency(&a)
}

func TestPassesOfLinkAndTunnel(t *testing.T) {
	p := ofName(t, "sup720-3bxl")
	in := p.install(gre(1, "192.0.2.1"))[0]
	if got := p.adj(link(16)); got != (fib.Price{Cost: fib.PassCost, Labelled: fib.ByHardware, Fragment: fib.ByProcess}) {
		t.Errorf("link: %+v", got)
	}
	if out := p.adj(into(17, 1, 0)); out.Cost != 2*fib.PassCost || out.Way != fib.ByHardware || in.Cost != fib.PassCost || in.Way != fib.ByHardware {
		t.Errorf("into the tunnel %+v, out of it %+v", out, in)
	}
	for _, kind := range []fib.AdjKind{fib.AdjDrop, fib.AdjGlean, fib.AdjLookup} {
		if got := p.adj(fib.Adjacency{ID: 18, Kind: kind}); got != (fib.Price{}) {
			t.Errorf("kind %d, which nothing leaves by: %+v", kind, got)
		}
	}
}

// What a further pass costs follows from the factor that it divides the rate by.
func TestFurtherPass(t *testing.T) {
	for _, c := range []struct {
		factor, passes any
		in, out        uint16
	}{{2.0, 1, 16, 32}, {1.5, 1, 8, 24}, {1.0, 3, 0, 16}, {0.5, 3, 0, 16}, {3.0, 2, 64, 80}, {100.0, 16, fib.MaxCost, fib.MaxCost}} {
		p := NewPricer(box(t, map[string]any{"mpls.recirc_cost": c.factor, "gre.recirc_passes": c.passes}), Options{})
		in := p.install(gre(1, "192.0.2.1"))[0]
		if out := p.adj(into(16, 1, 0)); in.Cost != c.in || out.Cost != c.out {
			t.Errorf("%v passes that divide by %v: %d and %d, want %d and %d", c.passes, c.factor, in.Cost, out.Cost, c.in, c.out)
		}
	}
}

func TestLabelsPushed(t *testing.T) {
	p := NewPricer(box(t, map[string]any{"mpls.push": 2, "mpls.recirc_cost": 2}), Options{})
	lsp := into(18, 1, 0, 16, 17)
	lsp.Outer = append(append(make([]byte, 12), 0x88, 0x47, 0, 1, 1, 255), make([]byte, 20)...)
	for _, c := range []struct {
		a    fib.Adjacency
		cost uint16
	}{{link(16, 16, 17), 16}, {link(16, 16, 17, 18), 32}, {into(17, 1, 0, 16), 16}, {lsp, 32}} {
		if got := p.adj(c.a); got.Cost != c.cost {
			t.Errorf("%d labels: %+v, want %d", len(c.a.Labels), got, c.cost)
		}
	}
}

func TestTunnelKey(t *testing.T) {
	p := ofName(t, "sup720-3bxl-spa")
	prices := p.install(keyed(gre(1, "192.0.2.1")), gre(2, "192.0.2.2"))
	if prices[0].Way != fib.ByCEF || prices[1].Way != fib.ByHardware {
		t.Errorf("%+v", prices)
	}
	if a, b := p.adj(into(16, 1, greKey)), p.adj(into(17, 2, 0)); a.Way != fib.ByCEF || b.Way != fib.ByHardware {
		t.Errorf("%+v and %+v", a, b)
	}
	want := []Switched{{Tunnel: 1, Way: fib.ByCEF, Key: "gre.key_in_hw"}}
	if got := p.Usage().Switched; !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	// Where the hardware has keys, and where nothing is known of it, it switches them.
	for _, v := range []map[string]any{{"gre.key_in_hw": true}, {}} {
		p := NewPricer(box(t, v), Options{})
		if got := p.install(keyed(gre(1, "192.0.2.1")))[0]; got.Way != fib.ByHardware || p.adj(into(16, 1, greKey)).Way != fib.ByHardware || p.Usage().Switched != nil {
			t.Errorf("%v: %+v", v, got)
		}
	}
}

// Checksum and sequence number are seen in an adjacency, and hold for the tunnel, whose price is old then.
func TestTunnelOptions(t *testing.T) {
	for _, flags := range []byte{greChecksum, greSequence} {
		p := ofName(t, "sup720-3b")
		tunnel := gre(1, "192.0.2.1")
		if got := p.install(tunnel)[0]; got.Way != fib.ByHardware || p.Stale() {
			t.Errorf("%+v", got)
		}
		if got := p.adj(into(16, 1, flags)); got.Way != fib.ByCEF {
			t.Errorf("%#x: %+v", flags, got)
		}
		if !p.Stale() || p.Stale() {
			t.Error("the tunnel's price is old, and that is told once")
		}
		if got := p.Tunnel(&tunnel); got.Way != fib.ByCEF || p.Usage().Switched[0].Key != "gre.options_in_hw" || p.Stale() {
			t.Errorf("%#x: %+v", flags, got)
		}
		p.Begin(&fib.Batch{DelAdjacencies: []fib.AdjID{16}})
		if got := p.Tunnel(&tunnel); !p.Stale() || got.Way != fib.ByHardware {
			t.Errorf("%#x gone: %+v", flags, got)
		}
	}
}

func TestSharedSource(t *testing.T) {
	p := ofName(t, "sup720-3bxl")
	a, b := gre(1, "192.0.2.1"), gre(2, "192.0.2.1")
	b.Remote = netip.MustParseAddr("198.51.100.1")
	if got := p.install(a)[0]; got.Way != fib.ByHardware {
		t.Errorf("alone: %+v", got)
	}
	adj := p.adj(into(16, 1, 0))
	if got := p.install(b)[0]; got.Way != fib.ByCEF || adj.Way != fib.ByHardware || !p.Stale() {
		t.Errorf("the second %+v, the first's adjacency before %+v", got, adj)
	}
	want := []Switched{{Tunnel: 1, Way: fib.ByCEF, Key: "gre.unique_source"}, {Tunnel: 2, Way: fib.ByCEF, Key: "gre.unique_source"}}
	if first, leaves := p.Tunnel(&a), into(16, 1, 0); first.Way != fib.ByCEF || p.Adjacency(&leaves).Way != fib.ByCEF || !slices.Equal(p.Usage().Switched, want) {
		t.Errorf("both: %+v, %+v", first, p.Usage().Switched)
	}
	if got := p.install(gre(3, "192.0.2.1"))[0]; got.Way != fib.ByCEF || p.Stale() {
		t.Errorf("a third changes nothing for the others: %+v", got)
	}
	p.Begin(&fib.Batch{DelTunnels: []fib.TunnelID{2}})
	if p.Stale() {
		t.Error("two still share")
	}
	moved := gre(3, "192.0.2.3")
	if got := p.install(moved)[0]; got.Way != fib.ByHardware || !p.Stale() || p.Tunnel(&a).Way != fib.ByHardware || p.Usage().Switched != nil {
		t.Errorf("alone again: %+v, %+v", got, p.Usage().Switched)
	}
}

// An adjacency that finds no room is the route processor's until it goes, and leaves no room behind then.
func TestAdjacencyRoom(t *testing.T) {
	p := NewPricer(box(t, map[string]any{"adj.entries": 2}), Options{})
	check := func(what string, id fib.AdjID, want fib.Way, used, over int) {
		t.Helper()
		got := p.adj(link(id))
		if u := p.Usage(); got.Way != want || u.Adjacencies != (Level{Used: used, Size: 2}) || u.AdjacenciesOver != over {
			t.Errorf("%s: %+v; %+v used, %d over", what, got, u.Adjacencies, u.AdjacenciesOver)
		}
	}
	gone := func(id fib.AdjID) { p.Begin(&fib.Batch{DelAdjacencies: []fib.AdjID{id}}) }
	check("first", 16, fib.ByHardware, 1, 0)
	check("second", 17, fib.ByHardware, 2, 0)
	check("third", 18, fib.ByCEF, 2, 1)
	check("the first again", 16, fib.ByHardware, 2, 1)
	if got := p.adj(into(18, 1, 0)); got.Way != fib.ByCEF {
		t.Errorf("it leads elsewhere, and finds room by that: %+v", got)
	}
	gone(17)
	check("the third does not take what becomes free", 18, fib.ByCEF, 1, 1)
	gone(18)
	check("it comes again", 18, fib.ByHardware, 2, 0)
	check("another", 19, fib.ByCEF, 2, 1)
	gone(19)
	check("what had no room leaves none", 20, fib.ByCEF, 2, 1)
}

// Tunnels share a source where a module does the GRE of all of them. One of which it does not makes all of them the route processor's.
func TestModuleGRE(t *testing.T) {
	all := map[fib.TunnelID]bool{1: true, 2: true, 3: true}
	for name, shared := range map[string]fib.Way{"sup720-3bxl-spa": fib.ByHardware, "sup720-3bxl": fib.ByCEF, "sup720-3bxl-vpnsm": fib.ByCEF} { // two have nobody to do it
		p := ofName(t, name)
		p.SetModuleGRE(all)
		for _, price := range p.install(gre(1, "192.0.2.1"), gre(2, "192.0.2.1")) {
			if price.Way != shared {
				t.Errorf("%s: %+v", name, price)
			}
		}
	}
	p := ofName(t, "sup720-3bxl-spa")
	a, b, c := gre(1, "192.0.2.1"), gre(2, "192.0.2.1"), gre(3, "192.0.2.1")
	check := func(what string, stale bool, want fib.Way) {
		t.Helper()
		if got := p.Stale(); got != stale {
			t.Errorf("%s: stale is %v", what, got)
		}
		for _, f := range []*fib.Tunnel{&a, &b} {
			if got := p.Tunnel(f); got.Way != want {
				t.Errorf("%s: tunnel %d: %+v", what, f.ID, got)
			}
		}
	}
	p.install(a, b)
	check("nobody is told of the module", false, fib.ByCEF)
	p.SetModuleGRE(map[fib.TunnelID]bool{1: true})
	check("it does one of two", false, fib.ByCEF)
	p.SetModuleGRE(map[fib.TunnelID]bool{1: true, 2: true})
	check("it does both", true, fib.ByHardware)
	p.install(c)
	check("not the third", true, fib.ByCEF)
	p.SetModuleGRE(all)
	check("the third, too", true, fib.ByHardware)
	p.SetModuleGRE(map[fib.TunnelID]bool{1: true, 2: true})
	check("not the third any more", true, fib.ByCEF)
	p.Begin(&fib.Batch{DelTunnels: []fib.TunnelID{3}})
	check("it is gone", true, fib.ByHardware)
	p.SetModuleGRE(nil)
	check("the command is gone", true, fib.ByCEF)
}

// What goes and comes in one batch is never together.
func TestSourceHandedOver(t *testing.T) {
	p := ofName(t, "sup720-3bxl")
	a, b, c := gre(1, "192.0.2.1"), gre(2, "192.0.2.2"), gre(3, "192.0.2.1")
	p.install(a, b)
	p.Begin(&fib.Batch{Tunnels: []fib.Tunnel{c}, DelTunnels: []fib.TunnelID{1}})
	if got := p.Tunnel(&c); got.Way != fib.ByHardware || p.Stale() {
		t.Errorf("instead of another: %+v", got)
	}
	b.Local, c.Local = c.Local, b.Local
	if got := p.install(b, c); got[0].Way != fib.ByHardware || got[1].Way != fib.ByHardware || p.Stale() {
		t.Errorf("exchanged: %+v", got)
	}
	if u := p.Usage(); u.TunnelVLANs != (Level{Used: 2, Size: 3089}) {
		t.Errorf("%+v", u.TunnelVLANs)
	}
}

// Sources are another's in another VRF; a tunnel without an address shares with nobody.
func TestSourcesThatAreNotShared(t *testing.T) {
	two := func(p *Pricer, a, b fib.Tunnel) {
		t.Helper()
		if got := p.install(a, b); got[0].Way != fib.ByHardware || got[1].Way != fib.ByHardware || p.Usage().Switched != nil {
			t.Errorf("%+v", got)
		}
	}
	elsewhere := gre(2, "192.0.2.1")
	elsewhere.OuterVRF = 1
	two(ofName(t, "sup720-3bxl"), gre(1, "192.0.2.1"), elsewhere)
	two(ofName(t, "sup720-3bxl"), fib.Tunnel{ID: 1}, fib.Tunnel{ID: 2})
	two(ofName(t, "sup720-3bxl"), gre(1, "0.0.0.0"), gre(2, "0.0.0.0"))
	two(NewPricer(box(t, nil), Options{}), gre(1, "192.0.2.1"), gre(2, "192.0.2.1"))
}

func TestLabelsAreSoftware(t *testing.T) {
	mpls := gre(1, "192.0.2.1")
	mpls.MPLS = true
	for _, c := range []struct {
		name      string
		link, gre fib.Way
		key       string
	}{{"sup720-3a", fib.ByCEF, fib.ByCEF, "mpls.hw"}, {"sup720-3b-7600", fib.ByHardware, fib.ByCEF, "mpls.over_gre"}} {
		p := ofName(t, c.name)
		in := p.install(mpls, gre(2, "192.0.2.2"))[0]
		out, port := p.adj(into(16, 1, 0)), p.adj(link(17))
		if in.Way != fib.ByHardware || in.Labelled != c.gre || out.Labelled != c.gre || port.Labelled != c.link || out.Way != fib.ByHardware || port.Way != fib.ByHardware {
			t.Errorf("%s: out of the tunnel %+v, into it %+v, port %+v", c.name, in, out, port)
		}
		want := []Switched{{Tunnel: 1, Labelled: true, Way: fib.ByCEF, Key: c.key}}
		if got := p.Usage().Switched; !slices.Equal(got, want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, want)
		}
	}
	// A peer at the end of a label switched path is reached by labels, whatever is inside.
	lsp := into(16, 1, 0)
	lsp.Outer = append(append(make([]byte, 12), 0x88, 0x47, 0, 1, 1, 255), make([]byte, 20)...)
	if a, b := ofName(t, "sup720-3a").adj(lsp), ofName(t, "sup720-3b").adj(lsp); a.Way != fib.ByCEF || b.Way != fib.ByHardware {
		t.Errorf("%+v and %+v", a, b)
	}
}

func TestProtectedWithoutModule(t *testing.T) {
	p := ofName(t, "sup720-3bxl")
	in := p.install(protected(keyed(gre(1, "192.0.2.1"))))[0]
	out := p.adj(into(16, 1, greKey))
	if in.Way != fib.ByProcess || in.Crypto || out.Way != fib.ByProcess || out.Crypto || out.Fragment != fib.ByProcess {
		t.Errorf("out of the tunnel %+v, into it %+v", in, out)
	}
	want := []Switched{{Tunnel: 1, Way: fib.ByProcess, Key: "crypto.in_hw"}}
	if got := p.Usage().Switched; !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestProtectedByModule(t *testing.T) {
	for name, cut := range map[string]fib.Way{"sup720-3bxl-spa": fib.ByHardware, "sup720-3bxl-vspa": fib.ByHardware, "sup720-3bxl-vpnsm": fib.ByProcess} {
		p := ofName(t, name)
		prices := p.install(protected(gre(1, "192.0.2.1")), gre(2, "192.0.2.2"))
		whole := p.adj(into(16, 1, 0))
		p.SetModuleGRE(map[fib.TunnelID]bool{1: true, 2: true})
		if stale := cut == fib.ByHardware; whole.Fragment != fib.ByProcess || p.Stale() != stale {
			t.Errorf("%s, while the module does no GRE: %+v", name, whole)
		}
		sealed, clear := p.adj(into(16, 1, 0)), p.adj(into(17, 2, 0))
		if in := prices[0]; in.Way != fib.ByHardware || !in.Crypto || sealed.Way != fib.ByHardware || !sealed.Crypto || sealed.Fragment != cut {
			t.Errorf("%s: out of the tunnel %+v, into it %+v", name, in, sealed)
		}
		if prices[1].Crypto || clear.Crypto || clear.Fragment != fib.ByProcess || clear.NoMulticast {
			t.Errorf("%s, in clear: %+v", name, clear)
		}
		only := into(18, 2, 0) // whose tunnel does not say so
		for _, seal := range []func(*fib.Adjacency){func(a *fib.Adjacency) { a.SA = 1 }, func(a *fib.Adjacency) { a.AH = 1 }} {
			a := only
			if seal(&a); !p.adj(a).Crypto || !p.adj(a).NoMulticast {
				t.Errorf("%s: %+v", name, p.adj(a))
			}
		}
	}
}

func TestEncryptedMulticast(t *testing.T) {
	p := ofName(t, "sup720-3bxl-spa")
	p.install(protected(gre(1, "192.0.2.1")), gre(2, "192.0.2.2"))
	if a, b, c := p.adj(into(16, 1, 0)), p.adj(into(17, 2, 0)), p.adj(link(18)); !a.NoMulticast || b.NoMulticast || c.NoMulticast {
		t.Errorf("sealed %+v, in clear %+v, link %+v", a, b, c)
	}
	p = NewPricer(box(t, map[string]any{"mcast.encrypted_gre": true}), Options{})
	p.install(protected(gre(1, "192.0.2.1")))
	if a := p.adj(into(16, 1, 0)); a.NoMulticast {
		t.Errorf("%+v", a)
	}
}

// A tunnel that turns protected, or is installed after its adjacencies, makes their prices old.
func TestAdjacencyBeforeTunnel(t *testing.T) {
	p := ofName(t, "sup720-3bxl-spa")
	a := into(16, 1, 0)
	if got := p.adj(a); got.Crypto || p.Stale() {
		t.Errorf("%+v", got)
	}
	p.install(protected(gre(1, "192.0.2.1")))
	if !p.Stale() || !p.Adjacency(&a).Crypto {
		t.Errorf("%+v", p.Adjacency(&a))
	}
	p.Begin(&fib.Batch{DelTunnels: []fib.TunnelID{1}})
	if !p.Stale() || p.Adjacency(&a).Crypto || p.Usage().TunnelVLANs.Used != 0 {
		t.Errorf("%+v", p.Adjacency(&a))
	}
}

// What a batch installs and takes away at once is not there afterwards.
func TestComesAndGoes(t *testing.T) {
	p := ofName(t, "sup720-3bxl")
	a, b, adj := gre(1, "192.0.2.1"), gre(2, "192.0.2.1"), into(16, 2, 0)
	p.install(a)
	p.Begin(&fib.Batch{Tunnels: []fib.Tunnel{b}, Adjacencies: []fib.Adjacency{adj}, DelTunnels: []fib.TunnelID{2}, DelAdjacencies: []fib.AdjID{16}})
	p.Tunnel(&b)
	p.Adjacency(&adj)
	if u := p.Usage(); u.TunnelVLANs.Used != 1 || u.Adjacencies.Used != 0 || u.Switched != nil || p.Stale() {
		t.Errorf("%+v", u)
	}
}

func TestCryptoTunnels(t *testing.T) {
	p := NewPricer(box(t, map[string]any{"crypto.tunnels": 2}), Options{})
	sa := func(id fib.SAID, remote string) *fib.SA {
		return &fib.SA{ID: id, Local: netip.MustParseAddr("192.0.2.1"), Remote: netip.MustParseAddr(remote), Protection: 1}
	}
	for _, s := range []*fib.SA{sa(1, "198.51.100.1"), sa(2, "198.51.100.1"), sa(3, "198.51.100.2")} {
		if err := p.SA(s, false); err != nil {
			t.Fatal(err)
		}
	}
	third := sa(4, "198.51.100.3")
	if err := p.SA(third, false); !errors.Is(err, ErrCryptoFull) || !strings.Contains(err.Error(), "profile box") || !strings.Contains(err.Error(), "takes 2 tunnels") ||
		!strings.Contains(err.Error(), "198.51.100.3") {
		t.Errorf("%v", err)
	}
	if u := p.Usage(); u.CryptoTunnels != (Level{2, 2}) || u.CryptoRefused != 1 {
		t.Errorf("%+v", u)
	}
	if err := p.SA(sa(5, "198.51.100.2"), false); err != nil {
		t.Errorf("a rekey: %v", err)
	}
	behind := sa(6, "198.51.100.2") // another peer behind the same NAT
	if behind.RemotePort = 4501; p.SA(behind, false) == nil {
		t.Error("a third peer")
	}
	p.SAGone(3)
	if err := p.SA(third, false); err == nil {
		t.Error("the second peer has one left")
	}
	p.SAGone(5)
	p.SAGone(5)
	if err := p.SA(third, false); err != nil {
		t.Errorf("room for a third peer: %v", err)
	}
	if err := p.SA(sa(7, "198.51.100.9"), true); err != nil || p.Usage().CryptoTunnels.Used != 3 {
		t.Errorf("one that is installed is not refused: %v, %+v", err, p.Usage())
	}
	moved := sa(1, "198.51.100.3") // to a peer that is there
	if err := p.SA(moved, true); err != nil || p.Usage().CryptoTunnels.Used != 3 || p.Usage().CryptoRefused != 3 {
		t.Errorf("%v, %+v", err, p.Usage())
	}
	if err := p.SA(sa(2, "198.51.100.3"), true); err != nil || p.Usage().CryptoTunnels.Used != 2 {
		t.Errorf("%v, %+v", err, p.Usage())
	}
	// Without a number there is no end.
	p = ofName(t, "sup720-3bxl")
	for i := range fib.SAID(20000) {
		s := sa(i+1, "198.51.100.1")
		if s.Protection = fib.ProtectionID(i); p.SA(s, false) != nil {
			t.Fatalf("association %d was refused", i)
		}
	}
}
