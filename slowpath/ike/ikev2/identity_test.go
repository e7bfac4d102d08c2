package ikev2

import (
	"crypto/elliptic"
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/ikev2/ikev2msg"
)

// Every kind of identity is what it was on the other side.
func TestIdentitiesOnTheWire(t *testing.T) {
	for _, id := range []ike.Identity{
		{Kind: ike.IDIPv4, Value: "192.0.2.1"}, {Kind: ike.IDFQDN, Value: "spoke.example.com"}, {Kind: ike.IDEmail, Value: "a@example.com"},
		{Kind: ike.IDDN, Value: "0\x00"}, {Kind: ike.IDKey, Value: "\x01\xffkey"}, {Kind: ike.IDOther, Value: "\x05sixteen bytes are"},
	} {
		b := wireID(id).Append(nil)
		x, err := ikev2msg.ParseID(b)
		if id.Kind == ike.IDOther { // an IPv6 address has to have 16 bytes
			x, err = ikev2msg.ParseID(append(b[:4:4], make([]byte, 16)...))
			id.Value = "\x05" + string(make([]byte, 16))
		}
		if err != nil || identityOf(x) != id {
			t.Errorf("%v is read as %v, %v", id, identityOf(x), err)
		}
	}
}

// Identities choose profiles, keys and protections.
func TestProfiles(t *testing.T) {
	fqdn := func(s string) ike.Identity { return ike.Identity{Kind: ike.IDFQDN, Value: s} }
	match := func(s string) *ike.Match { return &ike.Match{Kind: ike.IDFQDN, Value: s, VRF: ike.AnyVRF} }
	w := join(t, 50, func(a, b *ike.Config) {
		a.V2.Profiles[0].Self = fqdn("spoke.east.example.com")
		b.Keyrings = []ike.Keyring{
			{Name: "west", VRF: ike.AnyVRF, Keys: []ike.KeyEntry{{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Local: ike.Secret("other"), Remote: ike.Secret("other")}}},
			{Name: "east", VRF: ike.AnyVRF, Keys: []ike.KeyEntry{{Identity: match("spoke.east.example.com"), Local: ike.Secret("secret"), Remote: ike.Secret("secret")}}},
		}
		domain := func(s string) []ike.Match {
			return []ike.Match{{Kind: ike.IDFQDN, Value: s, Domain: true, VRF: ike.AnyVRF}}
		}
		prof := func(name string) ike.V2Profile {
			return ike.V2Profile{Name: name, Keyring: name, VRF: ike.AnyVRF, Match: domain(name + ".example.com"), AuthLocal: ike.AuthPSK, AuthRemote: []ike.AuthMethod{ike.AuthPSK}}
		}
		b.V2.Profiles = []ike.V2Profile{prof("west"), prof("east")}
		west, east := b.Protections[0], b.Protections[0]
		west.ID, west.IKEv2Profile, east.ID, east.IKEv2Profile = 10, "west", 20, "east"
		b.Protections = []ike.Protection{west, east}
	})
	w.A.Initiate()
	w.Run(time.Second)
	w.WantUp()
	c, st := w.B.Children[w.B.Active], w.B.Engine.all()[0].status()
	if c == nil || c.Protection != 20 || c.Peer != fqdn("spoke.east.example.com") || st.Profile != "east" || st.Peer != c.Peer {
		t.Errorf("child %+v of %+v", c, st)
	}
}

