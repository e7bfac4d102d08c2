package ike

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestKeyringFind(t *testing.T) {
	prefix := netip.MustParsePrefix
	k := &Keyring{Name: "K", Keys: []KeyEntry{
		{Name: "wildcard", Prefix: prefix("0.0.0.0/0")},
		{Name: "net", Prefix: prefix("192.0.2.0/24")},
		{Name: "host", Prefix: prefix("192.0.2.11/32")},
		{Name: "again", Prefix: prefix("192.0.2.11/32")},
		{Name: "domain", Identity: &Match{Kind: IDFQDN, Value: "example.com", Domain: true}},
		{Name: "north", Identity: &Match{Kind: IDFQDN, Value: "north.example.com", Domain: true}},
		{Name: "r1", Hostname: "R1.example.com"},
		{Name: "r2", Identity: &Match{Kind: IDFQDN, Value: "r2.example.com"}},
		{Name: "by address it says", Identity: &Match{Kind: IDIPv4, Prefix: prefix("10.0.0.1/32")}},
	}}
	local := addr("198.51.100.1")
	for _, c := range []struct {
		from string
		id   Identity
		want string
	}{
		{"203.0.113.5", Identity{}, "wildcard"},
		{"192.0.2.5", Identity{}, "net"},
		{"192.0.2.11", Identity{}, "host"},
		{"192.0.2.11", Identity{IDIPv4, "192.0.2.11"}, "host"},
		{"::ffff:192.0.2.11", Identity{}, "host"},
		{"192.0.2.11", fqdn("r1.example.com"), "r1"},
		{"192.0.2.11", fqdn("R2.example.com"), "r2"},
		{"192.0.2.11", fqdn("r3.example.com"), "domain"},
		{"192.0.2.11", fqdn("r3.north.example.com"), "north"},
		{"192.0.2.11", fqdn("r3.example.net"), "host"},
		{"192.0.2.5", Identity{IDIPv4, "10.0.0.1"}, "by address it says"},
		{"192.0.2.11", Identity{IDEmail, "r1.example.com"}, "host"},
	} {
		e := k.Find(0, local, addr(c.from), c.id)
		if e == nil || e.Name != c.want {
			t.Errorf("%s %s: %v, not %s", c.from, c.id, e, c.want)
		}
	}
	if e := (&Keyring{Keys: k.Keys[1:3]}).Find(0, local, addr("203.0.113.5"), Identity{}); e != nil {
		t.Errorf("a key for a stranger: %s", e.Name)
	}
	if (*Keyring)(nil).Find(0, local, local, Identity{}) != nil {
		t.Error("a key of no keyring")
	}
}

func TestKeyringScope(t *testing.T) {
	all := []KeyEntry{{Prefix: netip.MustParsePrefix("0.0.0.0/0")}}
	here, there := addr("198.51.100.1"), addr("198.51.100.2")
	for _, c := range []struct {
		k     Keyring
		vrf   uint16
		local netip.Addr
		want  bool
	}{
		{Keyring{VRF: 0}, 0, here, true}, {Keyring{VRF: 0}, 1, here, false}, {Keyring{VRF: 1}, 1, here, true}, {Keyring{VRF: AnyVRF}, 5, here, true},
		{Keyring{LocalAddr: here}, 0, here, true}, {Keyring{LocalAddr: here}, 0, there, false},
	} {
		c.k.Keys = all
		if got := c.k.Find(c.vrf, c.local, here, Identity{}) != nil; got != c.want {
			t.Errorf("%+v in %d at %s: %v", c.k, c.vrf, c.local, got)
		}
	}
}

func TestConfigLookups(t *testing.T) {
	c := &Config{
		Keyrings:    []Keyring{{Name: ""}, {Name: "K"}},
		Trustpoints: []Trustpoint{{Name: "peers"}, {Name: "own", Chain: []*x509.Certificate{{}}}},
		Protections: []Protection{{ID: 4}, {ID: 9}},
	}
	if c.Keyring("K") != &c.Keyrings[1] || c.Keyring("") != &c.Keyrings[0] || c.Keyring("k") != nil {
		t.Error("keyrings")
	}
	if c.Trustpoint("peers") != &c.Trustpoints[0] || c.Trustpoint("") != &c.Trustpoints[1] || c.Trustpoint("x") != nil {
		t.Error("trustpoints")
	}
	if c.Protection(9) != &c.Protections[1] || c.Protection(0) != nil {
		t.Error("protections")
	}
}

func TestSecretsHide(t *testing.T) {
	e := KeyEntry{Name: "r1", Local: Secret("cisco123"), Remote: Secret("cisco123")}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		s := fmt.Sprintf(verb, e) + fmt.Sprintf(verb, e.Local)
		for _, bad := range []string{"cisco", "636973636f", "99, 105", "0x63"} {
			if strings.Contains(s, bad) {
				t.Errorf("%s shows %s", verb, s)
			}
		}
	}
	c := Child{ESP: Pair{In: Keys{Cipher: Secret("0123456789"), Auth: Secret("abc")}, Out: Keys{Cipher: Secret("key")}}, AH: Pair{Out: Keys{Auth: Secret("key")}}}
	c.Clear()
	for _, s := range []Secret{c.ESP.In.Cipher, c.ESP.In.Auth, c.ESP.Out.Cipher, c.AH.Out.Auth} {
		for _, b := range s {
			if b != 0 {
				t.Fatal("a key is still there")
			}
		}
	}
}
