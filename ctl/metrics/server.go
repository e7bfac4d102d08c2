package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// DefaultAddress is where metrics are to be had: on this machine alone.
const DefaultAddress = "127.0.0.1:9469"

// scrapeTime bounds a scrape; maxScrapes, how many run at once.
const (
	scrapeTime = 10 * time.Second
	maxScrapes = 4
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
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, Timeout: scrapeTime}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if !alive() {
			http.Error(w, "the control plane does not answer", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ok\n") // the client may have gone
	})
	return mux, nil
}

// Serve answers on an address, HOST:PORT, until Close.
func Serve(addr string, h http.Handler) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	s := &Server{addr: l.Addr(), http: &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 2 * scrapeTime, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}}
	go func() { _ = s.http.Serve(l) }() // ends with Close
	return s, nil
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
