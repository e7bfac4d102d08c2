package show

import (
	"regexp"
	"strings"
	"testing"
)

// The legacy form of what the guide's section on troubleshooting prints: each line of a kind, in its order. The guide's text has lost its columns, so blanks count as one.
var (
	guideIsakmp = []string{`dst src state conn-id slot`, `(\S+ \S+ [A-Z_]+ \d+ 0\n)+`}
	guideIPsec  = []string{
		`interface: \S+`, ` Crypto map tag: \S+, local addr \S+`, ``, ` protected vrf: \(none\)`, ` local ident \(addr/mask/prot/port\): \(\S+/255.255.255.255/47/0\)`,
		` remote ident \(addr/mask/prot/port\): \(\S+\)`, ` current_peer \S+ port \d+`, ` PERMIT, flags=\{origin_is_acl,\}`, ` #pkts encaps: \d+, #pkts encrypt: \d+, #pkts digest: \d+`,
		` #pkts decaps: \d+, #pkts decrypt: \d+, #pkts verify: \d+`, ` #pkts compressed: 0, #pkts decompressed: 0`, ` #pkts not compressed: 0, #pkts compr. failed: 0`,
		` #pkts not decompressed: 0, #pkts decompress failed: 0`, ` #send errors \d+, #recv errors \d+`, ``, ` local crypto endpt.: \S+, remote crypto endpt.: \S+`,
		` path mtu \d+, media mtu \d+`, ` current outbound spi: 0x[0-9A-F]+\(\d+\)`, ``, ` inbound esp sas:`, ` spi: 0x[0-9A-F]+\(\d+\)`, ` transform: esp-des esp-md5-hmac ,`,
		` in use settings =\{Transport, \}`, ` conn id: \d+, flow_id: \d+, crypto map: \S+`, ` sa timing: remaining key lifetime \(k/sec\): \(\d+/\d+\)`,
		` ike_cookies: [0-9A-F]{8} [0-9A-F]{8} [0-9A-F]{8} [0-9A-F]{8}`, ` IV size: 8 bytes`, ` replay detection support: Y`, ` Status: ACTIVE`,
	}
	guideMap = []string{
		`Crypto Map "\S+" 10 ipsec-isakmp`, ` Profile name: \S+`, ` Security association lifetime: \d+ kilobytes/\d+ seconds`, ` PFS \(Y/N\): N`, ` Transform sets=\{trans2, both, \}`, ``,
		`Crypto Map "\S+" 20 ipsec-isakmp`, ` Map is a PROFILE INSTANCE.`, ` Peer = \S+`, ` Extended IP access list`, ` access-list permit gre host \S+ host \S+`, ` Current peer: \S+`,
		` Security association lifetime: \d+ kilobytes/\d+ seconds`, ` PFS \(Y/N\): N`, ` Transform sets=\{trans2, both, \}`,
	}
	guideMapEnd = []string{` Interfaces using crypto map \S+:`, ` Tunnel1`}
	guideDMVPN  = []string{
		`Legend: Attrb --> S - Static, D - Dynamic, I - Incomplete`, ` N - NATed, L - Local, X - No Socket`, ` # Ent --> Number of NHRP entries with same NBMA peer`, ``,
		`Tunnel\d+, Type: Spoke, NBMA Peers: 6,`, ` # Ent Peer NBMA Addr Peer Tunnel Add State UpDn Tm Attrb`, `[ -]+`, ` \d+ \S+ \S+ UP 3w1d S`, ` \d+ \S+ \S+ NHRP never S`,
	}
	guideTraffic = []string{
		`Tunnel\d+: Max-send limit:\d+Pkts/\d+Sec, Usage:\d+%`, ` Sent: Total \d+`, ` \d+ Resolution Request \d+ Resolution Reply \d+ Registration Request `,
		` \d+ Registration Reply \d+ Purge Request \d+ Purge Reply `, ` \d+ Error Indication \d+ Traffic Indication `, ` Rcvd: Total \d+`,
		` \d+ Resolution Request \d+ Resolution Reply \d+ Registration Request `, ` \d+ Registration Reply \d+ Purge Request \d+ Purge Reply `, ` \d+ Error Indication \d+ Traffic Indication `,
	}
)

var blanks = regexp.MustCompile(`[ \t]+`)