// Of two profiles that match, the one whose identity the peer asks for is taken.
func TestProfileByIDr(t *testing.T) {
	e := New(ike.NewEnv(iketest.Random(1), 1))
	cfg := config(addr("192.0.2.1"))
	second := cfg.V2.Profiles[0]
	second.Name, second.Self = "second", ike.Identity{Kind: ike.IDFQDN, Value: "hub.example.com"}
	cfg.V2.Profiles = append(cfg.V2.Profiles, second)
	p := cfg.Protections[0]
	p.ID, p.IKEv2Profile = 2, "second"
	cfg.Protections = append(cfg.Protections, p)
	e.Configure(iketest.Start, &cfg)
	path := ike.Path{Local: netip.MustParseAddrPort("192.0.2.1:500"), Remote: netip.MustParseAddrPort("192.0.2.2:500")}
	peer := ike.Identity{Kind: ike.IDIPv4, Value: "192.0.2.2"}
	list, _ := ikev2msg.ParseInner(ikev2msg.PayloadIDr, ikev2msg.AppendChain(nil, []ikev2msg.Out{{Type: ikev2msg.PayloadIDr, Body: wireID(second.Self).Append(nil)}}))
	if got := e.profileFor(path, peer, list); got == nil || got.Name != "second" {
		t.Errorf("%+v", got)
	}
	if got := e.profileFor(path, peer, nil); got == nil || got.Name != "prof" {
		t.Errorf("%+v", got)
	}
	path.VRF = 7
	if got := e.profileFor(path, peer, nil); got != nil {
		t.Errorf("in another VRF: %+v", got)
	}
}

// Who we are: as configured, the certificate's subject, the host's name, or the address.
func TestSelf(t *testing.T) {
	root := (*issuer)(nil).issue(t, ecKey(t, elliptic.P256()), "root", netip.Addr{}, nil)
	host := root.issue(t, ecKey(t, elliptic.P256()), "host", addr("192.0.2.1"), nil)
	e := New(ike.NewEnv(iketest.Random(1), 1))
	cfg := config(addr("192.0.2.1"))
	cfg.Hostname, cfg.Trustpoints = "hub", []ike.Trustpoint{trust(root, host)}
	e.Configure(iketest.Start, &cfg)
	path := ike.Path{Local: netip.MustParseAddrPort("192.0.2.1:500"), Remote: netip.MustParseAddrPort("192.0.2.2:500")}
	for _, c := range []struct {
		self, want ike.Identity
	}{
		{ike.Identity{}, ike.Identity{Kind: ike.IDIPv4, Value: "192.0.2.1"}},
		{ike.Identity{Kind: ike.IDEmail, Value: "a@b"}, ike.Identity{Kind: ike.IDEmail, Value: "a@b"}},
		{ike.Identity{Kind: ike.IDFQDN}, ike.Identity{Kind: ike.IDFQDN, Value: "hub"}},
		{ike.Identity{Kind: ike.IDDN}, ike.DNIdentity(host.cert)},
	} {
		if got := e.selfIdentity(&ike.V2Profile{Self: c.self}, path); got != c.want {
			t.Errorf("%v: %v, want %v", c.self, got, c.want)
		}
	}
}

// Of several certificates the one counts whose key is of the kind wanted, and whose authority the peer has asked for.
func TestSigner(t *testing.T) {
	one := (*issuer)(nil).issue(t, ecKey(t, elliptic.P256()), "one", netip.Addr{}, nil)
	two := (*issuer)(nil).issue(t, ecKey(t, elliptic.P256()), "two", netip.Addr{}, nil)
	named := func(n string, x ike.Trustpoint) ike.Trustpoint { x.Name = n; return x }
	e := New(ike.NewEnv(iketest.Random(1), 1))
	cfg := config(addr("192.0.2.1"))
	cfg.Trustpoints = []ike.Trustpoint{
		named("ec1", trust(one, one.issue(t, ecKey(t, elliptic.P256()), "h", addr("192.0.2.1"), nil))),
		named("ec2", trust(two, two.issue(t, ecKey(t, elliptic.P384()), "h", addr("192.0.2.1"), nil))),
		named("rsa", trust(two, two.issue(t, rsaKeys[0](), "h", addr("192.0.2.1"), nil))),
	}
	cfg.V2.Profiles[0].AuthRemote = []ike.AuthMethod{ike.AuthECDSA}
	cfg.V2.Profiles[0].Verify = []string{"ec2"}
	e.Configure(iketest.Start, &cfg)
	path := ike.Path{Local: netip.MustParseAddrPort("192.0.2.1:500"), Remote: netip.MustParseAddrPort("192.0.2.2:500")}
	req := e.certRequest(path)
	list, err := ikev2msg.ParseInner(req.Type, ikev2msg.AppendChain(nil, []ikev2msg.Out{*req}))
	if err != nil {
		t.Fatal(err)
	}
	asked := authorities(list)
	if len(asked) != 1 {
		t.Fatalf("%d authorities are asked for", len(asked))
	}
	all := &ike.V2Profile{}
	for _, c := range []struct {
		p      *ike.V2Profile
		method ike.AuthMethod
		asked  [][]byte
		want   string
	}{
		{all, ike.AuthECDSA, nil, "ec1"}, {all, ike.AuthECDSA, asked, "ec2"}, {all, ike.AuthRSA, nil, "rsa"}, {all, ike.AuthRSA, asked, "rsa"},
		{&ike.V2Profile{Sign: []string{"ec2"}}, ike.AuthECDSA, nil, "ec2"}, {&ike.V2Profile{Sign: []string{"ec2"}}, ike.AuthRSA, nil, ""},
		{&ike.V2Profile{Sign: []string{"none"}}, ike.AuthECDSA, nil, ""},
	} {
		got := ""
		if x := e.signerFor(c.p, c.method, c.asked); x != nil {
			got = x.Name
		}
		if got != c.want {
			t.Errorf("%v %v: %q, want %q", c.p.Sign, c.method, got, c.want)
		}
	}
}

