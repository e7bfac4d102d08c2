package show

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"nave/slowpath/nhrp"
)

// What people's scripts look for in IOS 15 and IOS-XE 16, re-expressed from the expressions of two collections of parsers (both Apache License 2.0):
// CiscoTestAutomation/genieparser (iosxe/show_dmvpn.py, show_ip.py, show_crypto.py, show_interface.py, show_platform.py) and
// networktocode/ntc-templates (cisco_ios_show_*.textfsm). Both strip nothing but blanks at the ends of lines.
var (
	genieDMVPNIface = regexp.MustCompile(`^Interface: +(\S+),`)
	genieDMVPNType  = regexp.MustCompile(`^Type:(\S+), +NHRP Peers:(\d+),$`)
	genieDMVPNRow   = regexp.MustCompile(`^(?:(\d+) +([a-z0-9.:]+|UNKNOWN) +)?([a-z0-9.:]+) +([a-zA-Z]+) +((?:\d+\w)+|never|[0-9:]+) +(\w+)$`)
	ntcDMVPNRow     = regexp.MustCompile(`^\s+\d+\s+(\S*?)\s+(\S*?)\s+(\S*?)\s+(\S*?)\s+(\S*?)$`)
	ntcDMVPNOther   = []*regexp.Regexp{
		regexp.MustCompile(`^Legend.*`), regexp.MustCompile(`^\s+\D.*.*$`), regexp.MustCompile(`^=*$`), regexp.MustCompile(`^Interface.*$`), regexp.MustCompile(`^Type.*$`), regexp.MustCompile(`^\s*$`),
	}
	genieNHRP = []*regexp.Regexp{
		regexp.MustCompile(`^(\S+\d)\s+via\s+(\S+)$`), regexp.MustCompile(`^(\S+)\s+created\s+(\S+),\s+(?:expire\s+\S+|never expire)$`), regexp.MustCompile(`^Type:\s+(\w+),\s+Flags:\s*(.*)$`),
		regexp.MustCompile(`^NBMA\s+address:\s+(\S+)$`),
	}
	genieNHS       = regexp.MustCompile(`^(\d+\.\d+\.\d+\.\d+)\s+(RE|E|W|RED|ED|WD)\s+(?:NBMA\s+Address:\s+(\S+)\s+)?priority\s+=\s+(\d+)\s+cluster\s+=\s+(\d+)`)
	genieTraffic   = regexp.MustCompile(`^\d+\s+Error\s+Indication\s+\d+\s+Traffic\s+Indication\s+\d+\s+Redirect\s+Suppress$`)
	genieIsakmp    = regexp.MustCompile(`^(\S+)\s+(\S+)\s+(\w+)\s+(\d+)\s+(\w+.*)$`)
	genieMapHead   = regexp.MustCompile(`^Crypto +Map +(IPv4|IPv6) +"(\S+)" +(\d+) +(\S+)$`)
	genieMapSets   = regexp.MustCompile(`^(\S+): +\{ +(.+) +\} +,$`)
	ntcInterface   = regexp.MustCompile(`^(\S+)\s+is\s+(.+?),\s+line\s+protocol\s+is\s+(.+?)\s*$`)
	ntcMAC         = regexp.MustCompile(`^.+address\s+is\s+([a-fA-F0-9]{4}\.[a-fA-F0-9]{4}\.[a-fA-F0-9]{4})\s+\(bia\s+([a-fA-F0-9]{4}\.[a-fA-F0-9]{4}\.[a-fA-F0-9]{4})\)\s*$`)
	ntcMTU         = regexp.MustCompile(`^\s+MTU\s+(\d+).*BW\s+(\d+\s+\w+).*DLY\s+(\d+\s+\S+),\s*$`)
	ntcRate        = regexp.MustCompile(`^.*input\s+rate\s+(\d+)\s+\w+/sec,\s+(\d+)\s+packets.+$`)
	ntcInput       = regexp.MustCompile(`^\s+(\d+)\s+packets\s+input,\s+\d+\s+bytes,\s+\d+\s+no\s+buffer\s*$`)
	ntcOutput      = regexp.MustCompile(`^\s+(\d+)\s+packets\s+output,\s+\d+\s+bytes,\s+\d+\s+underruns\s*$`)
	ntcBrief       = regexp.MustCompile(`^(\S+)\s+(\S+)\s+\w+\s+\w+\s+(up|down|administratively down|deleted)\s+(up|down)`)
	ntcCPUHead     = regexp.MustCompile(`^\s*CPU\s+utilization\s+for\s+five\s+seconds:\s+(\d+)%/(\d+)%;\s+one\s+minute:\s+(\d+)%;\s+five\s+minutes:\s+(\d+)%\s*$`)
	ntcCPURow      = regexp.MustCompile(`^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+\.\d+)%\s+(\d+\.\d+)%\s+(\d+\.\d+)%\s+(\d+)\s+(.*?)\s*$`)
	ntcMemoryHead  = regexp.MustCompile(`^Processor\s+Pool\s+Total:\s+(\d+)\s+Used:\s+(\d+)\s+Free:\s+(\d+)`)
	ntcMemoryRow   = regexp.MustCompile(`^\s*(\d+)\s+\d+\s+(\d+)\s+(\d+)\s+(\d+)\s+\d+\s+\d+\s+(.+?)\s*$`)
	ntcVersion     = regexp.MustCompile(`^.*Software,*\s+\((\S+)\),\sVersion\s(.+?),*\s+RELEASE.*\((\S+)\)`)
	genieVersion   = regexp.MustCompile(`^([A-Z]+) +\(.*\) +(.+) +Software +\((.+)\).+[Vv]ersion +(\S+), +RELEASE SOFTWARE .*$`)
	ntcImage       = regexp.MustCompile(`^[sS]ystem\s+image\s+file\s+is\s+"(.*?):(\S+)"`)
	ntcClock       = regexp.MustCompile(`^\s*(\*)?\.?(\d+:\d+:\d+\.\d+)\s(\w+)\s(\w+)\s(\w+)\s(\d+)\s(\d+)$`)
	ntcARP         = regexp.MustCompile(`^\s*(\S+)\s+(\S+)\s+(\S+)\s+((?:[a-f0-9]{4}\.){2}[a-f0-9]{4}|Incomplete)\s+(\S+)(?:\s+(\S+))?\s*$`)
	genieSummary   = regexp.MustCompile(`^IP NHRP cache (\d+) entries, (\d+) bytes$`)
	genieSummary2  = regexp.MustCompile(`^(\d+) static +(\d+) dynamic +(\d+) incomplete$`)
	ntcIPInterface = []*regexp.Regexp{
		ntcInterface, regexp.MustCompile(`^\s+Internet\s+address\s+is\s+(\S+?)/?(\d*)\s*$`), regexp.MustCompile(`^\s+Secondary\s+address\s+(\S+?)/?(\d*)\s*$`), regexp.MustCompile(`^\s+Internet\s+protocol`),
		regexp.MustCompile(`^\s+Address\s+determined`), regexp.MustCompile(`^\s+MTU\s+is\s+(\d+)\s+bytes`), regexp.MustCompile(`^\s+TCP`), regexp.MustCompile(`^\s+ICMP`), regexp.MustCompile(`^.+VPN\s+Routing/Forwarding\s+"(\S+)"`),
	}
)

