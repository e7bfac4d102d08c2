package show

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
)

// What scripts look for in the crypto commands of IOS 12.4 to 17. A line that none of a command's patterns takes is an error, as in theirs.
var (
	isakmpRow   = regexp.MustCompile(`^(\d+\.\d+\.\d+\.\d+)\s+(\d+\.\d+\.\d+\.\d+)\s+([A-Z_]+)\s+(\d+)\s+(ACTIVE)\s*$`)
	isakmpLong  = regexp.MustCompile(`^(\d+)\s+(\S+)\s+(\S+)\s+ACTIVE\s+(\S+)\s+(\S+)\s+(psk|rsig|renc)\s+(\d+)\s+(\d+:\d+:\d+|\S+)\s*([A-Z]*)\s*$`)
	ikev2Head   = regexp.MustCompile(`^(\d+)\s+(\S+)/(\d+)\s+(\S+)/(\d+)\s+(\S+)/(\S+)\s+(READY|DELETE|IN-NEG)\s*$`)
	ikev2Suite  = regexp.MustCompile(`^\s*Encr:\s+([\w-]+),\s+keysize:\s+(\d+),\s+PRF:\s+(\w+),\s+Hash:\s+(\w+),\s+DH\s+Grp:(\d+),\s+Auth\s+sign:\s+(\w+),\s+Auth\s+verify:\s+(\w+)\s*$`)
	ikev2Life   = regexp.MustCompile(`^\s*Life/Active\s+Time:\s+(\d+)/(\d+)\s+sec\s*$`)
	ipsecIface  = regexp.MustCompile(`^\s*interface:\s+(\S+)\s*$`)
	ipsecSPI    = regexp.MustCompile(`^\s*spi:\s+0x([0-9A-F]+)\((\d+)\)\s*$`)
	ipsecPeer   = regexp.MustCompile(`^\s*current_peer\s+(\S+)\s+port\s+(\d+)\s*$`)
	ipsecSent   = regexp.MustCompile(`^\s*#pkts\s+encaps:\s+(\d+),\s+#pkts\s+encrypt:\s+(\d+),\s+#pkts\s+digest:\s+(\d+)\s*$`)
	ipsecOthers = []*regexp.Regexp{
		regexp.MustCompile(`^\s*Crypto\s+map\s+tag:\s+(\S+),\s+local\s+addr\s+(\S+)\s*$`),
		regexp.MustCompile(`^\s*protected\s+vrf:\s+(\S+)\s*$`),
		regexp.MustCompile(`^\s*(local|remote)\s+ident\s+\(addr/mask/prot/port\):\s+\((\S+)/(\S+)/(\d+)/(\d+)\)\s*$`),
		regexp.MustCompile(`^\s*PERMIT,\s+flags=\{\S*\}\s*$`),
		regexp.MustCompile(`^\s*#pkts\s+decaps:\s+(\d+),\s+#pkts\s+decrypt:\s+(\d+),\s+#pkts\s+verify:\s+(\d+)\s*$`),
		regexp.MustCompile(`^\s*#pkts\s+(not\s+)?(de)?compressed:\s+0,\s+#pkts\s+.*:\s+0\s*$`),
		regexp.MustCompile(`^\s*#send\s+errors\s+(\d+),\s+#recv\s+errors\s+(\d+)\s*$`),
		regexp.MustCompile(`^\s*local\s+crypto\s+endpt.:\s+(\S+),\s+remote\s+crypto\s+endpt.:\s+(\S+)\s*$`),
		regexp.MustCompile(`^\s*(plaintext\s+mtu\s+(\d+),\s+)?path\s+mtu\s+(\d+),\s+ip\s+mtu\s+(\d+),\s+ip\s+mtu\s+idb\s+(\S+)\s*$`),
		regexp.MustCompile(`^\s*current\s+outbound\s+spi:\s+0x[0-9A-F]+\(\d+\)\s*$`),
		regexp.MustCompile(`^\s*PFS\s+\(Y/N\):\s+[YN],\s+DH\s+group:\s+(none|group\d+)\s*$`),
		regexp.MustCompile(`^\s*(in|out)bound\s+(esp|ah|pcp)\s+sas:\s*$`),
		regexp.MustCompile(`^\s*transform:\s+(\S.*\S)\s+,\s*$`),
		regexp.MustCompile(`^\s*in\s+use\s+settings\s+=\{(Transport|Tunnel)( UDP-Encaps)?,\s*\}\s*$`),
		regexp.MustCompile(`^\s*conn\s+id:\s+(\d+),\s+flow_id:\s+(\S+),\s+sibling_flags\s+(\w+),\s+crypto\s+map:\s+(\S+)\s*$`),
		regexp.MustCompile(`^\s*sa\s+timing:\s+remaining\s+key\s+lifetime\s+(\(k/sec\):\s+\((\d+)/(\d+)\)|\(sec\):\s+\((\d+)\))\s*$`),
		regexp.MustCompile(`^\s*Kilobyte\s+Volume\s+Rekey\s+has\s+been\s+disabled\s*$`),
		regexp.MustCompile(`^\s*IV\s+size:\s+(\d+)\s+bytes\s*$`),
		regexp.MustCompile(`^\s*replay\s+detection\s+support:\s+(N|Y\s+replay\s+window\s+size:\s+(\d+))\s*$`),
		regexp.MustCompile(`^\s*extended\s+sequence\s+number:\s+Y\s*$`),
		regexp.MustCompile(`^\s*Status:\s+(ACTIVE)\(ACTIVE\)\s*$`), regexp.MustCompile(`^\s*$`),
	}
	sessionLines = []*regexp.Regexp{
		regexp.MustCompile(`^Crypto\s+.*`), regexp.MustCompile(`^(Code:|K\s+-|X\s+-|R\s+-|S\s+-)`), regexp.MustCompile(`^Profile:\s+(\S+)$`), regexp.MustCompile(`^Uptime:\s+(\S+)$`),
		regexp.MustCompile(`^\s+Desc:\s+(\S+)$`), regexp.MustCompile(`^\s+Phase1_id:\s+(\S+)$`), regexp.MustCompile(`^\s+Session\s+ID:\s+(\d+)$`),
		regexp.MustCompile(`^\s+Capabilities:(\S+)\s+connid:(\d+)\s+lifetime:(\S+)$`), regexp.MustCompile(`^\s+IPSEC\s+FLOW:\s+permit\s+47\s+host\s+(\S+)\s+host\s+(\S+)$`),
		regexp.MustCompile(`^\s+Active\s+SAs:\s+(\d+),\s+origin:\s+crypto map$`), regexp.MustCompile(`^\s+IKEv[12]\s+SA:\s+local\s+(\S+)/(\d+)\s+remote\s+(\S+)/(\d+)\s+(Active|Inactive)$`),
		regexp.MustCompile(`^\s+Inbound:\s+#pkts dec'ed (\d+) drop (\d+) life \(KB/Sec\) (KB Vol Rekey Disabled|\d+)/(\d+)$`),
		regexp.MustCompile(`^\s+Outbound:\s+#pkts enc'ed (\d+) drop (\d+) life \(KB/Sec\) (KB Vol Rekey Disabled|\d+)/(\d+)$`), regexp.MustCompile(`^\s*$`),
	}
	sessionIface = regexp.MustCompile(`^Interface:\s+(\S+)$`)
	sessionState = regexp.MustCompile(`^Session\s+status:\s+(UP-ACTIVE|UP-IDLE|UP-NO-IKE|DOWN-NEGOTIATING|DOWN)$`)
	sessionPeer  = regexp.MustCompile(`^Peer:\s+(\S+)\s+port\s+(\d+)(?:\s+fvrf:\s+(\S+)\s+ivrf:\s+(\S+))?$`)
)

