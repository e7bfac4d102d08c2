package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/ctl/config"
	"nave/ctl/show"
	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
)

const (
	oldCrypto = `crypto isakmp policy 10
 authentication pre-share
crypto isakmp key lab-secret address 0.0.0.0
crypto ipsec transform-set old esp-des esp-md5-hmac
 mode transport
crypto ipsec profile P
 set transform-set old
`
	multipoint = "interface Tunnel%d\n ip address 10.%d.0.1 255.255.255.0\n ip nhrp network-id %d\n tunnel source Ethernet0\n tunnel key %d\n tunnel mode gre multipoint\n tunnel protection ipsec profile P%s\n"
)

func mgre(n int, shared string) string { return fmt.Sprintf(multipoint, n, n, n+1, n+1, shared) }

func nothingWrong(t *testing.T, problems []show.Problem) {
	t.Helper()
	if len(problems) != 0 {
		t.Errorf("problems %v", problems)
	}
}

// The guide's hub: a bare policy, a wildcard key, DES and MD5.
func TestProtectionDefaults(t *testing.T) {
	out, problems := translate(parse(t, oldCrypto+wan+mgre(0, "")), two(), newNumbers())
	nothingWrong(t, problems)
	p := out.IKE.Protections
	want := []ike.Protection{{
		ID: 1, Profile: "P", Local: addr("192.0.2.1"), Version: 1, Lifetime: time.Hour, Kilobytes: 4608000, Window: 64,
		Transforms: []ike.Transform{{Cipher: suite.CipherDES, Auth: suite.HashMD5}},
	}}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("protections %+v", p)
	}
	if pol := out.IKE.V1.Policies; len(pol) != 1 || pol[0] != (ike.V1Policy{
		Priority: 10, Cipher: suite.CipherDES, Hash: suite.HashSHA1, Group: suite.GroupMODP768, Lifetime: 86400 * time.Second,
	}) {
		t.Errorf("policies %+v", pol)
	}
	k := out.IKE.Keyring("")
	if e := k.Find(0, addr("192.0.2.1"), addr("203.0.113.9"), ike.Identity{}); e == nil || string(e.Local) != "lab-secret" || string(e.Remote) != "lab-secret" {
		t.Errorf("keyring %+v", k)
	}
	if out.IKE.V1.Identity != ike.IDIPv4 {
		t.Errorf("identity %v", out.IKE.V1.Identity)
	}
	if s := out.Sessions.Protections; len(s) != 1 || !reflect.DeepEqual(s[0], dmvpn.Protection{ID: 1, Profile: "P", Ifaces: []string{"Tunnel0"}, Local: addr("192.0.2.1")}) {
		t.Errorf("sessions %+v", s)
	}
	// 1500 less IPv4 20, UDP 8, ESP 8, IV 8, ICV 12 is 1444, in blocks of 8 1440, less trailer 2, GRE 8.
	if i := find(out, "Tunnel0"); i.Tunnel.Protection != 1 || i.MTU != 1430 {
		t.Errorf("tunnel %+v", i)
	}
}

// Tunnels that share are one protection; those that do not are each their own, and keep their numbers.
func TestShared(t *testing.T) {
	n := newNumbers()
	text := oldCrypto + wan
	out, problems := translate(parse(t, text+mgre(0, " shared")+mgre(1, " shared")), two(), n)
	nothingWrong(t, problems)
	if s := out.Sessions.Protections; len(s) != 1 || !s[0].Shared || !slices.Equal(s[0].Ifaces, []string{"Tunnel0", "Tunnel1"}) {
		t.Errorf("sessions %+v", s)
	}
	if find(out, "Tunnel0").Tunnel.Protection != find(out, "Tunnel1").Tunnel.Protection {
		t.Error("tunnels that share have protections of their own")
	}
	before := out.Sessions.Protections[0].ID
	out, _ = translate(parse(t, text+mgre(0, "")+mgre(1, " shared")), two(), n)
	if s := out.Sessions.Protections; len(s) != 2 || s[0].ID != before || !slices.Equal(s[0].Ifaces, []string{"Tunnel1"}) || slices.Equal(s[1].Ifaces, s[0].Ifaces) {
		t.Errorf("sessions %+v", s)
	}
	one, _ := translate(parse(t, text+mgre(0, "")), two(), n)
	again, _ := translate(parse(t, text+mgre(0, "")+"ip route 10.99.0.0 255.255.0.0 Null0\n"), two(), n)
	if !reflect.DeepEqual(one.IKE, again.IKE) || !reflect.DeepEqual(one.Sessions, again.Sessions) {
		t.Error("an unrelated line changes what IKE is told")
	}
}