var modern = Select{Form: Modern}

func TestModernDMVPNParses(t *testing.T) {
	s := sample()
	// A peer with a network behind it that is a route: a line of its own.
	s.Router.NHRP.Entries = append(s.Router.NHRP.Entries, nhrp.EntryStatus{Iface: "Tunnel0", Prefix: pfx("10.9.0.0/24"), NextHop: addr("10.0.0.9"), Type: nhrp.TypeDynamic, Flags: nhrp.FlagRib, NBMA: addr("203.0.113.9")})
	text := DMVPN(s, modern)
	counts := make(map[string]string)
	var rows []string
	iface := ""
	for _, raw := range lines(text) {
		l := strings.TrimSpace(raw)
		if m := genieDMVPNIface.FindStringSubmatch(l); m != nil {
			iface = m[1]
		} else if m := genieDMVPNType.FindStringSubmatch(l); m != nil {
			counts[iface] = m[1] + " " + m[2]
		} else if m := genieDMVPNRow.FindStringSubmatch(l); m != nil {
			rows = append(rows, fmt.Sprintf("%s %q", iface, m[1:]))
		}
		if !ntcDMVPNRow.MatchString(raw) && !known(raw, ntcDMVPNOther...) {
			t.Errorf("the template ends at %q", raw)
		}
	}
	if counts["Tunnel0"] != "Spoke 6" || counts["Tunnel1"] != "Hub 0" {
		t.Errorf("%v\n%s", counts, text)
	}
	want := []string{
		`Tunnel0 ["1" "198.51.100.1" "10.0.0.1" "UP" "3w1d" "S"]`, `Tunnel0 ["1" "198.51.100.2" "10.0.0.2" "NHRP" "never" "S"]`, `Tunnel0 ["2" "203.0.113.9" "10.0.0.9" "UP" "00:01:34" "DN"]`,
		`Tunnel0 ["" "" "10.0.0.9" "UP" "00:01:34" "DNT1"]`, `Tunnel0 ["1" "203.0.113.199" "10.0.0.199" "IKE" "1d02h" "DX"]`, `Tunnel0 ["1" "UNKNOWN" "10.0.0.55" "NHRP" "00:00:01" "IX"]`,
		`Tunnel0 ["3" "192.0.2.7" "10.0.0.7" "UP" "01:00:00" "DLX"]`,
	}
	if strings.Join(rows, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s\nwant\n%s\nof\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"), text)
	}
}