func known(l string, patterns ...*regexp.Regexp) bool {
	for _, p := range patterns {
		if p.MatchString(l) {
			return true
		}
	}
	return false
}

func TestIKEParses(t *testing.T) {
	s := cryptoSample()
	var rows, long, heads []string
	for _, l := range lines(IsakmpSA(s, Select{Form: Modern}))[2:] {
		if m := isakmpRow.FindStringSubmatch(l); m != nil {
			rows = append(rows, fmt.Sprint(m[1:5]))
		} else if l != "" && l != "IPv6 Crypto ISAKMP SA" {
			t.Errorf("no script reads %q", l)
		}
	}
	if got, want := fmt.Sprint(rows), "[[198.51.100.1 192.0.2.7 QM_IDLE 1] [192.0.2.7 198.51.100.77 QM_IDLE 4] [192.0.2.7 203.0.113.250 MM_NO_STATE 5]]"; got != want {
		t.Errorf("isakmp sa: %s, want %s", got, want)
	}
	for _, l := range lines(IsakmpSA(s, Select{Detail: true})) {
		if m := isakmpLong.FindStringSubmatch(l); m != nil {
			long = append(long, fmt.Sprint(m[1:]))
		}
	}
	if got, want := fmt.Sprint(long), "[[1 192.0.2.7 198.51.100.1 des sha psk 1 23:50:00 D] [4 192.0.2.7 198.51.100.77 aes sha512 rsig 14 01:00:00 ]]"; got != want {
		t.Errorf("isakmp sa detail: %s, want %s", got, want)
	}
	suite, life := false, false
	for _, l := range lines(Ikev2SA(s, Select{})) {
		if m := ikev2Head.FindStringSubmatch(l); m != nil {
			heads = append(heads, fmt.Sprint(m[1:]))
		}
		suite, life = suite || ikev2Suite.MatchString(l), life || ikev2Life.MatchString(l)
	}
	if got, want := fmt.Sprint(heads), "[[2 192.0.3.7 4500 203.0.113.9 61234 none none READY] [3 192.0.3.7 500 203.0.113.199 500 none none IN-NEG]]"; got != want || !suite || !life {
		t.Errorf("ikev2 sa: %s, %v, %v; want %s", got, suite, life, want)
	}
}