// TestGuide: the lines come as the guide has them, one after the other, with nothing between.
func TestGuide(t *testing.T) {
	s, c := sample(), cryptoSample()
	for what, w := range map[string]struct {
		text string
		want []string
	}{
		"show crypto isakmp sa":       {IsakmpSA(c, Select{}), guideIsakmp},
		"show crypto ipsec sa active": {IPsecSA(c, Select{Active: true}), guideIPsec},
		"show crypto map":             {CryptoMap(c, Select{}), guideMap},
		"show crypto map, its end":    {CryptoMap(c, Select{}), guideMapEnd},
		"show dmvpn":                  {DMVPN(s, Select{}), guideDMVPN},
		"show ip nhrp traffic":        {NHRPTraffic(s, Select{Iface: "Tunnel0"}), guideTraffic},
	} {
		text := blanks.ReplaceAllString(w.text, " ")
		want := strings.Join(w.want, "\n") + "\n"
		if strings.HasSuffix(w.want[len(w.want)-1], "+") {
			want = strings.TrimSuffix(want, "\n")
		}
		if !regexp.MustCompile(`(?m)^` + want).MatchString(text) {
			t.Errorf("%s is not as the guide has it:\n%s\nwant\n%s", what, text, want)
		}
	}
}

// Options of the commands leave out what they don't select.
func TestSelect(t *testing.T) {
	s := sample()
	s.Router.NHRP.Interfaces[1].VRF, s.VRFs = "red", []VRF{{Name: "red", ID: 1}}
	for k := range s.Router.Interfaces {
		if s.Router.Interfaces[k].Name == "Tunnel1" {
			s.Router.Interfaces[k].VRF = 1
		}
	}
	for _, c := range []struct {
		name      string
		text      string
		want, not []string
	}{
		{"dmvpn peer nbma", DMVPN(s, Select{Peer: addr("203.0.113.9")}), []string{"NBMA Peers: 1,", "10.0.0.9 "}, []string{"10.0.0.1 ", "Tunnel1"}},
		{"dmvpn peer tunnel", DMVPN(s, Select{Tunnel: addr("10.0.0.9")}), []string{"NBMA Peers: 1,", "203.0.113.9 "}, []string{"10.0.0.1 ", "Tunnel1"}},
		{"dmvpn network", DMVPN(s, Select{Network: pfx("10.7.0.0/16")}), []string{"NBMA Peers: 1,", "192.0.2.7 "}, []string{"203.0.113", "Tunnel1"}},
		{"dmvpn static", DMVPN(s, Select{Static: true}), []string{"NBMA Peers: 2,"}, []string{"203.0.113", "Tunnel1"}},
		{"dmvpn vrf", DMVPN(s, Select{VRF: "red"}), []string{"Tunnel1"}, []string{"Tunnel0"}},
		{"dmvpn vrf global", DMVPN(s, Select{VRF: GlobalVRF}), []string{"Tunnel0"}, []string{"Tunnel1"}},
		{"dmvpn of nobody", DMVPN(s, Select{Peer: addr("192.0.2.99")}), []string{"Legend"}, []string{"Tunnel"}},
		{"modern dmvpn peer", DMVPN(s, Select{Peer: addr("203.0.113.9"), Form: Modern}), []string{"NHRP Peers:1,"}, []string{"10.0.0.1 "}},
		{"dmvpn detail peer", DMVPN(s, Select{Peer: addr("203.0.113.9"), Detail: true}), []string{"Total NBMA Peers (v4/v6): 1\n"}, []string{"198.51.100.2 ", "Interface Tunnel1"}},
		{"nhrp dynamic", NHRP(s, Select{Type: "dynamic"}), []string{"10.0.0.9/32"}, []string{"static", "incomplete", "negative"}},
		{"nhrp static", NHRP(s, Select{Type: "static"}), []string{"10.0.0.1/32"}, []string{"dynamic"}},
		{"nhrp local", NHRP(s, Select{Local: true}), []string{"10.7.0.0/24"}, []string{"10.0.0.9/32"}},
		{"nhrp address", NHRP(s, Select{Network: pfx("10.7.0.200/32")}), []string{"10.7.0.0/24"}, []string{"10.0.0.9/32"}},
		{"nhrp network", NHRP(s, Select{Network: pfx("10.0.0.0/24")}), []string{"10.0.0.9/32"}, []string{"10.7.0.0/24", "10.1.0.2"}},
		{"nhrp vrf", NHRP(s, Select{VRF: "red"}), []string{"10.1.0.2/32"}, []string{"10.0.0.9"}},
		{"nhrp traffic vrf", NHRPTraffic(s, Select{VRF: "red"}), []string{"Tunnel1"}, []string{"Tunnel0"}},
		{"nhrp brief", NHRPBrief(s, Select{Iface: "Tunnel1"}), []string{"10.1.0.2/32"}, []string{"10.0.0.9"}},
		{"ip interface brief", IPInterfaceBrief(s, Select{Iface: "Tunnel0"}), []string{"Tunnel0"}, []string{"Ethernet0"}},
	} {
		for _, w := range c.want {
			if !strings.Contains(c.text, w) {
				t.Errorf("%s lacks %q:\n%s", c.name, w, c.text)
			}
		}
		for _, n := range c.not {
			if strings.Contains(c.text, n) {
				t.Errorf("%s has %q:\n%s", c.name, n, c.text)
			}
		}
	}
	if v := decodedSelect[map[string]object](t, s, "dmvpn", Select{VRF: "red"}); len(v) != 1 || v["Tunnel1"]["vrf"] != "red" {
		t.Errorf("dmvpn of a VRF: %v", v)
	}
	if v := decodedSelect[map[string]object](t, s, "dmvpn", Select{Peer: addr("203.0.113.9")}); len(v) != 1 || len(v["Tunnel0"]["peers"].([]any)) != 1 {
		t.Errorf("dmvpn of a peer: %v", v)
	}
	if v := decodedSelect[[]object](t, s, "ip nhrp", Select{Type: "static"}); len(v) != 1 || v[0]["prefix"] != "10.0.0.1/32" {
		t.Errorf("static entries: %v", v)
	}
}