func TestPointToPointProtection(t *testing.T) {
	const p2p = "interface Tunnel5\n ip address 10.5.0.1 255.255.255.252\n tunnel source Ethernet0\n tunnel destination 203.0.113.5\n tunnel protection ipsec profile P\n"
	out, problems := translate(parse(t, oldCrypto+wan+p2p), two(), newNumbers())
	nothingWrong(t, problems)
	s := out.Sessions.Protections
	if len(s) != 1 || s[0].Remote != addr("203.0.113.5") || !slices.Equal(s[0].Always, []dmvpn.Always{{Iface: "Tunnel5", Peer: addr("203.0.113.5")}}) || out.IKE.Protections[0].Remote != s[0].Remote {
		t.Errorf("sessions %+v", s)
	}
	two2 := strings.Replace(strings.Replace(p2p, "Tunnel5", "Tunnel6", 1), "203.0.113.5", "203.0.113.6", 1)
	shared := strings.ReplaceAll(p2p+strings.Replace(two2, "10.5.0.1", "10.6.0.1", 1), "profile P\n", "profile P shared\n")
	out, _ = translate(parse(t, oldCrypto+wan+shared), two(), newNumbers())
	if s := out.Sessions.Protections; len(s) != 1 || s[0].Remote.IsValid() || len(s[0].Always) != 2 {
		t.Errorf("two peers by one protection: %+v", s)
	}
}

// A tunnel whose protection cannot be carried out stays shut, and it is said why.
func TestProtectionFailsClosed(t *testing.T) {
	for _, c := range []struct{ name, crypto, why string }{
		{"no profile", "", "is not defined"},
		{"no set", "crypto ipsec profile P\n set transform-set none\n", "transform set none is not defined"},
		{"no set at all", "crypto ipsec profile P\n", "no transform set that can be used"},
	} {
		tree, _ := config.Parse("test.cfg", []byte(c.crypto+wan+mgre(0, "")))
		out, problems := translate(tree, two(), newNumbers())
		if i := find(out, "Tunnel0"); !i.Tunnel.Protected || len(out.IKE.Protections) != 0 || len(out.Sessions.Protections) != 0 {
			t.Errorf("%s: %+v, %+v", c.name, i.Tunnel, out.IKE.Protections)
		}
		if !slices.ContainsFunc(problems, func(p show.Problem) bool { return strings.Contains(p.Why, c.why) }) {
			t.Errorf("%s: problems %v", c.name, problems)
		}
	}
	facts := two()
	facts.Leases = map[string]Lease{}
	out, _ := translate(parse(t, oldCrypto+strings.Replace(wan, " ip address 192.0.2.1 255.255.255.0\n", " ip address dhcp\n", 1)+mgre(0, "")), facts, newNumbers())
	if i := find(out, "Tunnel0"); i.Tunnel.Protection == fib.ProtectionID(0) || len(out.IKE.Protections) != 0 {
		t.Errorf("without a source address: %+v, %+v", i.Tunnel, out.IKE.Protections)
	}
}

