package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"nave/bpf"
	"nave/ctl/show"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/port/afxdp"
	"nave/hwprofiles"
	"nave/slowpath"
	"nave/slowpath/host/nic"
	"nave/slowpath/nbma"
	"nave/slowpath/nhrp"
	"nave/slowpath/reassembly"
	"nave/slowpath/rib"
)

// box is a Box for tests.
type box struct {
	status  show.Status
	gone    bool
	cleared []Clear
	asked   []show.Query
	answer  show.Answer
	reloads int
	err     error
}

func (b *box) Status() (show.Status, bool) { return b.status, !b.gone }
func (b *box) Flows(most int) (show.FlowCache, bool) {
	return show.FlowCache{Flows: []fastpath.Flow{{Src: netip.MustParseAddr("10.0.0.5"), Dst: netip.MustParseAddr("10.1.0.5"), Packets: 1 << 60}}, More: most}, !b.gone
}
func (b *box) Query(q show.Query) (show.Answer, error) {
	b.asked = append(b.asked, q)
	return b.answer, b.err
}
func (b *box) Clear(c Clear) error { b.cleared = append(b.cleared, c); return b.err }
func (b *box) Reload() error       { b.reloads++; return b.err }

func serve(t *testing.T, b Box) (socket string, s *Server) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "nave.sock")
	s, err := Serve(socket, Services{Box: b})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return socket, s
}