func decodedSelect[T any](t *testing.T, s *Status, what string, sel Select) T {
	t.Helper()
	b, err := JSON(s, what, sel)
	if err != nil {
		t.Fatal(err)
	}
	return decoded[T](t, what, b)
}

// What is measured is there as values, too.
func TestSystemJSON(t *testing.T) {
	s := sample()
	v := decodedSelect[object](t, s, "version", Select{})
	if v["release"] != "0.1" || v["commit"] != "0123456789ab" || v["kernel"] != "6.1.0-28-amd64" || v["cpus"] != 4.0 || v["uptime_seconds"] != 702061.0 || v["profile"] != nil || v["tunnels"] != 3.0 {
		t.Errorf("version: %v", v)
	}
	v = decodedSelect[object](t, s, "processes cpu", Select{})
	if v["cpus"] != 4.0 || v["percent"].(object)["one_minute"] != 40.0 || v["packets_percent"].(object)["five_seconds"] != 50.0 || len(v["processes"].([]any)) != 3 {
		t.Errorf("cpu: %v", v)
	}
	v = decodedSelect[object](t, s, "processes memory", Select{})
	if p := v["processes"].([]any)[0].(object); v["used"] != float64(5<<30) || p["holding"] != float64(250<<20) || p["name"] != "naved" {
		t.Errorf("memory: %v", v)
	}
	if v = decodedSelect[object](t, s, "clock", Select{}); v["synchronized"] != true || v["time"] != "2026-03-01T12:00:00Z" {
		t.Errorf("clock: %v", v)
	}
	rows := decodedSelect[[]object](t, s, "interfaces", Select{Iface: "Ethernet0"})
	if rx := rows[0]["traffic"].(object)["rx"].(object); len(rows) != 1 || rx["packets"] != 999.0 || rows[0]["cleared"] != "2026-03-01T11:00:00Z" || rows[0]["five_minutes"].(object)["in_packets"] != 9000.0 {
		t.Errorf("interfaces: %v", rows)
	}
	if v = decodedSelect[object](t, s, "ip nhrp summary", Select{}); v["entries"] != 7.0 || v["registered"] != 1.0 || v["local"] != 1.0 {
		t.Errorf("summary: %v", v)
	}
	if rows = decodedSelect[[]object](t, s, "ip interface", Select{Iface: "Ethernet2"}); len(rows) != 1 || rows[0]["status"] != "administratively down" {
		t.Errorf("ip interface: %v", rows)
	}
}