// Every transform of the grammar is one of the fast path's.
func TestTransforms(t *testing.T) {
	for line, want := range map[string]ike.Transform{
		"esp-aes esp-sha-hmac":        {Cipher: suite.CipherAESCBC, KeyBits: 128, Auth: suite.HashSHA1, Tunnel: true},
		"esp-aes 256 esp-sha512-hmac": {Cipher: suite.CipherAESCBC, KeyBits: 256, Auth: suite.HashSHA512, Tunnel: true},
		"esp-3des esp-sha256-hmac":    {Cipher: suite.Cipher3DES, Auth: suite.HashSHA256, Tunnel: true},
		"esp-des":                     {Cipher: suite.CipherDES, Tunnel: true},
		"esp-null esp-sha384-hmac":    {Cipher: suite.CipherNull, Auth: suite.HashSHA384, Tunnel: true},
		"esp-ctr 192 esp-md5-hmac":    {Cipher: suite.CipherAESCTR, KeyBits: 192, Auth: suite.HashMD5, Tunnel: true},
		"esp-gcm":                     {Cipher: suite.CipherAESGCM, KeyBits: 128, ICV: 16, Tunnel: true},
		"esp-gcm 256 icv 8":           {Cipher: suite.CipherAESGCM, KeyBits: 256, ICV: 8, Tunnel: true},
		"esp-gmac 192":                {Cipher: suite.CipherAESGMAC, KeyBits: 192, ICV: 16, Tunnel: true},
		"esp-chacha20-poly1305":       {Cipher: suite.CipherChaCha20Poly1305, ICV: 16, Tunnel: true},
		"ah-sha-hmac":                 {AH: suite.HashSHA1, Tunnel: true},
		"ah-md5-hmac esp-des":         {AH: suite.HashMD5, Cipher: suite.CipherDES, Tunnel: true},
		"ah-sha256-hmac esp-aes 192":  {AH: suite.HashSHA256, Cipher: suite.CipherAESCBC, KeyBits: 192, Tunnel: true},
		"ah-sha384-hmac esp-sha-hmac": {AH: suite.HashSHA384, Cipher: suite.CipherNull, Auth: suite.HashSHA1, Tunnel: true},
		"ah-sha512-hmac esp-gcm 128":  {AH: suite.HashSHA512, Cipher: suite.CipherAESGCM, KeyBits: 128, ICV: 16, Tunnel: true},
	} {
		tree, diags := config.Parse("test.cfg", []byte("crypto ipsec transform-set T "+line+"\n"))
		if diags.HasErrors() {
			t.Errorf("%s: %v", line, diags)
			continue
		}
		tr := translation{tree: tree}
		if got, ok := tr.transform(tree.TransformSet("T"), 1); !ok || got != want || len(tr.problems) != 0 {
			t.Errorf("%s: %+v, %v", line, got, tr.problems)
		}
	}
	tree, _ := config.Parse("test.cfg", []byte("crypto ipsec transform-set T esp-gcm\n mode transport require\n esn\n"))
	tr := translation{tree: tree}
	if got, _ := tr.transform(tree.TransformSet("T"), 2); got.Tunnel || !got.Require || !got.ESN {
		t.Errorf("%+v", got)
	}
	if got, _ := tr.transform(tree.TransformSet("T"), 1); got.ESN || len(tr.problems) != 1 {
		t.Errorf("ESN with IKEv1: %+v, %v", got, tr.problems)
	}
}