// full has a value that is not zero in every field of every kind that a Status has.
func full() show.Status {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	a, p := netip.MustParseAddr("192.0.2.1"), netip.MustParsePrefix("10.0.0.0/24")
	s := show.Status{
		Time: at, Started: at.Add(-time.Hour), Version: "nave 0.1", Hostname: "box", Running: "hostname box\nend\n", QueueLost: 9,
		Problems:   []show.Problem{{What: "interface Tunnel0", Why: "because"}},
		Interfaces: map[string]show.Configured{"Tunnel0": {Description: "d", Shutdown: true, DHCP: true, Bandwidth: 1, Delay: 2, Source: "Ethernet0", Multipoint: true, Profile: "p", Shared: true, MPLS: true, BGPLabels: true, MPLSMTU: 1}},
		VRFs:       []show.VRF{{Name: "red", ID: 1, Description: "d", RD: "1:1", Import: []string{"1:1"}, Export: []string{"1:1"}, ImportMap: "i", ExportMap: "e", PerVRF: true, Prefixes: 2, Netns: "nave-red"}},
		MPLS:       show.MPLS{Off: true, LDP: true, First: 1, Last: 2, LDPFirst: 3, LDPLast: 4, Pipe: true, HelloInterval: 5, HelloHold: 6, SessionHold: 7, BackoffFirst: 8, BackoffMax: 9, PasswordsForID: []netip.Addr{a}},
		BGPAS:      4200000000,
		Protocols: show.Protocols{
			EIGRP: []show.EIGRPConfigured{{VRF: "red", AS: 1, Networks: []show.ProtocolNetwork{{Prefix: p, Classful: true}}, Filters: []show.ProtocolFilter{{List: "l", Out: true, Iface: "Tunnel0", From: "static"}},
				Redistribute: []string{"static"}, Passive: []string{"Tunnel1"}, KeyChains: map[string]string{"Tunnel0": "k"}, Summaries: []show.ProtocolSummary{{Prefix: p, Iface: "Tunnel0"}}}},
			BGP: []show.BGPConfigured{{VRF: "red", Networks: []show.ProtocolNetwork{{Prefix: p, Classful: true}}, Redistribute: []string{"static"}, MaximumPaths: 1, DistanceExternal: 2, DistanceInternal: 3,
				DistanceLocal: 4, Synchronization: true, AutoSummary: true}},
		},
		KeyChains: []show.KeyChain{{Name: "k", Keys: []show.Key{{ID: 1, HasText: true, Accept: show.Lifetime{From: at, Until: at}, Send: show.Lifetime{From: at, Until: at}}}}},
		Peers:     []rib.Use{{Adjacency: 17, Iface: "Tunnel0", NBMA: nbma.Behind(a, netip.MustParseAddr("10.9.9.9")), NextHop: a}},
		Steering:  bpf.Verdicts{Kernel: 1, Nave: 2, NoSocket: 3},
		Workers:   []show.Process{{Worker: 1, PID: 2, CPU: 3, Started: at, Restarts: 4, Adopted: true}},
		Ports: []show.Port{{Name: "Ethernet0", Netdev: "eth0", ID: 1, MAC: [6]byte{1, 2, 3, 4, 5, 6}, MTU: 1500, Up: true, Native: true,
			Queues: []show.Queue{{Queue: 1, Worker: 1, ZeroCopy: true, CopyWhy: "c", BusyPoll: 2, BusyWhy: "b", Ring: 3,
				Stats: afxdp.Stats{Wakeups: 1, SendErrors: 2, Dropped: 3, RingFull: 4, FillEmpty: 5, TxEmpty: 6, Invalid: 7}}},
			Relays: []show.Relay{{Worker: 1, Via: 2}}, HandsOver: true, WhyHandOver: "w", NIC: fullCard()}},
		Shares: []int{1},
		Memory: []show.Memory{{Worker: 1, Huge: true, Why: "w", Pages: 2}},
	}
	s.Router = slowpath.Status{
		Interfaces: []rib.Interface{{Name: "Tunnel0", VRF: 1, Addrs: []netip.Prefix{p}, Up: true, MSS: 1, Port: 2, Parent: 3, VLAN: 4, MAC: [6]byte{9}, MPLS: true, MTU: 1400,
			Tunnel: &rib.Tunnel{ID: 1, OuterVRF: 2, Local: a, Remote: a, Key: 3, HasKey: true, TOS: 4, TTL: 5, PathMTU: true, Network: 6, Redirect: true, Protected: true, Protection: 7}}},
		Refused: []string{"route"}, Reassembly: reassembly.Stats{Fragments: 1, Reassembled: 2, TimedOut: 3, Overlap: 4, Full: 5, Broken: 6, Evicted: 7},
		Packets: slowpath.Stats{Delivered: 1, NotLocal: 2, ICMPErrors: 3, Held: 4, HeldLost: 5, NHRPSent: 6, NHRPLost: 7, InjectFailed: 8, EIGRPMalformed: 9, EIGRPForNobody: 10}, Error: "e",
	}
	s.Router.Policed[fastpath.TTLExpired] = 7
	fullCrypto(&s)
	ifc := nhrp.InterfaceStatus{
		Name: "Tunnel0", ID: 1, VRF: "RED", NetworkID: 2, Address: p, NBMA: a, Public: a, Spoke: true, Multicast: []netip.Addr{a},
		MaxSend: nhrp.MaxSend{Packets: 1, Interval: time.Second}, Usage: 3,
		NHS:   []nhrp.NHSStatus{{Protocol: a, NBMA: a, State: nhrp.NHSResponding, Priority: 1, Cluster: 2, Dynamic: true, Since: at, Requests: 3, Replies: 4, Failures: 5, Next: at, RequestID: 6}},
		Peers: []nhrp.PeerStatus{{NBMA: a, Inside: a, Tunnel: a, Entries: 1, Stage: nhrp.StageUp, Since: at, Static: true, Dynamic: true, Incomplete: true, NATed: true, Local: true, NoSocket: true, Inherited: true, Sent: 1, Received: 2}, {}},
	}
	ifc.Traffic.Sent[3], ifc.Traffic.Received[4], ifc.Traffic.Drops[nhrp.DropAuth] = 1, 2, 3
	s.Router.Inherited = slowpath.Inherited{Adjacencies: 1, Routes: 2, Until: at}
	s.Router.NHRP = nhrp.Status{Time: at, Limit: 1, Unknown: 2, Interfaces: []nhrp.InterfaceStatus{ifc}, Entries: []nhrp.EntryStatus{{
		Iface: "Tunnel0", Prefix: p, NextHop: a, Type: nhrp.TypeNegative, Flags: nhrp.FlagNoSock | nhrp.FlagUsed, NBMA: a, Inside: a, Direct: a, Claimed: a, Created: at, Expires: at, Holders: []netip.Addr{a}}}}
	n := fastpath.LinkCount{Rx: fastpath.Count{Packets: 1, Bytes: 2}, Tx: fastpath.Count{Packets: 3, Bytes: 4}}
	sas := s.Fastpath.SAs
	s.Fastpath = fastpath.Snapshot{
		SAs:     sas,
		Workers: []fastpath.WorkerCount{{Polls: 1, EmptyPolls: 2, Packets: 3, Injected: 4, TakenOver: 8, HandedOver: 9, Forwarded: 5, Labelled: 1, Ticks: 6, LinkTicks: 7, Histogram: [fastpath.HistogramBuckets]uint64{1, 2}}},
		Ports:   map[fib.PortID]fastpath.LinkCount{1: n}, Tunnels: map[fib.TunnelID]fastpath.LinkCount{2: n}, Adjacencies: map[fib.AdjID]fastpath.Count{17: n.Rx},
		Flows: fastpath.FlowCount{Live: 1, Capacity: 2, Added: 3, Evicted: 4, Moved: 5}, Routes: 1, Generation: 2, ArenaUsed: 3, ArenaSize: 4, Room: fastpath.Room{Routes: 5, Adjacencies: 6, SAs: 7},
	}
	s.System = show.System{Kernel: "6.1", Machine: "x86_64", Model: "m", CPUs: 1, Memory: 2, Image: "/naved", Go: "go1", Synchronized: true}
	shares := show.Shares{FiveSeconds: 1.5, OneMinute: 2.5, FiveMinutes: 3.5}
	s.Usage = show.Usage{
		Sampled: at, CPUs: 1, All: shares, Packets: shares, Memory: show.MemoryUsage{Total: 1, Used: 2, Free: 3},
		Processes: []show.ProcessUsage{{PID: 1, Name: "naved", Runtime: time.Second, Invoked: 2, Share: shares, Allocated: 3, Freed: 4, Holding: 5}},
		Links:     map[string]show.LinkUsage{"Tunnel0": {InBits: 1, OutBits: 2, InPackets: 3, OutPackets: 4, LastIn: at, LastOut: at}},
	}
	s.Cleared = map[string]show.ClearedCount{"Tunnel0": {At: at, From: n}}
	s.Fastpath.Reasons[fastpath.NoRoute], s.Fastpath.Lost[fastpath.NHRP], s.Fastpath.Spent[fib.CEF] = 5, 6, 7
	s.Hardware = fullHardware(at)
	return s
}

