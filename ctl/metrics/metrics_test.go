package metrics

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"nave/ctl/show"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/hwprofiles"
	"nave/slowpath"
	"nave/slowpath/bgp"
	"nave/slowpath/dmvpn"
	"nave/slowpath/eigrp"
	"nave/slowpath/ike"
	"nave/slowpath/ldp"
	"nave/slowpath/nbma"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

// box is a Source with something of everything.
type box struct {
	status show.Status
	gone   bool
	looks  atomic.Int32
	err    error
}

func (b *box) Status() (show.Status, bool) { b.looks.Add(1); return b.status, !b.gone }

func (b *box) Query(q show.Query) (show.Answer, error) {
	if b.err != nil {
		return show.Answer{}, b.err
	}
	a := netip.MustParseAddr("10.0.0.9")
	switch q.Table {
	case show.TableBGP:
		return show.Answer{BGP: &bgp.Status{Neighbours: []bgp.NeighbourStatus{
			{Address: a, RemoteAS: 65001, State: bgp.Established, Flaps: 3, Families: []bgp.FamilyStatus{{Accepted: 7}, {Accepted: 5}}, Received: bgp.Messages{Total: 11}},
			{Address: netip.MustParseAddr("10.0.0.8"), VRF: "red", Dynamic: true},
		}}}, nil
	case show.TableLDP:
		return show.Answer{LDP: &slowpath.LDPStatus{Neighbors: []ldp.NeighborStatus{{Peer: ldp.ID{LSR: a}, Since: time.Unix(1, 0), Received: 31, Bindings: 6}}}}, nil
	case show.TableEIGRP:
		s := slowpath.EIGRPStatus{Key: slowpath.EIGRPKey{VRF: 4, AS: 9}, Neighbors: make([]eigrp.NeighborStatus, 2)}
		s.Traffic.Sent.Hellos, s.Traffic.AuthFailures = 21, 4
		return show.Answer{EIGRP: []slowpath.EIGRPStatus{s}}, nil
	}
	return show.Answer{}, fmt.Errorf("asked for %+v", q)
}

func full(t *testing.T) *box {
	t.Helper()
	set, err := hwprofiles.Load("")
	if err != nil {
		t.Fatal(err)
	}
	profile, err := set.Profile("sup720-3bxl")
	if err != nil {
		t.Fatal(err)
	}
	peer := nbma.Behind(netip.MustParseAddr("192.0.2.5"), netip.MustParseAddr("10.1.1.1"))
	s := show.Status{
		Version: "nave 0.1", Started: time.Unix(1700000000, 0), BGPAS: 65000, MPLS: show.MPLS{LDP: true}, Protocols: show.Protocols{EIGRP: []show.EIGRPConfigured{{AS: 9}}},
		VRFs: []show.VRF{{Name: "red", ID: 4}}, QueueLost: 6,
		Ports:   []show.Port{{Name: "Ethernet0", Netdev: "eth0", ID: 1, Up: true, Queues: []show.Queue{{Queue: 0, ZeroCopy: true}}}},
		Workers: []show.Process{{Worker: 0, PID: 9, Restarts: 2}, {Worker: 1}},
		Peers:   []rib.Use{{Adjacency: 17, Iface: "Tunnel0", NBMA: peer}, {Adjacency: 18, Iface: "Tunnel0", NBMA: peer, NextHop: netip.MustParseAddr("10.0.0.1")}},
		Hardware: &show.Hardware{Profile: profile, Usage: hwprofiles.Usage{
			IPv4: hwprofiles.Routes{Exception: true}, Rooms: []hwprofiles.Room{{Kinds: []string{"mpls", "ip"}, Level: hwprofiles.Level{Used: 3, Size: 10}}},
		}},
	}
	s.Hardware.Meters[fib.CEF].Rate = 500000
	s.Router.Interfaces = []rib.Interface{{Name: "Ethernet0", Port: 1, Up: true}, {Name: "Ethernet0.10", Port: 2, Parent: 1}, {Name: "Tunnel0", Up: true, Tunnel: &rib.Tunnel{ID: 3}}}
	i := nhrp.InterfaceStatus{
		Name: "Tunnel0", NHS: []nhrp.NHSStatus{
			{Protocol: netip.MustParseAddr("10.0.0.1"), NBMA: netip.MustParseAddr("192.0.2.1"), State: nhrp.NHSResponding},
			{Protocol: netip.MustParseAddr("10.0.0.2"), NBMA: netip.MustParseAddr("192.0.2.2"), State: nhrp.NHSWaiting},
			{}, {}, // names that are resolved to nothing yet: two of the same labels
		},
		Peers: []nhrp.PeerStatus{{Stage: nhrp.StageUp}, {Stage: nhrp.StageUp}, {Stage: nhrp.StageIKE}, {Stage: nhrp.StageUp, Local: true}, {Stage: nhrp.StageNHRP, Incomplete: true}},
	}
	i.Traffic.Sent[3], i.Traffic.Drops[nhrp.DropAuth] = 8, 2
	s.Router.NHRP = nhrp.Status{Interfaces: []nhrp.InterfaceStatus{i}, Entries: []nhrp.EntryStatus{{Iface: "Tunnel0", Type: nhrp.TypeDynamic}}, Limit: 100}
	s.Router.Sessions = dmvpn.Status{SAs: 4, Sessions: []dmvpn.SessionStatus{{State: dmvpn.Up}, {State: dmvpn.Negotiating}, {State: dmvpn.Up}}}
	s.Router.IKE.SAs = []ike.SAStatus{{Version: 2, Established: true}, {Version: 1}}
	s.Router.IKE.Stats[2].FailedBy[ike.WhyAuthentication] = 13
	w := fastpath.WorkerCount{Polls: 100, EmptyPolls: 60, Packets: 90, Forwarded: 80, Ticks: 5000, Histogram: [fastpath.HistogramBuckets]uint64{60, 30, 8, 2}}
	s.Fastpath = fastpath.Snapshot{
		Workers: []fastpath.WorkerCount{w, {}}, Routes: 12, ArenaUsed: 10, ArenaSize: 100, Room: fastpath.Room{Routes: 500}, Flows: fastpath.FlowCount{Capacity: 9},
		Ports:       map[fib.PortID]fastpath.LinkCount{1: {Rx: fastpath.Count{Packets: 5, Bytes: 500}}, 2: {}, 9: {}},
		Tunnels:     map[fib.TunnelID]fastpath.LinkCount{3: {Tx: fastpath.Count{Packets: 4, Bytes: 400}}},
		Adjacencies: map[fib.AdjID]fastpath.Count{17: {Packets: 30, Bytes: 3000}, 18: {Packets: 2, Bytes: 100}},
	}
	s.Fastpath.Reasons[fastpath.NoRoute], s.Fastpath.Reasons[fastpath.Glean], s.Fastpath.Spent[fib.CEF] = 44, 45, 46
	return &box{status: s}
}

