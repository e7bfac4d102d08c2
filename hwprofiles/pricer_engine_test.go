package hwprofiles

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"nave/fastpath"
	"nave/fastpath/fib"
)

func realEngine(t *testing.T) *fastpath.Engine {
	t.Helper()
	e, err := fastpath.New(fastpath.Config{ArenaBytes: 16 << 20, MaxAdjacencies: 256, MaxTunnels: 64, MaxRoutes: 4096, MaxSAs: 256, Private: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// hub is what a hub of a small network installs: two tunnels on one source, one with a key, a protected one, more routes and labels than there is room for, more VRFs than
// there are aggregate labels, and as many peers as the crypto module takes.
func hub() *fib.Batch {
	b := &fib.Batch{
		Ports:   []fib.Port{{ID: 1, MAC: [6]byte{2, 0, 0, 0, 0, 1}, MTU: 1500}},
		Tunnels: []fib.Tunnel{gre(1, "192.0.2.1"), gre(2, "192.0.2.1"), protected(gre(3, "192.0.2.3")), keyed(gre(4, "192.0.2.4"))},
	}
	b.Tunnels[1].Key, b.Tunnels[1].HasKey = 2, true
	b.Tunnels[2].MPLS = true
	for i := range b.Tunnels {
		a := into(fib.AdjID(17+i), b.Tunnels[i].ID, 0)
		if b.Tunnels[i].HasKey {
			a.Inner = []byte{greKey, 0, 8, 0, 0, 0, 0, byte(b.Tunnels[i].Key)}
		}
		a.Outer[14], a.Outer[14+8], a.Outer[14+9] = 0x45, 255, 47
		b.Adjacencies = append(b.Adjacencies, a)
	}
	b.Adjacencies = append(b.Adjacencies, link(16))
	for n := range 50 {
		b.Routes = append(b.Routes, way(n, fib.AdjID(16+n%5)))
		b.Labels = append(b.Labels, fib.Label{In: uint32(16 + n), Action: fib.LabelLookup})
	}
	b.Routes = append(b.Routes, way(200, fib.Receive), way(201, fib.Null))
	for n := range fib.SAID(4) {
		b.SAs = append(b.SAs, fib.SA{ID: n + 1, SPI: 0x1000 + uint32(n), Inbound: n%2 == 0, Local: netip.MustParseAddr("192.0.2.3"), Protection: 1, Cipher: fib.CipherAESGCM, ICV: 16,
			Remote: netip.AddrFrom4([4]byte{198, 51, 100, byte(n / 2)}), CipherKey: append(make([]byte, 19), byte(n))})
	}
	return b
}

func apply(t *testing.T, e *fastpath.Engine, b *fib.Batch, refused int) {
	t.Helper()
	if got, err := e.Apply(b); err != nil || len(got) != refused {
		t.Fatalf("refused %v, error %v", got, err)
	}
}

func smallHub(t *testing.T) *Pricer {
	return NewPricer(box(t, map[string]any{
		"fib.units72": 1024, "fib.split.ip_mpls": 70, "mpls.aggregate_labels": 10, "crypto.tunnels": 2, "gre.key_in_hw": false, "gre.unique_source": true, "mpls.over_gre": false,
		"crypto.in_hw": true, "hw.bus_mpps": 1}), Options{})
}

// An engine that is priced at once, or later, or anew, has given the same away, and nothing that is installed is lost.
func TestEngineRepriced(t *testing.T) {
	fresh, p := realEngine(t), smallHub(t)
	if err := fresh.SetPricer(p); err != nil {
		t.Fatal(err)
	}
	b := hub()
	labels := b.Labels
	b.Labels = nil // routes come first when all is priced anew
	apply(t, fresh, b, 0)
	apply(t, fresh, &fib.Batch{Labels: labels}, 0)
	want := p.Usage()
	switched := []Switched{{Tunnel: 1, Way: fib.ByCEF, Key: "gre.unique_source"}, {Tunnel: 2, Way: fib.ByCEF, Key: "gre.key_in_hw"},
		{Tunnel: 3, Labelled: true, Way: fib.ByCEF, Key: "mpls.over_gre"}, {Tunnel: 4, Way: fib.ByCEF, Key: "gre.key_in_hw"}}
	if want.IPv4 != (Routes{Hardware: 52, Threshold: true}) || want.MPLS != (Routes{Hardware: 18, Software: 32, Threshold: true, Exception: true}) || want.AggregateLabels.Used != 50 ||
		want.CryptoTunnels.Used != 2 || want.TunnelVLANs.Used != 4 || want.Adjacencies.Used != 5 || !slices.Equal(want.Switched, switched) {
		t.Errorf("%+v", want)
	}

	late := realEngine(t)
	apply(t, late, hub(), 0)
	installed := late.Inherited()
	for range 2 {
		p := smallHub(t)
		if err := late.SetPricer(p); err != nil {
			t.Fatal(err)
		}
		if got := p.Usage(); !reflect.DeepEqual(got, want) {
			t.Errorf("priced later: %+v\nat once: %+v", got, want)
		}
		if p.Stale() {
			t.Error("prices are old at once")
		}
		if now := late.Inherited(); !reflect.DeepEqual(now, installed) || len(now.Routes) != 52 || len(now.Labels) != 50 || len(now.SAs) != 4 {
			t.Errorf("installed is %+v, and was %+v", now, installed)
		}
	}
}

// Routes that go give their room to those that come, through an engine as well; a peer too many is refused with an error that says why.
func TestEngineRoom(t *testing.T) {
	e, p := realEngine(t), smallHub(t)
	if err := e.SetPricer(p); err != nil {
		t.Fatal(err)
	}
	apply(t, e, hub(), 0)
	b := hub()
	for range 3 { // the same again changes nothing
		u := p.Usage()
		if apply(t, e, b, 0); !reflect.DeepEqual(u, p.Usage()) {
			t.Errorf("%+v, and before %+v", p.Usage(), u)
		}
	}
	del := &fib.Batch{}
	for _, r := range b.Routes {
		del.DelRoutes = append(del.DelRoutes, fib.RouteKey{Prefix: r.Prefix})
	}
	for _, l := range b.Labels[:10] {
		del.DelLabels = append(del.DelLabels, l.In)
	}
	apply(t, e, del, 0)
	if u := p.Usage(); u.IPv4.Hardware+u.IPv4.Software != 0 || u.MPLS.Hardware != 40 || u.AggregateLabels.Used != 40 || u.Units.Used != 40 {
		t.Errorf("%+v", u)
	}
	apply(t, e, &fib.Batch{Routes: b.Routes}, 0)
	if u := p.Usage(); u.IPv4.Hardware != 32 || u.IPv4.Software != 20 || u.Units.Used != 72 {
		t.Errorf("%+v", u)
	}
	sa := b.SAs[0]
	sa.ID, sa.SPI, sa.Remote = 9, 0x2000, netip.MustParseAddr("198.51.100.9")
	got, err := e.Apply(&fib.Batch{SAs: []fib.SA{sa}})
	if err != nil || len(got) != 1 || got[0].SA != 9 || p.Usage().CryptoRefused != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	apply(t, e, &fib.Batch{DelTunnels: []fib.TunnelID{1, 2, 3, 4}, DelAdjacencies: []fib.AdjID{16, 17, 18, 19, 20}, DelSAs: []fib.SAID{1, 2, 3, 4},
		DelRoutes: del.DelRoutes}, 0)
	if u := p.Usage(); u.TunnelVLANs.Used+u.Adjacencies.Used+u.CryptoTunnels.Used+u.IPv4.Hardware != 0 || u.Switched != nil {
		t.Errorf("%+v", u)
	}
}