func TestModernNHRPParses(t *testing.T) {
	s := sample()
	n := 0
	for _, raw := range lines(NHRP(s, modern)) {
		l := strings.TrimSpace(raw)
		if genieNHRP[0].MatchString(l) {
			n++
		} else if !known(l, genieNHRP...) && !strings.HasPrefix(raw, "    ") {
			t.Errorf("no script reads %q", raw)
		}
	}
	if n != len(s.Router.NHRP.Entries) {
		t.Errorf("%d entries", n)
	}
	var servers []string
	for _, detail := range []bool{false, true} {
		for _, l := range lines(NHS(s, Select{Form: Modern, Detail: detail})) {
			if m := genieNHS.FindStringSubmatch(l); m != nil {
				servers = append(servers, fmt.Sprint(m[1:4]))
			}
		}
	}
	if fmt.Sprint(servers) != "[[10.0.0.1 RE 198.51.100.1] [10.0.0.2 E 198.51.100.2] [10.0.0.1 RE 198.51.100.1] [10.0.0.2 E 198.51.100.2]]" {
		t.Errorf("servers: %v\n%s", servers, NHS(s, modern))
	}
	if n := strings.Count(NHS(s, Select{Form: Modern, Detail: true}), "req-sent 12  req-failed 1  repl-recv 11 (3w1d ago)\n Current Request ID:"); n != 1 {
		t.Errorf("servers in detail:\n%s", NHS(s, Select{Form: Modern, Detail: true}))
	}
	n = 0
	for _, l := range lines(NHRPTraffic(s, modern)) {
		if genieTraffic.MatchString(strings.TrimSpace(l)) {
			n++
		}
	}
	if n != 4 {
		t.Errorf("%d lines with what was suppressed:\n%s", n, NHRPTraffic(s, modern))
	}
	ls := lines(NHRPSummary(s, modern))
	head, second := genieSummary.FindStringSubmatch(ls[0]), genieSummary2.FindStringSubmatch(strings.TrimSpace(ls[1]))
	if head == nil || head[1] != "7" || head[2] == "0" || second == nil || fmt.Sprint(second[1:]) != "[1 4 1]" {
		t.Errorf("summary: %q", ls)
	}
}

func TestModernCryptoParses(t *testing.T) {
	s := cryptoSample()
	var sas []string
	for _, l := range lines(IsakmpSA(s, modern)) {
		if m := genieIsakmp.FindStringSubmatch(l); m != nil && m[4] != "" {
			sas = append(sas, fmt.Sprint(m[1:6]))
		}
	}
	if len(sas) != 3 || sas[0] != "[198.51.100.1 192.0.2.7 QM_IDLE 1 ACTIVE]" {
		t.Errorf("isakmp sa: %v", sas)
	}
	maps, sets := 0, 0
	for _, l := range lines(CryptoMap(s, modern)) {
		l = strings.TrimSpace(l)
		if m := genieMapHead.FindStringSubmatch(l); m != nil && m[1] == "IPv4" {
			maps++
		}
		if genieMapSets.MatchString(l) {
			sets++
		}
	}
	if maps != 7 || sets != 11 {
		t.Errorf("%d maps with %d transform sets:\n%s", maps, sets, CryptoMap(s, modern))
	}
}

func TestModernInterfacesParse(t *testing.T) {
	s := sample()
	text, _ := Interfaces(s, modern)
	got := make(map[string]int)
	for _, l := range lines(text) {
		for name, p := range map[string]*regexp.Regexp{"head": ntcInterface, "mac": ntcMAC, "mtu": ntcMTU, "rate": ntcRate, "in": ntcInput, "out": ntcOutput} {
			if p.MatchString(l) {
				got[name]++
			}
		}
	}
	if fmt.Sprint(got) != "map[head:7 in:6 mac:2 mtu:7 out:6 rate:2]" {
		t.Errorf("%v\n%s", got, text)
	}
	var brief []string
	for _, l := range lines(IPInterfaceBrief(s, modern))[1:] {
		if m := ntcBrief.FindStringSubmatch(l); m != nil {
			brief = append(brief, strings.Join(m[1:], " "))
		}
	}
	want := "Ethernet0 192.0.2.7 up up, Ethernet1 10.7.0.1 down down, Ethernet2 unassigned administratively down down, Loopback0 10.255.7.7 up up, Tunnel0 10.0.0.7 up up, Tunnel1 10.1.0.1 up up, Tunnel2 unassigned up down"
	if strings.Join(brief, ", ") != want {
		t.Errorf("%q, want %q", brief, want)
	}
	v := vpnSample()
	for _, l := range append(lines(IPInterface(s, modern)), lines(IPInterface(v, Select{VRF: "red"}))...) {
		if !known(l, ntcIPInterface...) {
			t.Errorf("the template ends at %q", l)
		}
	}
	if text := IPInterface(v, Select{VRF: "red"}); !strings.Contains(text, `VPN Routing/Forwarding "red"`) || strings.Contains(text, "blue") {
		t.Errorf("interfaces of a VRF:\n%s", text)
	}
}

