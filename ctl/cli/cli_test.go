package cli

import (
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/ctl/api"
	"nave/ctl/config/grammar"
	"nave/ctl/show"
	"nave/fastpath"
	"nave/slowpath"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

// daemon is a Daemon for tests.
type daemon struct {
	cleared []api.Clear
	asked   []show.Query
	reloads int
	most    int
	answer  *show.Answer // in place of the sample
	err     error
}

func (d *daemon) Status() (*show.Status, error) {
	if d.err != nil {
		return nil, d.err
	}
	s := &show.Status{
		Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Hostname: "box", Version: "nave 0.1", Running: "hostname box\nend\n",
		Interfaces: map[string]show.Configured{"Tunnel0": {MPLS: true}, "Tunnel1": {}, "Ethernet0": {}},
		KeyChains:  []show.KeyChain{{Name: "K", Keys: []show.Key{{ID: 1, HasText: true}}}},
		VRFs:       []show.VRF{{Name: "blue", ID: 1}, {Name: "red", ID: 2, RD: "1:1"}},
		Router: slowpath.Status{
			Interfaces: []rib.Interface{{Name: "Ethernet0", Up: true, Port: 1}, {Name: "Tunnel0", Up: true, Tunnel: &rib.Tunnel{ID: 1}}, {Name: "Tunnel1", VRF: 2, Tunnel: &rib.Tunnel{ID: 2}}},
		},
	}
	s.Usage = show.Usage{
		All: show.Shares{FiveSeconds: 5}, Packets: show.Shares{FiveSeconds: 4}, Memory: show.MemoryUsage{Total: 1000, Used: 400, Free: 600}, Processes: []show.ProcessUsage{{PID: 1, Name: "naved"}},
	}
	s.Router.NHRP = nhrp.Status{
		Interfaces: []nhrp.InterfaceStatus{{Name: "Tunnel0", MaxSend: nhrp.DefaultMaxSend, NHS: []nhrp.NHSStatus{{Protocol: netip.MustParseAddr("10.0.0.1")}}}, {Name: "Tunnel1", VRF: "red", MaxSend: nhrp.DefaultMaxSend}},
		Entries:    []nhrp.EntryStatus{{Iface: "Tunnel0", Prefix: netip.MustParsePrefix("10.0.0.9/32")}, {Iface: "Tunnel1", Prefix: netip.MustParsePrefix("10.1.0.9/32")}},
	}
	if d.err == nil {
		d.crypto(s)
	}
	return s, nil
}

// crypto adds an IKE SA of each version with one peer, and its session.
func (d *daemon) crypto(s *show.Status) {
	s.Interfaces["Tunnel0"] = show.Configured{Profile: "p", MPLS: true}
	peer := netip.MustParseAddr("198.51.100.1")
	path := ike.Path{Local: netip.MustParseAddrPort("192.0.2.1:500"), Remote: netip.AddrPortFrom(peer, 500)}
	s.Crypto = show.Crypto{
		Policies:      []ike.V1Policy{{Priority: 7, Cipher: suite.CipherDES, Hash: suite.HashSHA1, Group: suite.GroupMODP768}},
		TransformSets: []show.TransformSet{{Name: "t", Transform: ike.Transform{Cipher: suite.CipherDES}}},
	}
	s.Router.IKE = ike.Status{SAs: []ike.SAStatus{
		{ID: 1, Version: 1, Path: path, Established: true, State: "QM_IDLE", Cipher: suite.CipherDES, Hash: suite.HashSHA1, Group: suite.GroupMODP768, Auth: ike.AuthPSK},
		{ID: 2, Version: 2, Path: path, Established: true, State: "READY"},
	}, Admission: ike.Admission{Stats: ike.AdmissionStats{In: 3}}}
	s.Router.Sessions = dmvpn.Status{Sessions: []dmvpn.SessionStatus{{Profile: "p", Ifaces: []string{"Tunnel0"}, Local: path.Local.Addr(), Peer: peer}}}
}

func (d *daemon) Flows(most int) (*show.FlowCache, error) {
	d.most = most
	return &show.FlowCache{Count: fastpath.FlowCount{Live: 2, Capacity: 100}, Flows: []fastpath.Flow{{
		Src: netip.MustParseAddr("10.0.0.5"), Dst: netip.MustParseAddr("10.1.0.5"), InPort: 1, OutTunnel: 1, Proto: 6, SrcPort: 0x1234, DstPort: 80, Packets: 7,
	}}, More: 1}, d.err
}

func (d *daemon) Query(q show.Query) (*show.Answer, error) {
	d.asked = append(d.asked, q)
	if d.err != nil {
		return nil, d.err
	}
	if d.answer != nil {
		return d.answer, nil
	}
	a := sampleAnswer()
	return &a, nil
}

func (d *daemon) Clear(c api.Clear) error { d.cleared = append(d.cleared, c); return d.err }
func (d *daemon) Reload() error           { d.reloads++; return d.err }

func runLine(line string, asJSON bool) (string, *daemon, error) {
	d := &daemon{}
	var out strings.Builder
	err := (&Session{Daemon: d, Out: &out, JSON: asJSON}).Run(line)
	return out.String(), d, err
}

func TestShow(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  string
		not   string
	}{
		{[]string{"show dmvpn", "sh dm", "SHOW DMVPN", "  show   dmvpn  "}, "Tunnel1, Type: Hub", "%"},
		{[]string{"show dmvpn interface Tunnel0", "sh dm int tu0", "sh dmvpn i tunnel 0"}, "Tunnel0, Type: Hub", "Tunnel1"},
		{[]string{"show ip nhrp", "sh ip nh"}, "10.1.0.9/32 via", "%"},
		{[]string{"show ip nhrp Tunnel1", "sh ip nh tu1", "sh ip nh tunnel1"}, "10.1.0.9/32 via", "10.0.0.9"},
		{[]string{"show ip nhrp traffic", "sh ip nh tr"}, "Tunnel1: Max-send limit:100Pkts/10Sec", "%%"},
		{[]string{"show ip nhrp traffic interface Tunnel0", "sh ip nh tr int tu 0"}, "Tunnel0: Max-send", "Tunnel1"},
		{[]string{"show ip nhrp nhs", "sh ip nh nh", "sh ip nhrp nhs tu0"}, "10.0.0.1  W", "Tunnel1"},
		{[]string{"show interfaces", "sh int"}, "Ethernet0 is up, line protocol is up", "%"},
		{[]string{"show interfaces Tunnel1", "sh int tu1", "sh int Tunnel 1"}, "Tunnel1 is up, line protocol is down", "Ethernet0"},
		{[]string{"show ip route", "sh ip ro"}, "C    10.0.0.0/24 is directly connected, Tunnel0", "%"},
		{[]string{"show dmvpn detail", "sh dm det", "sh dmvpn d"}, "Crypto Session Details", "%"},
		{[]string{"show dmvpn interface Tunnel0 detail", "sh dm i tu0 d"}, "Interface Tunnel0 is up/up", "Tunnel1"},
		{[]string{"show crypto isakmp sa", "sh cry isa sa", "sh cr isa s"}, "QM_IDLE", "%"},
		{[]string{"show dmvpn vrf red", "sh dm v red"}, "Tunnel1, Type: Hub", "Tunnel0"},
		{[]string{"show dmvpn vrf global"}, "Tunnel0, Type: Hub", "Tunnel1"},
		{[]string{"show dmvpn peer nbma 198.51.100.9", "sh dm p nb 198.51.100.9", "sh dm peer tunnel 10.0.0.250 int tu0", "sh dm st int tu0 peer nbma 198.51.100.9 vrf global"}, "Legend", "Tunnel0"},
		{[]string{"show dmvpn detail interface Tunnel0", "sh dm d i tu0", "sh dm i tu0 d vrf global"}, "Interface Tunnel0 is up/up", "Interface Tunnel1"},
		{[]string{"show dmvpn network 10.0.0.0 255.255.255.0", "sh dm peer network 10.0.0.0 255.255.255.0"}, "Legend", "%"},
		{[]string{"show ip nhrp dynamic", "sh ip nh dy"}, "", "10.0.0.9/32"},
		{[]string{"show ip nhrp static", "sh ip nh st"}, "10.0.0.9/32", "%"},
		{[]string{"show ip nhrp 10.0.0.9", "sh ip nh 10.0.0.0 255.255.255.0", "sh ip nh 10.0.0.9 tu0", "sh ip nh vrf global static 10.0.0.9 detail"}, "10.0.0.9/32 via", "10.1.0.9"},
		{[]string{"show ip nhrp brief", "sh ip nh vrf red b"}, "10.1.0.9/32", "created"},
		{[]string{"show ip nhrp summary", "sh ip nh su"}, "IP NHRP cache 2 entries", "%"},
		{[]string{"show ip nhrp traffic vrf red"}, "Tunnel1: Max-send", "Tunnel0"},
		{[]string{"show ip nhrp nhs detail", "sh ip nh nh vrf global d", "sh ip nh nhs tu0 det"}, "10.0.0.1  W", "Tunnel1"},
		{[]string{"show ip interface brief", "sh ip int br"}, "Tunnel0                    unassigned      YES unset  up                    up", "%"},
		{[]string{"show ip interface brief tu0"}, "Tunnel0 ", "Ethernet0"},
		{[]string{"show ip interface", "sh ip int Tunnel1"}, "Tunnel1 is up, line protocol is down", "%"},
		{[]string{"show arp", "sh ar", "show ip arp", "sh ip arp vrf red 10.7.0.200", "sh arp 10.7.0.200 e0"}, "Internet  10.7.0.200", "%"},
		{[]string{"show arp 10.7.0.201", "sh arp tu0"}, "Protocol  Address", "10.7.0.200"},
		{[]string{"show clock", "sh clo", "sh clo det"}, "*00:00:00.000 UTC Thu Jan 1 2026", "%"},
		{[]string{"show processes cpu", "sh proc c", "sh proc cpu sor", "sh proc cpu sorted 1min"}, "CPU utilization for five seconds: 5%/4%", "unknown"},
		{[]string{"show processes memory", "sh proc mem sorted"}, "Total: 1000, Used: 400, Free: 600", "%"},
		{[]string{"show crypto isakmp sa active vrf global", "sh cry isa sa vrf global act"}, "QM_IDLE", "%"},
		{[]string{"show crypto isakmp sa vrf red"}, "conn-id", "QM_IDLE"},
		{[]string{"show crypto ipsec sa vrf global map Tunnel0-head-0", "sh cry ips sa int tu0 peer 198.51.100.1"}, "interface: Tunnel0", "%"},
		{[]string{"show crypto ipsec sa map Tunnel1-head-0", "sh cry ips sa vrf red", "sh cry ips sa peer 198.51.100.1 active", "sh cry ips sa act peer 198.51.100.1 det"}, "No SAs found", "Tunnel0"},
		{[]string{"show crypto map tag Tunnel0-head-0", "sh cry map peer 198.51.100.1"}, "Crypto Map \"Tunnel0-head-0\" 10", "%"},
		{[]string{"show crypto session ivrf red"}, "current status", "UP-IDLE"},
		{[]string{"show crypto session detail remote 198.51.100.1 fvrf global"}, "Phase1_id", "%"},
		{[]string{"show crypto isakmp sa detail", "sh cry isa sa d"}, "ACTIVE des  sha    psk", "%"},
		{[]string{"show crypto isakmp sa peer 198.51.100.1"}, "QM_IDLE", "%"},
		{[]string{"show crypto isakmp sa peer 198.51.100.2"}, "conn-id", "QM_IDLE"},
		{[]string{"show crypto isakmp policy", "sh cry isa pol"}, "priority 7", "%"},
		{[]string{"show crypto ikev2 sa", "sh cry ikev2 sa"}, "READY", "Local spi"},
		{[]string{"show crypto ikev2 sa detail", "sh cry ike sa det", "show crypto ikev2 sa detailed"}, "Local spi", "%"},
		{[]string{"show crypto ipsec sa", "sh cry ips sa"}, "interface: Tunnel0", "##pkts"},
		{[]string{"show crypto ipsec sa detail", "sh cry ips sa d"}, "##pkts replay failed", "%"},
		{[]string{"show crypto ipsec sa active", "sh cry ips sa act"}, "No SAs found", "Tunnel0"},
		{[]string{"show crypto ipsec sa peer 198.51.100.1", "sh cry ip s p 198.51.100.1"}, "interface: Tunnel0", "%"},
		{[]string{"show crypto ipsec sa peer 198.51.100.9 detail"}, "No SAs found", "Tunnel0"},
		{[]string{"show crypto ipsec sa interface Tunnel1", "sh cry ips sa int tu1"}, "No SAs found", "Tunnel0"},
		{[]string{"show crypto ipsec transform-set", "sh cry ips tr"}, "{ esp-des  }", "%"},
		{[]string{"show crypto map", "sh cry m"}, "Crypto Map \"Tunnel0-head-0\" 10 ipsec-isakmp", "%"},
		{[]string{"show crypto map interface Tunnel1"}, "No crypto maps", "Tunnel0"},
		{[]string{"show crypto session", "sh cry ses"}, "Session status: UP-IDLE", "Phase1_id"},
		{[]string{"show crypto session detail", "sh cry s d"}, "Phase1_id", "%"},
		{[]string{"show crypto session remote 198.51.100.1 detail", "sh cry ses rem 198.51.100.1 d"}, "Phase1_id", "%"},
		{[]string{"show crypto session interface Tunnel0", "sh cry se int tu0"}, "UP-IDLE", "%"},
		{[]string{"show crypto session active"}, "current status", "UP-IDLE"},
		{[]string{"show crypto call admission statistics", "sh cry call adm stat", "sh cry c a s"}, "Incoming IKE Requests:        3", "%"},
		{[]string{"show crypto engine connections active", "sh cry eng con act"}, "LastSeqN", "%"},
		{[]string{"show running-config", "sh run"}, "hostname box\nend\n", "%"},
		{[]string{"show fastpath", "sh fa"}, "Steering:", "% "},
		{[]string{"show version", "sh ver"}, "box uptime is", "%"},
	} {
		for _, l := range c.lines {
			out, _, err := runLine(l, false)
			if err != nil || !strings.Contains(out, c.want) || strings.Contains(out, c.not) {
				t.Errorf("%s: %v\n%s\nwant %q and not %q", l, err, out, c.want, c.not)
			}
		}
	}
}