func TestIPsecParses(t *testing.T) {
	s := cryptoSample()
	spis := make(map[string][]uint32)
	key, sent := "", make(map[string]uint64)
	iface := ""
	for _, l := range lines(IPsecSA(s, Select{Form: Modern})) {
		if m := ipsecIface.FindStringSubmatch(l); m != nil {
			iface = m[1]
		} else if m := ipsecPeer.FindStringSubmatch(l); m != nil {
			key = iface + " " + m[1]
		} else if m := ipsecSent.FindStringSubmatch(l); m != nil {
			sent[key], _ = strconv.ParseUint(m[1], 10, 64)
		} else if m := ipsecSPI.FindStringSubmatch(l); m != nil {
			hex, _ := strconv.ParseUint(m[1], 16, 32)
			if fmt.Sprint(hex) != m[2] {
				t.Errorf("%q: %d in hexadecimal", l, hex)
			}
			spis[key] = append(spis[key], uint32(hex))
		} else if !known(l, ipsecOthers...) {
			t.Errorf("no script reads %q", l)
		}
	}
	want := map[string][]uint32{
		"Tunnel1 198.51.100.1": {0x11, 0xD3E9ABD0, 0x22, 0xD42904F0}, "Tunnel1 198.51.100.77": {0x555, 0x777, 0x666, 0x888},
		"Tunnel3 203.0.113.9": {0x333, 0x444}, "Tunnel4 203.0.113.9": {0x333, 0x444},
	}
	if fmt.Sprint(spis) != fmt.Sprint(want) {
		t.Errorf("SPIs %v, want %v", spis, want)
	}
	if sent["Tunnel1 198.51.100.1"] != 105 || sent["Tunnel1 198.51.100.77"] != 6 || sent["Tunnel4 203.0.113.9"] != 7 {
		t.Errorf("sent %v", sent)
	}
}