func TestProfileSettings(t *testing.T) {
	for text, check := range map[string]func(p *ike.Protection) bool{
		" set pfs\n":              func(p *ike.Protection) bool { return p.PFS == suite.GroupMODP768 },
		" set pfs group14\n":      func(p *ike.Protection) bool { return p.PFS == suite.GroupMODP2048 },
		"":                        func(p *ike.Protection) bool { return p.PFS == suite.GroupNone },
		" responder-only\n":       func(p *ike.Protection) bool { return p.ResponderOnly },
		" set isakmp-profile X\n": func(p *ike.Protection) bool { return p.ISAKMPProfile == "X" },
		" set security-association lifetime seconds 300\n":           func(p *ike.Protection) bool { return p.Lifetime == 300*time.Second },
		" set security-association lifetime kilobytes 5000\n":        func(p *ike.Protection) bool { return p.Kilobytes == 5000 },
		" set security-association lifetime kilobytes disable\n":     func(p *ike.Protection) bool { return p.Kilobytes == 0 },
		" set security-association replay window-size 512\n":         func(p *ike.Protection) bool { return p.Window == 512 },
		" set security-association replay disable\n":                 func(p *ike.Protection) bool { return p.Window == 0 },
		"crypto ipsec security-association lifetime seconds 1200\n":  func(p *ike.Protection) bool { return p.Lifetime == 1200*time.Second },
		"crypto ipsec security-association replay disable\n":         func(p *ike.Protection) bool { return p.Window == 0 },
		"crypto ipsec security-association replay window-size 256\n": func(p *ike.Protection) bool { return p.Window == 256 },
	} {
		out, _ := translate(parse(t, "crypto isakmp profile X\n match identity address 0.0.0.0\n keyring default\n"+oldCrypto+text+wan+mgre(0, "")), two(), newNumbers())
		if len(out.IKE.Protections) != 1 || !check(&out.IKE.Protections[0]) {
			t.Errorf("%q: %+v", text, out.IKE.Protections)
		}
	}
	out, _ := translate(parse(t, oldCrypto+" set security-association idle-time 600\n"+wan+mgre(0, "")), two(), newNumbers())
	if out.Sessions.Protections[0].IdleTime != 600*time.Second {
		t.Errorf("%+v", out.Sessions.Protections)
	}
	out, _ = translate(parse(t, "crypto identity SPOKES\n dn ou=spokes, o=nave\n fqdn a.example\n"+oldCrypto+" set identity SPOKES\n"+wan+mgre(0, "")), two(), newNumbers())
	if m := out.IKE.Protections[0].Peers; len(m) != 2 || !slices.Equal(m[0].DN, []string{"ou=spokes", "o=nave"}) || m[1].Value != "a.example" {
		t.Errorf("%+v", m)
	}
}

func TestISAKMP(t *testing.T) {
	const text = `hostname hub
ip host far 203.0.113.4
crypto isakmp policy 20
 encryption aes 256
 hash sha256
 authentication pre-share
 group 19
 lifetime 3600
crypto isakmp policy 5
 group 2
crypto isakmp identity hostname
crypto isakmp keepalive 30 5 periodic
crypto isakmp nat keepalive 15
crypto isakmp aggressive-mode disable
crypto isakmp invalid-spi-recovery
crypto isakmp key one address 203.0.113.0 255.255.255.0
crypto isakmp key two hostname far
crypto keyring RING
 local-address Ethernet0
 pre-shared-key address 198.51.100.0 255.255.255.0 key three
crypto isakmp profile PROF
 self-identity fqdn
 keyring RING
 keyring default
 match identity address 198.51.100.0 255.255.255.0
 match identity host domain example.net
 initiate mode aggressive
crypto call admission limit ike sa 100
crypto call admission limit ike in-negotiation-sa 40
call admission limit 80
`
	out, problems := translate(parse(t, text+wan), two(), newNumbers())
	nothingWrong(t, problems)
	c := out.IKE
	if p := c.V1.Policies; len(p) != 2 || p[0].Priority != 5 || !p[0].RSA || p[0].Group != 2 || p[1] != (ike.V1Policy{
		Priority: 20, Cipher: suite.CipherAESCBC, KeyBits: 256, Hash: suite.HashSHA256, Group: 19, Lifetime: time.Hour,
	}) {
		t.Errorf("policies %+v", p)
	}
	if c.V1.Identity != ike.IDFQDN || c.V1.Keepalive != (ike.Keepalive{Interval: 30 * time.Second, Retry: 5 * time.Second, Periodic: true}) ||
		c.NATKeepalive != 15*time.Second || !c.V1.NoAggressive || !c.InvalidSPIRecovery || c.Hostname != "hub" ||
		c.Admission != (ike.Limits{SAs: 100, InNegotiation: 40, Load: 80}) {
		t.Errorf("%+v", c)
	}
	for _, k := range []struct {
		ring, peer string
		id         ike.Identity
		want       string
	}{
		{"", "203.0.113.9", ike.Identity{}, "one"}, {"", "203.0.113.4", ike.Identity{}, "two"}, {"", "198.51.100.1", ike.Identity{}, ""},
		{"", "192.0.2.77", ike.Identity{Kind: ike.IDFQDN, Value: "FAR"}, "two"}, {"RING", "198.51.100.1", ike.Identity{}, "three"},
	} {
		got := ""
		if e := c.Keyring(k.ring).Find(0, addr("192.0.2.1"), addr(k.peer), k.id); e != nil {
			got = string(e.Local)
		}
		if got != k.want {
			t.Errorf("keyring %q, %s %v: %q, want %q", k.ring, k.peer, k.id, got, k.want)
		}
	}
	if c.Keyring("RING").LocalAddr != addr("192.0.2.1") {
		t.Errorf("%+v", c.Keyring("RING").LocalAddr)
	}
	p := c.V1.Profiles
	if len(p) != 1 || !slices.Equal(p[0].Keyrings, []string{"RING", ""}) || !p[0].Aggressive || p[0].Self != (ike.Identity{Kind: ike.IDFQDN, Value: "hub"}) ||
		len(p[0].Match) != 2 || p[0].Match[0].Prefix != pfx("198.51.100.0/24") || !p[0].Match[1].Domain || p[0].Match[1].Value != "example.net" {
		t.Errorf("profiles %+v", p)
	}
	if strings.Contains(fmt.Sprintf("%+v %#v", c.Keyrings, c), "three") {
		t.Error("a key is printed")
	}
}