func TestShowJSON(t *testing.T) {
	for _, l := range []string{
		"sh dm d", "sh cry isa sa", "sh cry isa pol", "sh cry ike sa d", "sh cry ips sa", "sh cry ips tr", "sh cry m", "sh cry ses", "sh cry c a s", "sh cry eng con act",
		"sh dm", "sh dm vrf red", "sh dm d peer nbma 1.2.3.4", "sh ip int", "sh ip int br", "sh arp", "sh clock", "sh proc", "sh proc cpu", "sh proc mem", "sh ip nh su", "sh ip nh br", "sh dm int tu0", "sh ip nh", "sh ip nh tr", "sh ip nh nhs", "sh int", "sh int tu0", "sh ip ro", "sh run", "sh fa", "sh ver",
	} {
		out, _, err := runLine(l, true)
		if err != nil || !json.Valid([]byte(out)) {
			t.Errorf("%s --json: %v\n%s", l, err, out)
		}
	}
	if out, _, _ := runLine("sh dm int tu0", true); strings.Contains(out, "Tunnel1") {
		t.Errorf("one interface:\n%s", out)
	}
}

func TestClear(t *testing.T) {
	a := netip.MustParseAddr("1.2.3.4")
	for line, want := range map[string]api.Clear{
		"clear dmvpn session":                             {What: api.ClearSessions},
		"cle dm se":                                       {What: api.ClearSessions},
		"cle dm se pe nb 1.2.3.4":                         {What: api.ClearSessions, NBMA: a},
		"clear dmvpn session peer tunnel 1.2.3.4":         {What: api.ClearSessions, Tunnel: a},
		"cle dm se int tu 1 st":                           {What: api.ClearSessions, Iface: "Tunnel1", Static: true},
		"clear dmvpn session static interface tu1":        {What: api.ClearSessions, Iface: "Tunnel1", Static: true},
		"cle dm se vrf red pe t 1.2.3.4":                  {What: api.ClearSessions, VRF: "red", Tunnel: a},
		"clear dmvpn session vrf global":                  {What: api.ClearSessions, VRF: "global"},
		"clear dmvpn session peer nbma":                   {What: api.ClearSessions},
		"cle dm se pe nb 1.2.3.4 ins 10.0.0.2 int tu1 st": {What: api.ClearSessions, NBMA: a, Inside: netip.MustParseAddr("10.0.0.2"), Iface: "Tunnel1", Static: true},
		"clear dmvpn statistics vrf red":                  {What: api.ClearStatistics, VRF: "red"},
		"clear ip nhrp vrf red 10.0.0.0 255.0.0.0":        {What: api.ClearNHRP, VRF: "red", Network: netip.MustParsePrefix("10.0.0.0/8")},
		"clear ip nhrp interface tu1":                     {What: api.ClearNHRP, Iface: "Tunnel1"},
		"clear ip nhrp counters":                          {What: api.ClearStatistics},
		"cle ip nh vrf red cou int tu1":                   {What: api.ClearStatistics, VRF: "red", Iface: "Tunnel1"},
		"clear counters":                                  {What: api.ClearCounters},
		"clear counters tu1":                              {What: api.ClearCounters, Iface: "Tunnel1"},
		"cle dm se pe nb 1.2.3.4 int tu0 static":          {What: api.ClearSessions, NBMA: a, Iface: "Tunnel0", Static: true},
		"clear dmvpn statistics":                          {What: api.ClearStatistics},
		"clear dmvpn statistics peer tunnel 1.2.3.4":      {What: api.ClearStatistics, Tunnel: a},
		"cle dm st pe nb 1.2.3.4 interface Tunnel0":       {What: api.ClearStatistics, NBMA: a, Iface: "Tunnel0"},
		"clear ip nhrp":                                   {What: api.ClearNHRP},
		"cle ip nh 1.2.3.4":                               {What: api.ClearNHRP, Network: netip.PrefixFrom(a, 32)},
		"clear crypto sa":                                 {What: api.ClearIPsec},
		"cle cry sa p 1.2.3.4":                            {What: api.ClearIPsec, NBMA: a},
		"clear crypto isakmp":                             {What: api.ClearISAKMP},
		"cle cry isa 4294967295":                          {What: api.ClearISAKMP, SA: 4294967295},
		"clear crypto ikev2 sa":                           {What: api.ClearIKEv2},
		"cle cry ike sa rem 1.2.3.4":                      {What: api.ClearIKEv2, NBMA: a},
		"clear crypto session":                            {What: api.ClearCrypto},
		"cle cry ses r 1.2.3.4":                           {What: api.ClearCrypto, NBMA: a},
	} {
		out, d, err := runLine(line, false)
		if err != nil || len(d.cleared) != 1 || d.cleared[0] != want || out != "" {
			t.Errorf("%s: %v, cleared %+v, printed %q; want %+v", line, err, d.cleared, out, want)
		}
	}
	if _, d, err := runLine("rel", false); err != nil || d.reloads != 1 {
		t.Errorf("reload: %v, %d times", err, d.reloads)
	}
}

