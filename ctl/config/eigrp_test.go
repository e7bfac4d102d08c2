package config

import (
	"reflect"
	"testing"
	"time"
)

// In named mode an interface's own setting goes before that of `af-interface default`, and the rest is inherited one by one.
func TestEIGRPSettings(t *testing.T) {
	c, diags := Parse("x", []byte(`interface Tunnel0
interface Tunnel1
 ip hello-interval eigrp 1 9
interface Loopback0
router eigrp X
 address-family ipv4 autonomous-system 1
  af-interface default
   no split-horizon
   hold-time 70
   passive-interface
   shutdown
   authentication mode hmac-sha-256 secret
   authentication key-chain A
   summary-address 10.0.0.0 255.0.0.0
  af-interface Tunnel0
   split-horizon
   no next-hop-self
   no passive-interface
   no shutdown
   hello-interval 20
   authentication mode md5
   summary-address 11.0.0.0 255.0.0.0 200
router eigrp 1
 passive-interface default
 no passive-interface Tunnel1
`))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	named, classic := c.EIGRP[0], c.EIGRP[1]
	for name, want := range map[string]EIGRPInterface{
		"Tunnel0": {SplitHorizon: On, NextHopSelf: Off, Hello: 20 * time.Second, Hold: 70 * time.Second, AuthMode: "md5", KeyChain: "A", Passive: Off, Shutdown: Off,
			Summaries: []EIGRPSummary{{Prefix: classful(addr4(10 << 24))}, {Prefix: classful(addr4(11 << 24)), Distance: 200}}},
		"Loopback0": {SplitHorizon: Off, Hold: 70 * time.Second, AuthMode: "hmac-sha-256", AuthPassword: "secret", KeyChain: "A", Passive: On, Shutdown: On,
			Summaries: []EIGRPSummary{{Prefix: classful(addr4(10 << 24))}}},
	} {
		if got := named.Settings(named.Families[0], c.Interface(name)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got  %+v\nwant %+v", name, got, want)
		}
	}
	for name, want := range map[string]EIGRPInterface{"Tunnel0": {Passive: On}, "Tunnel1": {Passive: Off, Hello: 9 * time.Second}} {
		if got := classic.Settings(classic.Families[0], c.Interface(name)); !reflect.DeepEqual(got, want) {
			t.Errorf("classic %s: got  %+v\nwant %+v", name, got, want)
		}
	}
}

// Filters are the same text exactly if they say the same.
func TestFilterText(t *testing.T) {
	read := func(text string) string {
		c, diags := Parse("x", []byte(text))
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		return c.FilterText()
	}
	base := read("access-list 5 permit any\nip prefix-list P permit 10.0.0.0/8\nroute-map M permit 10\n set metric 1 2 3 4 5\n")
	if base != read("route-map M permit 10\n set metric 1 2 3 4 5\nhostname x\nip prefix-list P seq 5 permit 10.0.0.0/8\naccess-list 5 permit any\n") {
		t.Error("the same in another order is another text")
	}
	for _, other := range []string{"", "access-list 5 permit any\nip prefix-list P permit 10.0.0.0/8\nroute-map M permit 10\n set metric 1 2 3 4 6\n"} {
		if base == read(other) {
			t.Errorf("%q has the same text", other)
		}
	}
}