func TestModernSystemParses(t *testing.T) {
	s := sample()
	if m := ntcCPUHead.FindStringSubmatch(lines(ProcessesCPU(s, ByPID))[0]); fmt.Sprint(m) == "[]" || fmt.Sprint(m[1:]) != "[52 50 40 30]" {
		t.Errorf("cpu: %q", m)
	}
	for order, want := range map[SortBy]string{ByPID: "naved nave-worker-0 nave-worker-1", ByFiveSeconds: "nave-worker-0 nave-worker-1 naved", ByFiveMinutes: "nave-worker-0 nave-worker-1 naved"} {
		var names []string
		for _, l := range lines(ProcessesCPU(s, order))[2:] {
			m := ntcCPURow.FindStringSubmatch(l)
			if m == nil {
				t.Fatalf("no script reads %q", l)
			}
			names = append(names, m[9])
		}
		if strings.Join(names, " ") != want {
			t.Errorf("sorted by %d: %v", order, names)
		}
	}
	ls := lines(ProcessesMemory(s, Select{Form: Modern, Sorted: true}))
	if m := ntcMemoryHead.FindStringSubmatch(ls[0]); m == nil || m[1] != "17179869184" {
		t.Errorf("memory: %q", ls[0])
	}
	if m := ntcMemoryRow.FindStringSubmatch(ls[3]); m == nil || m[1] != "98765" || m[4] != "314572800" || m[5] != "nave-worker-1" {
		t.Errorf("the largest: %q", ls[3])
	}
	v := lines(Version(s, modern))
	if m := ntcVersion.FindStringSubmatch(v[0]); m == nil || m[1] != "NAVE-X86_64" || m[2] != "0.1" || m[3] != "0123456789ab" {
		t.Errorf("version: %q", v[0])
	}
	if m := genieVersion.FindStringSubmatch(v[0]); m == nil || m[1] != "NAVE" || m[2] != "Gateway" || m[4] != "0.1" {
		t.Errorf("version: %q", v[0])
	}
	image := false
	for _, l := range v {
		image = image || ntcImage.MatchString(l)
	}
	if !image {
		t.Errorf("no image in %q", v)
	}
	for _, synchronized := range []bool{true, false} {
		s.System.Synchronized = synchronized
		if m := ntcClock.FindStringSubmatch(strings.TrimSpace(Clock(s, modern))); m == nil || (m[1] == "*") == synchronized || m[2] != "12:00:00.000" || m[7] != "2026" {
			t.Errorf("clock: %q", Clock(s, modern))
		}
	}
}

func sampleARP() *Answer {
	return &Answer{ARP: []Neighbour{
		{Iface: "Ethernet0", Addr: addr("192.0.2.7"), MAC: [6]byte{2, 0, 0xab, 0xcd, 0, 1}, OK: true, Own: true},
		{Iface: "Ethernet0", Addr: addr("192.0.2.254"), MAC: [6]byte{2, 0, 0, 0, 0, 0x99}, OK: true, Kept: true, Age: 7*time.Minute + 59*time.Second},
		{VRF: "red", Iface: "Ethernet1", Addr: addr("10.7.0.200"), Age: time.Hour},
	}}
}

func TestARP(t *testing.T) {
	text := ARP(sample(), sampleARP())
	golden(t, "arp", text)
	var got []string
	for _, l := range lines(text)[1:] {
		if m := ntcARP.FindStringSubmatch(l); m != nil {
			got = append(got, strings.Join(m[1:], " "))
		}
	}
	want := "Internet 192.0.2.7 - 0200.abcd.0001 ARPA Ethernet0, Internet 192.0.2.254 7 0200.0000.0099 ARPA Ethernet0, Internet 10.7.0.200 0 Incomplete ARPA Ethernet1"
	if strings.Join(got, ", ") != want {
		t.Errorf("%q, want %q", got, want)
	}
	b, err := ARPJSON(sampleARP())
	if err != nil {
		t.Fatal(err)
	}
	rows := decoded[[]object](t, "arp", b)
	if len(rows) != 3 || rows[1]["mac"] != "0200.0000.0099" || rows[1]["age_seconds"] != 479.0 || rows[1]["kept"] != true || rows[2]["complete"] != false || rows[2]["mac"] != nil || rows[2]["vrf"] != "red" {
		t.Errorf("%v", rows)
	}
}