func TestIKEv2(t *testing.T) {
	const text = `crypto ikev2 proposal A
 encryption aes-gcm-256 chacha20-poly1305
 prf sha384
 group 31 19
 additional-key-exchange 1 mlkem768 none
crypto ikev2 proposal B
 encryption aes-cbc-256
 integrity sha256
 group 14
crypto ikev2 policy POL
 proposal A
 proposal B
crypto ikev2 keyring RING
 peer one
  address 198.51.100.0 255.255.255.0
  pre-shared-key local mine
  pre-shared-key remote theirs
 peer two
  identity fqdn two.example
  pre-shared-key both
crypto ikev2 profile PROF
 match identity remote fqdn domain example
 match identity remote any
 identity local fqdn hub.example
 authentication local pre-share
 authentication remote pre-share
 keyring local RING
 lifetime 7200
 dpd 20 3 periodic
crypto ikev2 cookie-challenge 50
crypto ikev2 fragmentation mtu 1200
crypto ikev2 limit max-sa 10
`
	tree, diags := config.Parse("test.cfg", []byte(text+oldCrypto+" set ikev2-profile PROF\n"+wan+mgre(0, "")))
	for _, d := range diags {
		t.Log(d)
	}
	out, problems := translate(tree, two(), newNumbers())
	nothingWrong(t, problems)
	c := out.IKE
	if p := c.Protections[0]; p.Version != 2 || p.IKEv2Profile != "PROF" {
		t.Errorf("%+v", p)
	}
	if p := c.V2.Proposals; len(p) != 3 || len(p[0].Ciphers) != 2 || p[0].Ciphers[0] != (ike.V2Cipher{Cipher: suite.CipherAESGCM, KeyBits: 256, ICV: 16}) ||
		!slices.Equal(p[0].PRFs, []suite.Hash{suite.HashSHA384}) || !slices.Equal(p[0].Groups, []suite.Group{31, 19}) ||
		!slices.Equal(p[1].Integrity, []suite.Hash{suite.HashSHA256}) || p[2].Name != "default" {
		t.Errorf("proposals %+v", p)
	}
	if p := c.V2.Policies; len(p) != 1 || !slices.Equal(p[0].Proposals, []string{"A", "B"}) || p[0].VRF != 0 {
		t.Errorf("policies %+v", p)
	}
	if e := c.Keyring("RING").Find(0, netip.Addr{}, addr("198.51.100.7"), ike.Identity{}); e == nil || string(e.Local) != "mine" || string(e.Remote) != "theirs" {
		t.Errorf("%+v", e)
	}
	if e := c.Keyring("RING").Find(0, netip.Addr{}, addr("192.0.2.7"), ike.Identity{Kind: ike.IDFQDN, Value: "two.example"}); e == nil || string(e.Local) != "both" || string(e.Remote) != "both" {
		t.Errorf("%+v", e)
	}
	p := c.V2.Profiles
	if len(p) != 1 || p[0].Self != (ike.Identity{Kind: ike.IDFQDN, Value: "hub.example"}) || p[0].AuthLocal != ike.AuthPSK || !slices.Equal(p[0].AuthRemote, []ike.AuthMethod{ike.AuthPSK}) ||
		p[0].Lifetime != 2*time.Hour || p[0].DPD.Interval != 20*time.Second || !p[0].DPD.Periodic || len(p[0].Match) != 2 || !p[0].Match[0].Domain || p[0].Match[1].Kind != ike.IDNone {
		t.Errorf("profiles %+v", p)
	}
	if c.V2.Cookies != 50 || !c.V2.Fragmentation || c.V2.FragmentMTU != 1200 || c.Admission.SAs != 10 {
		t.Errorf("%+v, %+v", c.V2, c.Admission)
	}
}

