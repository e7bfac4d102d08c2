package ike

import (
	"crypto/elliptic"
	"encoding/asn1"
	"net/netip"
	"strings"
	"testing"
)

var (
	oidCN = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidOU = asn1.ObjectIdentifier{2, 5, 4, 11}
	oidO  = asn1.ObjectIdentifier{2, 5, 4, 10}
)

func utf8String(s string) asn1.RawValue {
	return asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(s)}
}

func TestIdentityString(t *testing.T) {
	for _, c := range []struct {
		id   Identity
		want string
	}{
		{Identity{}, ""},
		{Identity{IDIPv4, "192.0.2.1"}, "192.0.2.1"},
		{fqdn("hub.example.com"), "hub.example.com"},
		{Identity{IDEmail, "a@example.com"}, "a@example.com"},
		{Identity{IDKey, "group"}, "group"},
		{Identity{IDKey, "a\x1b[2J"}, "611b5b324a"},
		{fqdn("caf\xc3\xa9"), "636166c3a9"},
		{Identity{IDOther, "\x05\xff\x00"}, "type 5: ff00"},
		{Identity{IDOther, ""}, ""},
		{Identity{IDDN, dn(t, oidO, "Example", oidOU, "spokes", oidCN, "R1")}, "cn=R1,ou=spokes,o=Example"},
		{Identity{IDDN, dn(t, oidCN, utf8String("Zürich, \"R1\"\n"))}, `cn=Zürich\, \"R1\"\0a`},
		{Identity{IDDN, dn(t, asn1.ObjectIdentifier{1, 2, 3}, "x", oidUnstructuredName, "R1.example.com")}, "hostname=R1.example.com,1.2.3=x"},
		{Identity{IDDN, dn(t, oidCN, asn1.RawValue{Tag: asn1.TagBMPString, Bytes: []byte{0, 'R', 0x20, 0xac}})}, "cn=R€"},
		{Identity{IDDN, dn(t, oidCN, asn1.RawValue{Tag: asn1.TagBMPString, Bytes: []byte{0, 'R', 0}})}, "cn=#1e03005200"},
		{Identity{IDDN, dn(t, oidCN, asn1.RawValue{Tag: asn1.TagT61String, Bytes: []byte{'R', 0xe9}})}, "cn=Ré"},
		{Identity{IDDN, dn(t, oidCN, asn1.RawValue{Tag: asn1.TagInteger, Bytes: []byte{7}})}, "cn=#020107"},
		{Identity{IDDN, dn(t)}, ""},
		{Identity{IDDN, "nonsense"}, "6e6f6e73656e7365"},
	} {
		if got := c.id.String(); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
	a := issue(t, newCA(t, "CA"), ecKey(t, elliptic.P256()), "R1", nil)
	if got := DNIdentity(a.cert); got.String() != "cn=R1,ou=spokes,o=Example" || got.Value != string(a.cert.RawSubject) {
		t.Errorf("%v", got)
	}
}

// Two parts of one name that are a set.
func TestDNSet(t *testing.T) {
	set := func(order ...int) string {
		parts := []attribute{{oidCN, utf8String("R1")}, {oidOU, utf8String("spokes")}, {oidOU, utf8String("hubs")}}
		var s rdnSET
		for _, i := range order {
			s = append(s, parts[i])
		}
		// As a sequence inside, so that encoding does not sort it.
		var inner []byte
		for _, a := range s {
			der, err := asn1.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			inner = append(inner, der...)
		}
		der, err := asn1.Marshal([]asn1.RawValue{{Tag: asn1.TagSet, IsCompound: true, Bytes: inner}})
		if err != nil {
			t.Fatal(err)
		}
		return string(der)
	}
	if got := (Identity{IDDN, set(0, 1)}).String(); got != "cn=R1+ou=spokes" {
		t.Errorf("%q", got)
	}
	if !dnEqual(set(0, 1), set(1, 0)) {
		t.Error("another order of a set is another name")
	}
	if dnEqual(set(1, 1), set(1, 2)) || dnEqual(set(1, 2), set(1, 1)) || dnEqual(set(0), set(0, 1)) {
		t.Error("different sets are equal")
	}
}

func TestDNEqual(t *testing.T) {
	name := dn(t, oidO, "Example", oidCN, "R1")
	for what, c := range map[string]struct {
		der  string
		want bool
	}{
		"itself":           {name, true},
		"other case":       {dn(t, oidO, "EXAMPLE", oidCN, "r1"), true},
		"other string":     {dn(t, oidO, utf8String("Example"), oidCN, "R1"), true},
		"white space":      {dn(t, oidO, " Example ", oidCN, "R1"), true},
		"other order":      {dn(t, oidCN, "R1", oidO, "Example"), false},
		"other value":      {dn(t, oidO, "Example", oidCN, "R2"), false},
		"other attribute":  {dn(t, oidOU, "Example", oidCN, "R1"), false},
		"less":             {dn(t, oidO, "Example"), false},
		"more":             {dn(t, oidO, "Example", oidCN, "R1", oidCN, "R1"), false},
		"behind it":        {name + "x", false},
		"cut":              {name[:len(name)-1], false},
		"nothing":          {"", false},
		"white space less": {dn(t, oidO, "Exam ple", oidCN, "R1"), false},
	} {
		if got := dnEqual(name, c.der); got != c.want || dnEqual(c.der, name) != c.want {
			t.Errorf("%s: %v", what, got)
		}
	}
	if dnEqual("junk", "junk") {
		t.Error("junk is equal")
	}
}

func TestMatch(t *testing.T) {
	spoke := Identity{IDDN, dn(t, oidO, "Example", oidOU, "spokes", oidOU, "north", oidCN, "R1")}
	at := addr("192.0.2.11")
	net24 := netip.MustParsePrefix("192.0.2.0/24")
	for _, c := range []struct {
		what string
		m    Match
		id   Identity
		vrf  uint16
		want bool
	}{
		{"any", Match{}, spoke, 7, true},
		{"any, nobody yet", Match{}, Identity{}, 0, true},
		{"address", Match{Kind: IDIPv4, Prefix: net24}, Identity{IDIPv4, "192.0.2.9"}, 0, true},
		{"other address", Match{Kind: IDIPv4, Prefix: net24}, Identity{IDIPv4, "192.0.3.9"}, 0, false},
		{"says another than it comes from", Match{Kind: IDIPv4, Prefix: net24}, Identity{IDIPv4, "10.0.0.1"}, 0, false},
		{"no address", Match{Kind: IDIPv4, Prefix: net24}, Identity{IDIPv4, "x"}, 0, false},
		{"name where an address is wanted", Match{Kind: IDIPv4, Prefix: net24}, fqdn("192.0.2.9"), 0, false},
		{"address, nobody yet", Match{Kind: IDIPv4, Prefix: net24}, Identity{}, 0, true},
		{"other address, nobody yet", Match{Kind: IDIPv4, Prefix: netip.MustParsePrefix("10.0.0.0/8")}, Identity{}, 0, false},
		{"VRF", Match{Kind: IDIPv4, Prefix: net24, VRF: 3}, Identity{IDIPv4, "192.0.2.9"}, 3, true},
		{"other VRF", Match{Kind: IDIPv4, Prefix: net24, VRF: 3}, Identity{IDIPv4, "192.0.2.9"}, 0, false},
		{"all VRFs", Match{Kind: IDIPv4, Prefix: net24, VRF: AnyVRF}, Identity{IDIPv4, "192.0.2.9"}, 9, true},
		{"name", Match{Kind: IDFQDN, Value: "R1.example.com"}, fqdn("r1.EXAMPLE.com."), 0, true},
		{"longer name", Match{Kind: IDFQDN, Value: "example.com"}, fqdn("r1.example.com"), 0, false},
		{"domain", Match{Kind: IDFQDN, Value: "example.com", Domain: true}, fqdn("r1.Example.com"), 0, true},
		{"the domain", Match{Kind: IDFQDN, Value: "example.com", Domain: true}, fqdn("example.com"), 0, true},
		{"no domain of it", Match{Kind: IDFQDN, Value: "example.com", Domain: true}, fqdn("badexample.com"), 0, false},
		{"only a dot", Match{Kind: IDFQDN, Value: "example.com", Domain: true}, fqdn(".example.com"), 0, true},
		{"no value", Match{Kind: IDFQDN, Domain: true}, fqdn("r1.example.com"), 0, false},
		{"no value, no name", Match{Kind: IDFQDN}, fqdn(""), 0, false},
		{"email", Match{Kind: IDEmail, Value: "a@example.com"}, Identity{IDEmail, "A@example.com"}, 0, true},
		{"other email", Match{Kind: IDEmail, Value: "a@example.com"}, Identity{IDEmail, "b@example.com"}, 0, false},
		{"email's domain", Match{Kind: IDEmail, Value: "example.com", Domain: true}, Identity{IDEmail, "b@example.com"}, 0, true},
		{"no email", Match{Kind: IDEmail, Value: "example.com", Domain: true}, Identity{IDEmail, "example.com"}, 0, false},
		{"email, other kind", Match{Kind: IDEmail, Value: "a@example.com"}, fqdn("a@example.com"), 0, false},
		{"DN's part", Match{Kind: IDDN, DN: []string{"OU=Spokes"}}, spoke, 0, true},
		{"DN's parts", Match{Kind: IDDN, DN: []string{"o=example", "ou=north", "cn=R1"}}, spoke, 0, true},
		{"one part missing", Match{Kind: IDDN, DN: []string{"o=example", "ou=south"}}, spoke, 0, false},
		{"no part", Match{Kind: IDDN}, spoke, 0, false},
		{"a part that is none", Match{Kind: IDDN, DN: []string{"spokes"}}, spoke, 0, false},
		{"DN", Match{Kind: IDDN, Value: dn(t, oidO, "EXAMPLE", oidOU, "spokes", oidOU, "north", oidCN, "R1")}, spoke, 0, true},
		{"other DN", Match{Kind: IDDN, Value: dn(t, oidO, "EXAMPLE")}, spoke, 0, false},
		{"junk for a DN", Match{Kind: IDDN, DN: []string{"ou=spokes"}}, Identity{IDDN, "ou=spokes"}, 0, false},
		{"key", Match{Kind: IDKey, Value: "k"}, Identity{IDKey, "k"}, 0, true},
		{"key's case", Match{Kind: IDKey, Value: "k"}, Identity{IDKey, "K"}, 0, false},
		{"nobody yet", Match{Kind: IDKey, Value: "k"}, Identity{}, 0, false},
	} {
		if got := c.m.Matches(c.id, at, c.vrf); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}

func FuzzDN(f *testing.F) {
	f.Add(dn(f, oidO, "Example", oidCN, utf8String("R1")), "cn=R1")
	f.Add(dn(f), "=")
	f.Fuzz(func(t *testing.T, der, part string) {
		s := Identity{IDDN, der}.String()
		if strings.ContainsAny(s, "\x00\x1b\n\r") {
			t.Errorf("%q would upset a terminal", s)
		}
		_, ok := parseDN(der)
		if dnEqual(der, der) != ok {
			t.Error("a name is not itself")
		}
		dnHas(der, []string{part})
	})
}