func fullHardware(at time.Time) *show.Hardware {
	set, err := hwprofiles.Load("")
	if err != nil {
		panic(err)
	}
	level, routes := hwprofiles.Level{Used: 1, Size: 2}, hwprofiles.Routes{Hardware: 3, Software: 4, Threshold: true, Exception: true}
	h := &show.Hardware{
		Profile: set.Profiles()[0], Since: at,
		Usage: hwprofiles.Usage{
			Units: level, Rooms: []hwprofiles.Room{{Kinds: []string{"ip"}, Width: 1, Configured: true, Level: level}}, IPv4: routes, MPLS: routes, Adjacencies: level, AdjacenciesOver: 6, TunnelVLANs: level,
			AggregateLabels: level, CryptoTunnels: level, CryptoRefused: 5,
		},
		Limited:    []show.Limiter{{Case: "all ttl-failure", Rate: 1, Burst: 2, Place: "all ttl-failure", Layer2: true, Register: true, Budget: fib.LimitTTL, Known: true}},
		Restricted: []show.Restricted{{Interface: "Tunnel0", Command: "ip nhrp redirect", Refused: true, Key: "phase3"}},
		Switched:   []show.SwitchedTunnel{{Interface: "Tunnel0", Labelled: true, Way: fib.ByCEF, Key: "mpls.over_gre"}},
	}
	h.Meters[fib.CEF] = fib.Meter{Rate: 1, Burst: 2}
	h.Loads[fib.CEF] = show.Load{PerSecond: 1, Peak: 2, PeakTime: at}
	return h
}

