package metrics

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nave/ctl/show"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/nbma"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

// keep runs Keep for the length of the test, and returns what it says.
func keep(t *testing.T, addr string, h http.Handler) (began chan string, failed chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	began, failed = make(chan string, 10), make(chan error, 100)
	done := make(chan struct{})
	go func() {
		defer close(done)
		Keep(ctx, addr, h, 10*time.Millisecond, func(a net.Addr) { began <- a.String() }, func(err error) { failed <- err })
	}()
	t.Cleanup(func() { cancel(); <-done })
	return began, failed
}

func soon[T any](t *testing.T, c chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(30 * time.Second):
		t.Fatal("nothing in half a minute")
	}
	return v
}

func served(t *testing.T) string {
	t.Helper()
	h, err := Handler(New(full(t), Options{}), func() bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	began, _ := keep(t, "127.0.0.1:0", h)
	return soon(t, began)
}

// A place that another has is said once, and taken as soon as it is free.
func TestKeep(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	began, failed := keep(t, l.Addr().String(), http.NotFoundHandler())
	if err := soon(t, failed); !strings.Contains(err.Error(), "in use") {
		t.Error(err)
	}
	time.Sleep(100 * time.Millisecond)
	if len(failed) > 0 {
		t.Error("it is said again and again")
	}
	l.Close()
	if at := soon(t, began); at != l.Addr().String() {
		t.Error(at)
	}
}

// A web page whose name leads to loopback reads nothing.
func TestRebinding(t *testing.T) {
	at := served(t)
	_, port, _ := net.SplitHostPort(at)
	for host, want := range map[string]int{
		at: 200, "127.0.0.1": 200, "localhost:" + port: 200, "LOCALHOST": 200, "[::1]:" + port: 200, "evil.example:" + port: 421, "evil.example": 421,
		"127.0.0.1.evil.example": 421, "localhost.evil.example:" + port: 421, "localhost.": 421,
	} {
		req, err := http.NewRequest(http.MethodGet, "http://"+at+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != want || strings.Contains(string(body), "nave_") != (want == 200) {
			t.Errorf("%s: %s, %v", host, res.Status, err)
		}
	}
	if !ours("hub.example.net", "hub.example.net:9469") || ours("127.0.0.1", "hub.example.net") {
		t.Error("the name that was given is ours, others are not")
	}
}

// More than maxConns connections are closed at once; when one goes, another has its room.
func TestCrowd(t *testing.T) {
	at := served(t)
	dial := func() net.Conn {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	var in []net.Conn
	for range maxConns {
		c := dial()
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != nil { // it is in, and stays
			t.Fatal(err)
		}
		in = append(in, c)
	}
	c := dial()
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("one too many: %d, %v", n, err)
	}
	in[0].Close()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		res, err := c.Get("http://" + at + "/healthz")
		if err == nil {
			res.Body.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// The control plane is asked once a second, whoever asks how often.
func TestPulse(t *testing.T) {
	asked, ok := 0, true
	p := pulse{alive: func() bool { asked++; return ok }}
	for range 100 {
		p.beats()
	}
	if asked > 2 {
		t.Errorf("asked %d times", asked)
	}
	ok, p.until = false, time.Time{}
	if p.beats() {
		t.Error("it beats when it doesn't")
	}
}

// A look that takes long serves long: the control plane has its time.
func TestFreshness(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{0: time.Second, time.Millisecond: time.Second, 100 * time.Millisecond: 2 * time.Second, time.Minute: 10 * time.Second} {
		if got := freshness(took); got != want {
			t.Errorf("%v: %v, want %v", took, got, want)
		}
	}
}

// A state that has no number here, and a value that is no text, cost the scrape that family and nothing else.
func TestBroken(t *testing.T) {
	b := full(t)
	b.status.Router.NHRP.Interfaces[0].Peers[0].Stage = nhrp.StageUp + 7
	b.status.Version = "\xff"
	text := scrape(t, b, Options{})
	if strings.Contains(text, "nave_dmvpn_peers") || strings.Contains(text, "nave_build_info") || !strings.Contains(text, "nave_worker_polls_total") {
		t.Error(text)
	}
	if !strings.Contains(scrape(t, full(t), Options{}), `promhttp_metric_handler_errors_total{cause="gathering"} 0`) {
		t.Error("nothing counts what could not be made")
	}
}

// What is sent to a peer never shrinks while there is a way to it: not when one of several goes, nor when a number is used again.
func TestSent(t *testing.T) {
	use := func(id fib.AdjID, a string) rib.Use {
		return rib.Use{Adjacency: id, Iface: "Tunnel0", NBMA: nbma.Of(netip.MustParseAddr(a))}
	}
	var sent sent
	for k, step := range []struct {
		uses   []rib.Use
		counts map[fib.AdjID]uint64
		want   map[string]uint64
	}{
		{[]rib.Use{use(1, "192.0.2.1"), use(2, "192.0.2.1")}, map[fib.AdjID]uint64{1: 100, 2: 50}, map[string]uint64{"192.0.2.1": 150}},
		{[]rib.Use{use(1, "192.0.2.1"), use(2, "192.0.2.1")}, map[fib.AdjID]uint64{1: 110, 2: 50}, map[string]uint64{"192.0.2.1": 160}},
		{[]rib.Use{use(1, "192.0.2.1")}, map[fib.AdjID]uint64{1: 111}, map[string]uint64{"192.0.2.1": 161}},
		{[]rib.Use{use(1, "192.0.2.1"), use(2, "192.0.2.9")}, map[fib.AdjID]uint64{1: 111, 2: 70}, map[string]uint64{"192.0.2.1": 161, "192.0.2.9": 70}},
		{[]rib.Use{use(1, "192.0.2.1")}, map[fib.AdjID]uint64{1: 4}, map[string]uint64{"192.0.2.1": 165}},
		{nil, nil, map[string]uint64{}},
		{[]rib.Use{use(1, "192.0.2.1")}, map[fib.AdjID]uint64{1: 9}, map[string]uint64{"192.0.2.1": 9}},
	} {
		s := show.Status{Peers: step.uses}
		s.Fastpath.Adjacencies = make(map[fib.AdjID]fastpath.Count)
		for id, n := range step.counts {
			s.Fastpath.Adjacencies[id] = fastpath.Count{Packets: n, Bytes: 10 * n}
		}
		got := sent.sum(&s)
		if len(got) != len(step.want) {
			t.Errorf("step %d: %v", k, got)
		}
		for a, n := range step.want {
			if c := got[peer{"Tunnel0", a}]; c.Packets != n || c.Bytes != 10*n {
				t.Errorf("step %d: %s: %+v, want %d packets", k, a, c, n)
			}
		}
	}
}