// Files of trustpoints that can't be read are named, and what was read before goes on.
func TestTrustpoints(t *testing.T) {
	const text = "crypto pki trustpoint CA\n ca-file /etc/nave/ca.pem\n"
	b := &box{}
	c := NewSeededCore(b, b, 1)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	good := ike.Trustpoint{Name: "CA", Roots: certificates(t), Loaded: now}
	var fails error
	c.SetTrustLoader(func(time.Time, *config.Trustpoint) (ike.Trustpoint, error) { return good, fails })
	for _, l := range []string{"Ethernet0", "Ethernet1"} {
		if err := c.SetLink(now, l, two().Links[l]); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Configure(now, parse(t, text+wan)); err != nil || len(c.Current().IKE.Trustpoints) != 1 || len(c.Problems()) != 0 {
		t.Fatalf("%v: %+v, %v", err, c.Current().IKE.Trustpoints, c.Problems())
	}
	good, fails = ike.Trustpoint{}, errors.New("open /etc/nave/ca.pem: no such file")
	if err := c.Reload(now); err != nil || len(c.Current().IKE.Trustpoints) != 1 || len(c.Problems()) != 1 || !strings.Contains(c.Problems()[0].Why, "ca.pem") {
		t.Errorf("%v: %+v, %v", err, c.Current().IKE.Trustpoints, c.Problems())
	}
	if err := c.Configure(now, parse(t, wan)); err != nil || len(c.Current().IKE.Trustpoints) != 0 || len(c.Problems()) != 0 {
		t.Errorf("%v: %+v, %v", err, c.Current().IKE.Trustpoints, c.Problems())
	}
	if _, err := loadTrust(now, &config.Trustpoint{Name: "CA", CAFile: "/nowhere/ca.pem"}); err == nil || !strings.Contains(err.Error(), "/nowhere/ca.pem") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestChecksCRL(t *testing.T) {
	for _, c := range []struct {
		p    config.Trustpoint
		want bool
	}{
		{config.Trustpoint{}, false},
		{config.Trustpoint{CRLFile: "x"}, true},
		{config.Trustpoint{CRLFile: "x", Revocation: []string{"none"}}, false},
		{config.Trustpoint{Revocation: []string{"crl"}}, true},
		{config.Trustpoint{Revocation: []string{"crl", "none"}}, false},
		{config.Trustpoint{CRLFile: "x", Revocation: []string{"crl", "none"}}, true},
	} {
		if got := checksCRL(&c.p); got != c.want {
			t.Errorf("%+v: %v", c.p, got)
		}
	}
}

func TestFlood(t *testing.T) {
	f := flood{rate: ikePerSecond, burst: ikeBurst}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	n := 0
	for range 10 * ikeBurst {
		if f.allow(now) {
			n++
		}
	}
	if n != ikeBurst {
		t.Errorf("%d messages at once", n)
	}
	if now = now.Add(time.Second); !f.allow(now) {
		t.Error("none a second later")
	}
}

// certificates is an authority made for the test.
func certificates(t *testing.T) []*x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter: time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return []*x509.Certificate{c}
}