// scrape is one look at a box by HTTP.
func scrape(t *testing.T, b *box, o Options) string {
	t.Helper()
	h, err := Handler(New(b, o), func() bool { return !b.gone })
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	return get(t, srv.URL+"/metrics", http.StatusOK)
}

func get(t *testing.T, url string, status int) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		t.Fatalf("%s: %s, %v\n%s", url, res.Status, err, text)
	}
	return string(text)
}

func TestValues(t *testing.T) {
	text := scrape(t, full(t), Options{})
	for _, want := range []string{
		`nave_build_info{version="nave 0.1"} 1`, `nave_start_time_seconds 1.7e+09`, `nave_worker_polls_total{worker="0"} 100`, `nave_worker_empty_polls_total{worker="0"} 60`,
		`nave_worker_poll_packets_bucket{worker="0",le="0"} 60`, `nave_worker_poll_packets_bucket{worker="0",le="3"} 98`, `nave_worker_poll_packets_count{worker="0"} 100`,
		`nave_worker_up{worker="0"} 1`, `nave_worker_up{worker="1"} 0`, `nave_worker_restarts_total{worker="0"} 2`,
		`nave_dropped_packets_total{reason="no-route"} 44`, `nave_punted_packets_total{reason="glean"} 45`, `nave_control_queue_lost_total 6`,
		`nave_port_packets_total{direction="receive",port="Ethernet0"} 5`, `nave_port_packets_total{direction="receive",port="Ethernet0.10"} 0`,
		`nave_tunnel_bytes_total{direction="transmit",tunnel="Tunnel0"} 400`, `nave_tunnel_up{tunnel="Tunnel0"} 1`, `nave_queue_zero_copy{port="Ethernet0",queue="0"} 1`,
		`nave_dmvpn_peers{state="UP",tunnel="Tunnel0"} 2`, `nave_dmvpn_peers{state="IKE",tunnel="Tunnel0"} 1`, `nave_dmvpn_peers{state="NHRP",tunnel="Tunnel0"} 0`,
		`nave_nhrp_server_up{nbma="192.0.2.1",server="10.0.0.1",tunnel="Tunnel0"} 1`,
		`nave_nhrp_server_up{nbma="",server="",tunnel="Tunnel0"} 0`, `nave_nhrp_server_standby{nbma="",server="",tunnel="Tunnel0"} 0`,
		`nave_nhrp_server_standby{nbma="192.0.2.2",server="10.0.0.2",tunnel="Tunnel0"} 1`, `nave_nhrp_server_standby{nbma="192.0.2.1",server="10.0.0.1",tunnel="Tunnel0"} 0`, `nave_nhrp_packets_total{direction="transmit",tunnel="Tunnel0",type="registration-request"} 8`,
		`nave_nhrp_dropped_packets_total{reason="authentication",tunnel="Tunnel0"} 2`, `nave_nhrp_entries{tunnel="Tunnel0",type="dynamic"} 1`,
		`nave_crypto_sessions{state="UP"} 2`, `nave_crypto_sessions{state="IPSEC"} 0`, `nave_ike_sas{state="established",version="2"} 1`, `nave_ike_sas{state="negotiating",version="1"} 1`,
		`nave_ike_failures_total{reason="authentication-failed",version="2"} 13`, `nave_bgp_neighbor_up{as="65001",neighbor="10.0.0.9",vrf=""} 1`,
		`nave_bgp_neighbor_prefixes{as="65001",neighbor="10.0.0.9",vrf=""} 12`, `nave_eigrp_neighbors{as="9",vrf="red"} 2`,
		`nave_ldp_session_up{neighbor="10.0.0.9:0"} 1`, `nave_ldp_bindings{neighbor="10.0.0.9:0"} 6`, `nave_ldp_messages_total{direction="receive",neighbor="10.0.0.9:0"} 31`,
		`nave_eigrp_packets_total{as="9",direction="transmit",type="hello",vrf="red"} 21`, `nave_eigrp_problems_total{as="9",problem="authentication",vrf="red"} 4`,
		`nave_table_entries{table="routes"} 12`, `nave_table_limit{table="routes"} 500`, `nave_table_limit{table="flows"} 9`, `nave_table_memory_bytes{state="free"} 90`, `nave_hardware_info{profile="sup720-3bxl"} 1`,
		`nave_hardware_budget{budget="cef"} 500000`, `nave_hardware_spent_total{budget="cef"} 46`, `nave_hardware_table_limit{table="fib-ip+mpls"} 10`, `nave_hardware_exception{table="ipv4"} 1`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	for _, not := range []string{"nave_peer_", `neighbor="10.0.0.8"`, `port="9"`, `nave_hardware_budget{budget="crypto"}`} {
		if strings.Contains(text, not) {
			t.Errorf("there is %s", not)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	text = scrape(t, full(t), Options{Peers: true})
	if want := `nave_peer_bytes_total{peer="192.0.2.5 (10.1.1.1)",tunnel="Tunnel0"} 3100`; !strings.Contains(text, want) {
		t.Errorf("no %s", want)
	}
}

// A protocol that starts, and a box that stops, are no errors; scrapes at once are one look.
func TestAbsent(t *testing.T) {
	b := full(t)
	b.err = errors.New("BGP starts")
	if text := scrape(t, b, Options{}); !strings.Contains(text, "nave_worker_polls_total") || strings.Contains(text, "nave_bgp") || strings.Contains(text, "nave_eigrp") {
		t.Error(text)
	}
	b = &box{gone: true}
	h, err := Handler(New(b, Options{}), func() bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	defer srv.Close()
	if text := get(t, srv.URL+"/metrics", http.StatusOK); strings.Contains(text, "nave_") || !strings.Contains(text, "process_start_time_seconds") {
		t.Error(text)
	}
	get(t, srv.URL+"/healthz", http.StatusServiceUnavailable)
	c := New(full(t), Options{})
	for range 10 {
		c.look()
	}
	if n := c.source.(*box).looks.Load(); n > 2 { // a second may be over in between
		t.Errorf("%d looks for ten scrapes at once", n)
	}
}

// reference is the table of docs/metrics.md: every metric with its type, labels and meaning.
func reference() string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | what it is |\n| --- | --- | --- | --- |\n")
	line := func(f *family) {
		kind := map[bool]string{true: "counter", false: "gauge"}[strings.HasSuffix(f.name, "_total")]
		if f.histogram != nil {
			kind = "histogram"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, kind, strings.Join(f.labels, ", "), f.help)
	}
	for _, f := range families {
		line(f)
	}
	b.WriteString("| `nave_scrape_seconds` | gauge |  | How long the look at the box took that these numbers are from. |\n")
	for _, f := range peerFamilies {
		line(f)
	}
	return b.String()
}

const docs = "../../docs/metrics.md"

// The documentation lists every metric, and no other.
func TestReference(t *testing.T) {
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	head, tail, ok := strings.Cut(string(text), "<!-- metrics -->\n")
	_, tail, ok2 := strings.Cut(tail, "<!-- end of metrics -->\n")
	if !ok || !ok2 {
		t.Fatal("no place for the list")
	}
	want := head + "<!-- metrics -->\n" + reference() + "<!-- end of metrics -->\n" + tail
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(docs, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Error("docs/metrics.md is not what there is; UPDATE=1 go test ./ctl/metrics writes it anew")
	}
	for _, f := range append(families, peerFamilies...) {
		if !regexp.MustCompile(`^nave_[a-z_]+$`).MatchString(f.name) || !strings.HasSuffix(f.help, ".") {
			t.Errorf("%s: %s", f.name, f.help)
		}
	}
}

// A scrape of a box with many peers takes little, most of it in the look at the box.
func BenchmarkScrape(b *testing.B) {
	src := full(&testing.T{})
	for k := range 1000 {
		src.status.Router.NHRP.Interfaces[0].Peers = append(src.status.Router.NHRP.Interfaces[0].Peers, nhrp.PeerStatus{Stage: nhrp.StageUp, Entries: k})
		src.status.Router.Sessions.Sessions = append(src.status.Router.Sessions.Sessions, dmvpn.SessionStatus{State: dmvpn.Up})
	}
	c := New(src, Options{})
	h, err := Handler(c, func() bool { return true })
	if err != nil {
		b.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	for b.Loop() {
		c.until = time.Time{} // or it would remember
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, req); w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}