func TestSessionsParse(t *testing.T) {
	s := cryptoSample()
	for _, detail := range []bool{false, true} {
		var got []string
		iface, state := "", ""
		for _, l := range lines(CryptoSession(s, Select{Detail: detail})) {
			if m := sessionIface.FindStringSubmatch(l); m != nil {
				iface = m[1]
			} else if m := sessionState.FindStringSubmatch(l); m != nil {
				state = m[1]
			} else if m := sessionPeer.FindStringSubmatch(l); m != nil {
				got = append(got, fmt.Sprint(iface, " ", state, " ", m[1], " ", m[2]))
			} else if !known(l, sessionLines...) {
				t.Errorf("no script reads %q", l)
			}
		}
		want := []string{
			"Tunnel1 UP-ACTIVE 198.51.100.1 500", "Tunnel1 UP-ACTIVE 198.51.100.77 500", "Tunnel1 DOWN 198.51.100.99 500", "Tunnel3 UP-ACTIVE 203.0.113.9 61234",
			"Tunnel4 UP-ACTIVE 203.0.113.9 61234", "Tunnel4 DOWN-NEGOTIATING 203.0.113.199 500", "Ethernet0 DOWN-NEGOTIATING 203.0.113.250 500",
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("detail %v:\n%s\nwant\n%s", detail, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

func cryptoJSON[T any](t *testing.T, s *Status, what string, sel Select) (v T) {
	t.Helper()
	b, err := CryptoJSON(s, what, sel)
	if err != nil {
		t.Fatal(err)
	}
	return decoded[T](t, what, b)
}

func TestCryptoJSON(t *testing.T) {
	s := cryptoSample()
	sas := cryptoJSON[[]object](t, s, "crypto ikev2 sa", Select{})
	if len(sas) != 2 || sas[0]["remote"] != "203.0.113.9:61234" || sas[0]["group"] != 31.0 || sas[0]["hash"] != nil || sas[0]["prf"] != "sha384" || sas[0]["remaining_seconds"] != 82800.0 ||
		sas[0]["local_authentication"] != "rsa-sig" || sas[0]["remote_authentication"] != "ecdsa-sig" || sas[0]["nat_remote"] != true || sas[0]["additional_key_exchanges"].([]any)[0] != "mlkem768" {
		t.Errorf("ikev2 sa: %v", sas)
	}
	if _, has := sas[1]["encryption"]; has || sas[1]["established"] != false {
		t.Errorf("what is not known of an SA in negotiation is there: %v", sas[1])
	}
	sas = cryptoJSON[[]object](t, s, "crypto isakmp sa", Select{})
	if len(sas) != 3 || sas[0]["state"] != "QM_IDLE" || sas[0]["remote_identity"] != "198.51.100.1" || sas[1]["aggressive"] != true {
		t.Errorf("isakmp sa: %v", sas)
	}
	flows := cryptoJSON[[]object](t, s, "crypto ipsec sa", Select{Peer: addr("198.51.100.1")})
	if len(flows) != 1 || flows[0]["encapsulated"].(object)["packets"] != 105.0 || flows[0]["decapsulated"].(object)["replayed"] != 1.0 || len(flows[0]["children"].([]any)) != 2 {
		t.Fatalf("ipsec sa: %v", flows)
	}
	if c := flows[0]["children"].([]any)[0].(object); c["transform"] != "esp-des esp-md5-hmac" || c["outbound_spi"] != 34.0 || c["mode"] != "transport" || c["remaining_kilobytes"] != 4607998.0 || c["remaining_seconds"] != 3540.0 {
		t.Errorf("child: %v", c)
	}
	flows = cryptoJSON[[]object](t, s, "crypto session", Select{})
	if len(flows) != len(s.Router.Sessions.Sessions) || flows[2]["status"] != "DOWN" || flows[2]["last_reason"] != ike.WhyTimeout.String() || len(flows[0]["ike_sas"].([]any)) != 1 || flows[4]["status"] != "DOWN-NEGOTIATING" {
		t.Errorf("session: %v", flows)
	}
	if d := cryptoJSON[object](t, s, "dmvpn detail", Select{Iface: "Tunnel1"}); len(d["tunnels"].(object)) != 1 || len(d["sessions"].([]any)) != 3 {
		t.Errorf("dmvpn detail: %v", d)
	}
	if m := cryptoJSON[[]object](t, s, "crypto map", Select{}); len(m) != 2 || m[1]["name"] != "modern-head-1" || m[1]["lifetime_kilobytes"] != nil || len(m[0]["peers"].([]any)) != 3 {
		t.Errorf("map: %v", m)
	}
	if p := cryptoJSON[[]object](t, s, "crypto isakmp policy", Select{}); len(p) != 3 || p[2]["authentication"] != "rsa-sig" || p[0]["group"] != 1.0 {
		t.Errorf("policy: %v", p)
	}
	if x := cryptoJSON[[]object](t, s, "crypto ipsec transform-set", Select{}); len(x) != 5 || x[1]["esn"] != true {
		t.Errorf("transform-set: %v", x)
	}
	if a := cryptoJSON[object](t, s, "crypto call admission statistics", Select{}); a["active"] != 3.0 || a["rejected_sa_limit"] != 3.0 || a["max_in_negotiation"] != 40.0 {
		t.Errorf("call admission: %v", a)
	}
	if e := cryptoJSON[[]object](t, s, "crypto engine connections active", Select{}); len(e) != 10 || e[0]["last_sequence"] != 11.0 {
		t.Errorf("engine: %v", e)
	}
	if _, err := CryptoJSON(s, "crypto clock", Select{}); err == nil {
		t.Error("show crypto clock has a JSON form")
	}
	for _, what := range []string{"crypto isakmp sa", "crypto ikev2 sa", "crypto ipsec sa", "crypto session", "crypto map", "crypto isakmp policy", "crypto ipsec transform-set", "crypto engine connections active"} {
		if v := cryptoJSON[[]any](t, &Status{Time: now}, what, Select{}); v == nil || len(v) != 0 {
			t.Errorf("%s of nothing: %v", what, v)
		}
	}
}

// IKE may have forgotten a child that sessions still have: what is known is shown, the rest left out.
func TestChildWithoutIKE(t *testing.T) {
	s := cryptoSample()
	s.Router.IKE = ike.Status{}
	s.Router.Sessions = dmvpn.Status{Sessions: s.Router.Sessions.Sessions[:1]}
	text := IPsecSA(s, Select{})
	if !strings.Contains(text, "spi: 0x22(34)") || strings.Contains(text, "transform:") || strings.Contains(text, "sa timing") {
		t.Error(text)
	}
	if flows := cryptoJSON[[]object](t, s, "crypto session", Select{}); flows[0]["status"] != "UP-NO-IKE" {
		t.Error(flows)
	}
}
