package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// DefaultAddress is where metrics are to be had: on this machine alone.
const DefaultAddress = "127.0.0.1:9469"

// scrapeTime bounds a scrape; maxScrapes, how many run at once; maxConns, how many are connected: whoever can connect can take no more of naved's files.
const (
	scrapeTime = 10 * time.Second
	maxScrapes = 4
	maxConns   = 64
)

// Server answers /metrics and /healthz.
type Server struct {
	http *http.Server
	addr net.Addr
}

// Handler answers for a Collector. alive tells whether the control plane answers.
func Handler(c *Collector, alive func() bool) (http.Handler, error) {
	reg := prometheus.NewRegistry()
	for _, x := range []prometheus.Collector{c, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := reg.Register(x); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{
		MaxRequestsInFlight: maxScrapes, Timeout: scrapeTime,
		ErrorHandling: promhttp.ContinueOnError, Registry: reg, // what could be made is told, and promhttp_metric_handler_errors_total that it isn't all
	}))
	p := pulse{alive: alive}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if !p.beats() {
			http.Error(w, "the control plane does not answer", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n") // the client may have gone
	})
	return mux, nil
}

// pulse asks whether the control plane answers, one at a time, and remembers for a second: those who ask are no load, least of all while nothing answers.
type pulse struct {
	alive func() bool

	mu    sync.Mutex
	ok    bool
	until time.Time
}

func (p *pulse) beats() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Now().After(p.until) {
		p.ok = p.alive()
		p.until = time.Now().Add(time.Second)
	}
	return p.ok
}

// Serve answers on an address, HOST:PORT, until Close.
func Serve(addr string, h http.Handler) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	host, _, _ := net.SplitHostPort(addr) // it has listened
	s := &Server{addr: l.Addr(), http: &http.Server{
		Handler: guard(host, h), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 2 * scrapeTime, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}}
	go func() { _ = s.http.Serve(&crowd{Listener: l, room: make(chan struct{}, maxConns)}) }() // ends with Close
	return s, nil
}

// guard keeps web pages out: one whose name leads to 127.0.0.1 (DNS rebinding) is, to a browser on this machine, where the metrics are from. So on loopback nobody is answered
// who asks for another name than this machine's own for it.
func guard(own string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
		if ok && at.IP.IsLoopback() && !ours(own, r.Host) {
			http.Error(w, "here is 127.0.0.1 or localhost, and nobody of another name", http.StatusMisdirectedRequest)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		h.ServeHTTP(w, r)
	})
}

// ours tells whether a Host header names this machine: by an address, which no web page has another's of, as localhost, or as it was said where to listen.
func ours(own, host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	return host == "" || strings.EqualFold(host, "localhost") || strings.EqualFold(host, own)
}

// crowd accepts no more connections than there is room for; others are closed at once.
type crowd struct {
	net.Listener
	room chan struct{}
}

// Accept implements net.Listener.
func (l *crowd) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.room <- struct{}{}:
			return &guest{Conn: c, leave: sync.OnceFunc(func() { <-l.room })}, nil
		default:
			_ = c.Close() // who is at fault is at the other end
		}
	}
}

// guest is a connection that makes room as it closes.
type guest struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (g *guest) Close() error {
	defer g.leave()
	return g.Conn.Close()
}

// Keep serves on an address until ctx ends, and tries again where that can't be had: a daemon that went has it still, or anybody took it. began is told where it answers,
// failed why it does not, once for each failure that is another.
func Keep(ctx context.Context, addr string, h http.Handler, again time.Duration, began func(net.Addr), failed func(error)) {
	said := ""
	for {
		s, err := Serve(addr, h)
		if err == nil {
			began(s.Addr())
			<-ctx.Done()
			if err := s.Close(); err != nil {
				failed(err)
			}
			return
		}
		if err.Error() != said {
			said = err.Error()
			failed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(again):
		}
	}
}

// Addr is where it answers.
func (s *Server) Addr() net.Addr { return s.addr }

// Close ends it.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("metrics: %w", err), s.http.Close())
	}
	return nil
}