// Which proposals count: of the policies that name the address, or else of those that name none; and never one that lacks something.
func TestPolicies(t *testing.T) {
	e := New(ike.NewEnv(iketest.Random(1), 1))
	cfg := config(addr("192.0.2.1"))
	good := ike.V2Proposal{Ciphers: ikeCiphers[2:3], Integrity: hashes[:1], Groups: groups[:1]}
	for _, n := range []string{"a", "b", "c"} {
		p := good
		p.Name = n
		cfg.V2.Proposals = append(cfg.V2.Proposals, p)
	}
	cfg.V2.Proposals = append(cfg.V2.Proposals, ike.V2Proposal{Name: "no group", Ciphers: ikeCiphers[:1], Integrity: hashes[:1]},
		ike.V2Proposal{Name: "no integrity", Ciphers: ikeCiphers[:1], Groups: groups[:1]}, ike.V2Proposal{Name: "no cipher", Groups: groups[:1]})
	cfg.V2.Policies = []ike.V2Policy{
		{Proposals: []string{"no group", "no integrity", "no cipher", "a"}, VRF: ike.AnyVRF},
		{Proposals: []string{"b"}, VRF: ike.AnyVRF, Local: []netip.Addr{addr("192.0.2.9")}},
		{Proposals: []string{"c"}, VRF: 5},
	}
	e.Configure(iketest.Start, &cfg)
	names := func(vrf uint16, local string) (out string) {
		for _, p := range e.proposals(ike.Path{VRF: vrf, Local: netip.AddrPortFrom(addr(local), 500)}) {
			out += p.Name
		}
		return out
	}
	for _, c := range []struct {
		vrf         uint16
		local, want string
	}{{0, "192.0.2.1", "a"}, {0, "192.0.2.9", "b"}, {5, "192.0.2.1", "ac"}} {
		if got := names(c.vrf, c.local); got != c.want {
			t.Errorf("%d %s: %q, want %q", c.vrf, c.local, got, c.want)
		}
	}
	cfg.V2.Policies = nil
	e.Configure(iketest.Start, &cfg)
	if got := names(0, "192.0.2.1"); got != "default" {
		t.Errorf("without a policy: %q", got)
	}
}

// A tunnel of one peer alone comes before one of everybody.
func TestProtectionOrder(t *testing.T) {
	w := join(t, 51, func(a, b *ike.Config) {
		p := b.Protections[0]
		p.ID, p.Remote = 2, a.Protections[0].Local
		q := b.Protections[0]
		q.ID, q.Remote = 3, addr("192.0.2.200")
		b.Protections = append(b.Protections, q, p)
	})
	w.A.Initiate()
	w.Run(time.Second)
	w.WantUp()
	if c := w.B.Children[w.B.Active]; c.Protection != 2 {
		t.Errorf("protection %d", c.Protection)
	}
}