// Each error marks where the line goes wrong and names the commands that there are.
func TestErrors(t *testing.T) {
	for _, c := range []struct{ line, want, command string }{
		{"", "traceroute", "logout"},
		{"frobnicate", "unknown word", "clear"},
		{"show", "", "fastpath"},
		{"sh", "nave help show WORD", "fastpath"},
		{"show i", "interfaces, ip", ""},
		{"show ip", "", "nhrp"},
		{"show ip r s", "", "show ip route"},
		{"show clocks", "unknown word", "version"},
		{"clear dmvpn session interface Tunnel100", "there is no interface Tunnel100", ""},
		{"clear dmvpn session vrf RED", "No VRF named RED; there are blue and red", ""},
		{"show dmvpn vrf RED", "No VRF named RED; there are blue and red", ""},
		{"show crypto ipsec sa vrf RED", "No VRF named RED", ""},
		{"show crypto isakmp sa vrf RED", "No VRF named RED", ""},
		{"show arp vrf RED", "No VRF named RED", ""},
		{"show arp Tunnel77", "there is no interface Tunnel77", ""},
		{"clear counters Tunnel77", "there is no interface Tunnel77", ""},
		{"terminal show-format ancient", "ancient", "terminal show-format {legacy|modern}"},
		{"show dmvpn detail please", "", "show dmvpn"},
		{"show dmvpn interface", "", "show dmvpn [{detail|static|interface"},
		{"show dmvpn interface Tunnel77", "there is no interface Tunnel77", ""},
		{"show interfaces tu77", "there is no interface Tunnel77", ""},
		{"show ip route vrf RED", "No VRF named RED; there are blue and red", ""},
		{"clear dmvpn", "", "clear dmvpn session"},
		{"clear dmvpn session peer nbma 1.2.3", "1.2.3", "clear dmvpn session"},
		{"clear dmvpn session peer nbma 1.2.3.400", "1.2.3.400", "clear dmvpn session"},
		{"clear ip nhrp everything", "everything", "clear ip nhrp"},
		{"reload now", "now", "reload"},
		{"show crypto", "", "show crypto map"},
		{"show crypto ipsec sa interface Tunnel77", "there is no interface Tunnel77", ""},
		{"show crypto ipsec sa peer 1.2.3.4 peer 1.2.3.5", "peer", "show crypto ipsec sa"},
		{"show crypto session remote 1.2.3", "1.2.3", "show crypto session"},
		{"clear crypto", "", "clear crypto sa"},
		{"clear crypto isakmp 0", "0", "clear crypto isakmp"},
		{"clear crypto isakmp 4294967296", "4294967296", "clear crypto isakmp"},
		{"clear crypto s", "", "clear crypto sa"},
		{"show dmvpn\x00", "", ""},
		{strings.Repeat("show ", 4000), "", ""},
	} {
		out, d, err := runLine(c.line, false)
		if err == nil {
			t.Errorf("%.40q is no error; it printed %q", c.line, out)
			continue
		}
		if text := err.Error(); !strings.Contains(text, c.want) || c.command != "" && !strings.Contains(text, "  "+c.command) {
			t.Errorf("%.40q: %s\nwant %q and the command %q", c.line, text, c.want, c.command)
		}
		if len(d.cleared)+d.reloads != 0 || out != "" {
			t.Errorf("%.40q did something: %+v, %q", c.line, d, out)
		}
	}
}