func fullCard() *nic.State {
	return &nic.State{
		Driver: nic.Driver{Name: "n", Version: "v", Firmware: "f", Bus: "b"}, Channels: nic.Channels{RX: 1, TX: 2, Combined: 3, MaxRX: 4, MaxTX: 5, MaxCombined: 6},
		Rings: nic.Rings{RX: 1, TX: 2, MaxRX: 3, MaxTX: 4}, RSS: nic.Outcome{Done: true, What: "w", Why: "y"}, Fields: map[string]string{"esp": "SPI"}, BySPI: true,
		NTuple: nic.Outcome{Done: true, What: "w", Why: "y"}, Rules: 1, Refused: 2, ZeroCopy: "z",
	}
}

// zeros lists the fields of v that are zero, to keep full complete as Status grows. Elements of arrays may be zero.
func zeros(v reflect.Value, path string) (out []string) {
	switch v.Kind() {
	case reflect.Struct:
		if v.Type().PkgPath() == "time" || v.Type().PkgPath() == "net/netip" || v.NumField() == 0 {
			break
		}
		for k := range v.NumField() {
			if f := v.Type().Field(k); f.IsExported() && f.Tag.Get("json") != "-" {
				out = append(out, zeros(v.Field(k), path+"."+f.Name)...)
			}
		}
		return out
	case reflect.Slice:
		if v.Len() > 0 {
			return zeros(v.Index(0), path+"[0]")
		}
	case reflect.Pointer:
		if _, ok := v.Interface().(json.Marshaler); ok && !v.IsNil() {
			return nil // its package tests what it writes
		}
		if !v.IsNil() {
			return zeros(v.Elem(), path)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			if e := v.MapIndex(k); !e.IsZero() {
				return zeros(e, path+"["+k.String()+"]")
			}
		}
	}
	if v.IsZero() {
		return []string{path}
	}
	return nil
}

func TestStatusSurvives(t *testing.T) {
	b := &box{status: full()}
	if z := zeros(reflect.ValueOf(b.status), "Status"); len(z) > 0 {
		t.Errorf("the sample leaves out %v", z)
	}
	socket, _ := serve(t, b)
	got, err := NewClient(socket).Status()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*got, b.status) {
		t.Errorf("a status came as\n%+v\nand was\n%+v", *got, b.status)
	}
	b.status = show.Status{}
	if got, err = NewClient(socket).Status(); err != nil || !reflect.DeepEqual(*got, b.status) {
		t.Errorf("the zero status came as %+v, %v", got, err)
	}
}

func TestClearAndReload(t *testing.T) {
	b := &box{}
	socket, _ := serve(t, b)
	c := NewClient(socket)
	a := netip.MustParseAddr("192.0.2.1")
	for _, want := range []Clear{
		{What: ClearSessions}, {What: ClearNHRP, Tunnel: a}, {What: ClearStatistics, Iface: "Tunnel0", NBMA: a, Static: true}, {What: ClearISAKMP, SA: 1 << 31},
	} {
		if err := c.Clear(want); err != nil {
			t.Fatal(err)
		}
		if got := b.cleared[len(b.cleared)-1]; got != want {
			t.Errorf("cleared %+v, want %+v", got, want)
		}
	}
	if err := c.Reload(); err != nil || b.reloads != 1 {
		t.Errorf("reload: %v, %d times", err, b.reloads)
	}
	b.err = errors.New("line 7: no such interface")
	if err := c.Reload(); err == nil || err.Error() != b.err.Error() {
		t.Errorf("a reload that failed: %v", err)
	}
	if err := c.Clear(Clear{}); err == nil || err.Error() != b.err.Error() {
		t.Errorf("a clear that failed: %v", err)
	}
}