// Only the commands that begin with what was typed are named.
func TestErrorsNameFewCommands(t *testing.T) {
	_, _, err := runLine("clear everything", false)
	if err == nil || strings.Contains(err.Error(), "show") || !strings.Contains(err.Error(), "clear dmvpn statistics") {
		t.Errorf("clear everything: %v", err)
	}
	_, _, err = runLine("sh ip eigrp neighbours", false)
	if err == nil || strings.Contains(err.Error(), "show ip route") || strings.Contains(err.Error(), "key chain") || !strings.Contains(err.Error(), "  show ip eigrp [vrf <vrf>] [<as:1-65535>] neighbors") {
		t.Errorf("show ip eigrp neighbours: %v", err)
	}
	_, _, err = runLine("show dmvpn intreface tu0", false)
	if err == nil || !strings.Contains(err.Error(), "\n  show dmvpn intreface tu0\n             ^\n") {
		t.Errorf("the mark stands wrong:\n%v", err)
	}
}

func TestDaemonErrors(t *testing.T) {
	d := &daemon{err: errors.New("no naved answers")}
	s := &Session{Daemon: d, Out: &strings.Builder{}}
	for _, l := range []string{"show dmvpn", "show crypto map", "clear crypto sa", "show interfaces", "show ip route", "clear ip nhrp", "reload"} {
		if err := s.Run(l); !errors.Is(err, d.err) {
			t.Errorf("%s: %v", l, err)
		}
	}
}

// exampleOf is a line that runs with the sample daemon.
func exampleOf(c *grammar.Command) string {
	return c.Example(func(name, typ string) string {
		return map[string]string{"neighbor": "10.9.9.1", "vrf": "red", "profile": "sup720-3bxl", "name": "K", "address": "10.0.0.1"}[name]
	})
}

// Every command has a help text, and its shortest form is understood as that command; what shows and clears runs.
func TestTable(t *testing.T) {
	for _, c := range table.Commands {
		if c.Help == "" {
			t.Errorf("%s has no help", c.Syntax)
		}
		if m, err := Understand(exampleOf(c), true); err != nil || m.Command.Syntax != c.Syntax && exampleOf(m.Command) != exampleOf(c) {
			t.Errorf("%s: %q is %v, %v", c.Syntax, exampleOf(c), m, err)
		}
	}
	for _, c := range slices.Concat(commands, tableCommands, eigrpCommands, hwprofileCommands, hardwareCommands) {
		if _, _, err := runLine(exampleOf(c), false); err != nil {
			t.Errorf("%s: %v", exampleOf(c), err)
		}
	}
}

// The flow cache is asked for as many flows as are wanted, and shown with the names of interfaces.
func TestShowFlows(t *testing.T) {
	for line, most := range map[string]int{"show ip cache flow": show.DefaultFlows, "sh ip cache flow 25": 25, "show ip cache flow 1000000": show.MostFlows} {
		out, d, err := runLine(line, false)
		if err != nil || d.most != most || !strings.Contains(out, "Et0           10.0.0.5        Tu0           10.1.0.5        06 1234 0050     7") {
			t.Errorf("%s asks for %d: %v\n%s", line, d.most, err, out)
		}
	}
	out, _, err := runLine("show ip cache flow", true)
	var v struct {
		Flows []struct {
			Source  string `json:"source"`
			Packets int    `json:"packets"`
		} `json:"flows"`
		More int `json:"more_flows"`
	}
	if err := errors.Join(err, json.Unmarshal([]byte(out), &v)); err != nil || len(v.Flows) != 1 || v.Flows[0].Source != "10.0.0.5" || v.Flows[0].Packets != 7 || v.More != 1 {
		t.Errorf("%v\n%s", err, out)
	}
	for _, line := range []string{"show ip cache flow 0", "show ip cache flow 1000001"} {
		if _, _, err := runLine(line, false); err == nil {
			t.Errorf("%s is taken", line)
		}
	}
	if err := (&Session{Daemon: &daemon{err: errors.New("gone")}, Out: &strings.Builder{}}).Run("show ip cache flow"); err == nil || err.Error() != "gone" {
		t.Errorf("without a daemon: %v", err)
	}
}