func TestStopping(t *testing.T) {
	socket, s := serve(t, &box{gone: true})
	c := NewClient(socket)
	if _, err := c.Status(); err == nil || !strings.Contains(err.Error(), "stopping") {
		t.Errorf("a daemon that stops: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
	if _, err := c.Status(); err == nil || !strings.Contains(err.Error(), "no naved answers on "+socket) {
		t.Errorf("no daemon: %v", err)
	}
}

func TestSocket(t *testing.T) {
	socket, s := serve(t, &box{})
	info, err := os.Stat(socket)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("permissions %v", info.Mode())
	}
	if _, err := Serve(socket, Services{Box: &box{}}); err == nil || !strings.Contains(err.Error(), "a daemon answers on "+socket+" already") {
		t.Errorf("a second daemon: %v", err)
	}
	if _, err := NewClient(socket).Status(); err != nil {
		t.Errorf("the second daemon has hurt the first: %v", err)
	}
	s.Close()
	// A socket that a killed daemon left is replaced.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := NewClient(socket).Status(); err == nil || !strings.Contains(err.Error(), "no naved answers") {
		t.Errorf("a socket without a daemon: %v", err)
	}
	again, err := Serve(socket, Services{Box: &box{}})
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if _, err := Serve(filepath.Join(t.TempDir(), "no", "folder", "nave.sock"), Services{Box: &box{}}); err == nil {
		t.Error("served in a folder that is not there")
	}
}

// raw sends a request as another program might.
func raw(t *testing.T, socket, method, path, body string) (status int, text string) {
	t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	req, err := http.NewRequest(method, "http://nave"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestBadRequests(t *testing.T) {
	b := &box{}
	socket, _ := serve(t, b)
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/v1/clear", "", http.StatusBadRequest},
		{"POST", "/v1/clear", "{", http.StatusBadRequest},
		{"POST", "/v1/clear", `[1]`, http.StatusBadRequest},
		{"POST", "/v1/clear", `{"what":"dmvpn session","colour":"red"}`, http.StatusBadRequest},
		{"POST", "/v1/clear", `{"nbma":"192.0.2.256"}`, http.StatusBadRequest},
		{"POST", "/v1/clear", `{"what":"` + strings.Repeat("x", maxBody) + `"}`, http.StatusBadRequest},
		{"GET", "/v1/clear", "", http.StatusMethodNotAllowed},
		{"POST", "/v1/status", "", http.StatusMethodNotAllowed},
		{"GET", "/v1/secrets", "", http.StatusNotFound},
		{"GET", "/", "", http.StatusNotFound},
	} {
		status, text := raw(t, socket, c.method, c.path, c.body)
		if status != c.want {
			t.Errorf("%s %s %.40q: %d %.80s, want %d", c.method, c.path, c.body, status, text, c.want)
		}
		var p problem
		if c.want == http.StatusBadRequest && (json.Unmarshal([]byte(text), &p) != nil || p.Error == "") {
			t.Errorf("%s %.40q: the answer has no error: %.80s", c.path, c.body, text)
		}
	}
	if len(b.cleared) != 0 {
		t.Errorf("cleared by bad requests: %v", b.cleared)
	}
}

// Something else answers on the socket.
func TestStrangers(t *testing.T) {
	for name, c := range map[string]struct {
		status     int
		body, want string
	}{
		"not JSON":       {200, "hello", "another version"},
		"other JSON":     {200, `{"Time": 7}`, "another version"},
		"error, no JSON": {500, "oops", "500"},
	} {
		socket := filepath.Join(t.TempDir(), "nave.sock")
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		})}
		go func() { _ = srv.Serve(l) }()
		if _, err := NewClient(socket).Status(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		srv.Close()
	}
}

func TestFlows(t *testing.T) {
	b := &box{}
	socket, _ := serve(t, b)
	c := NewClient(socket)
	f, err := c.Flows(77)
	if err != nil || f.More != 77 || len(f.Flows) != 1 || f.Flows[0].Packets != 1<<60 || f.Flows[0].Src != netip.MustParseAddr("10.0.0.5") {
		t.Errorf("%+v, %v", f, err)
	}
	for _, most := range []int{-1, show.MostFlows + 1} {
		if _, err := c.Flows(most); err == nil || !strings.Contains(err.Error(), "want a number from 0 to") {
			t.Errorf("%d flows: %v", most, err)
		}
	}
	b.gone = true
	if _, err := c.Flows(1); err == nil || err.Error() != errGone.Error() {
		t.Errorf("a daemon that stops: %v", err)
	}
}
