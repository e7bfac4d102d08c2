package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"nave/ctl/show"
)

// What a request may send, in bytes.
const (
	maxBody   = 1 << 20
	maxHeader = 1 << 14
)

// Services are what a Server answers with. What is nil is not there: asking for it is an error.
type Services struct {
	Box     Box
	Config  Config
	Logs    Logs
	Debug   Debugger
	Explain Explainer
	Capture Capturer
	Ping    Pinger
	Enable  Enabler

	Access Access
	// Audit is told of each change, by whom, and what came of it. It must not block.
	Audit func(who *Caller, what string, err error)
}

// Server answers on a UNIX socket.
type Server struct {
	http     *http.Server
	path     string
	services Services
	door     *door
	pace     *pace
	end      context.CancelFunc // ends answers that come bit by bit
}

// Serve answers on the socket at path, which it makes anew, until Close. The socket is root's and Access.Look's; root's alone where there is no such group.
func Serve(path string, services Services) (*Server, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("api: a daemon answers on %s already; give each its own --run-dir", path)
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("api: old socket: %w", err)
	}
	l, err := listen(path, services.Access.Look)
	if err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(context.Background())
	s := &Server{path: path, services: services, end: end, pace: newPace(), door: &door{UnixListener: l, access: services.Access}}
	s.http = &http.Server{
		Handler: s.admit(s.handler()), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader,
		ConnContext: introduce, BaseContext: func(net.Listener) context.Context { return ctx },
	}
	go func() { _ = s.http.Serve(s.door) }() // ends with Close
	return s, nil
}

// introduce notes who has connected.
func introduce(ctx context.Context, c net.Conn) context.Context {
	if v, ok := c.(*visitor); ok {
		return context.WithValue(ctx, callerKey{}, v.who)
	}
	return ctx
}

// Close ends the server and takes the socket away.
func (s *Server) Close() error {
	s.end()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil { // somebody takes no answer, or sends no request
		if err := s.http.Close(); err != nil {
			return fmt.Errorf("api: %w", err)
		}
	}
	return nil
}

// errGone is the answer while the daemon stops.
var errGone = errors.New("the daemon is stopping")

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	s.routeBox(mux)
	s.routeConfig(mux)
	s.routeLogs(mux)
	s.routeDebug(mux)
	s.routeExplain(mux)
	s.routeCapture(mux)
	s.routePing(mux)
	s.routeEnable(mux)
	return mux
}

func (s *Server) routeBox(mux *http.ServeMux) {
	box := s.services.Box
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) {
		var st show.Status
		var ok bool
		if !s.look(r, func() { st, ok = box.Status() }) || !ok {
			fail(w, http.StatusServiceUnavailable, errGone)
			return
		}
		answer(w, st)
	})
	mux.HandleFunc("GET /v1/flows", func(w http.ResponseWriter, r *http.Request) {
		most, err := strconv.Atoi(r.URL.Query().Get("most"))
		if err != nil || most < 0 || most > show.MostFlows {
			fail(w, http.StatusBadRequest, fmt.Errorf("most=%q: want a number from 0 to %d", r.URL.Query().Get("most"), show.MostFlows))
			return
		}
		var c show.FlowCache
		var ok bool
		if !s.look(r, func() { c, ok = box.Flows(most) }) || !ok {
			fail(w, http.StatusServiceUnavailable, errGone)
			return
		}
		answer(w, c)
	})
	mux.HandleFunc("POST /v1/query", func(w http.ResponseWriter, r *http.Request) {
		var q show.Query
		if !read(w, r, "Query", &q) {
			return
		}
		var a show.Answer
		err := errGone
		s.look(r, func() { a, err = box.Query(q) })
		if err != nil {
			fail(w, http.StatusUnprocessableEntity, err)
			return
		}
		answer(w, a)
	})
	mux.HandleFunc("POST /v1/clear", s.change(func(w http.ResponseWriter, r *http.Request) {
		var c Clear
		if !read(w, r, "Clear", &c) {
			return
		}
		err := box.Clear(c)
		s.audit(r, c.String(), err)
		done(w, err)
	}))
	mux.HandleFunc("POST /v1/reload", s.change(func(w http.ResponseWriter, r *http.Request) {
		err := box.Reload()
		s.audit(r, "reload", err)
		done(w, err)
	}))
}

// read decodes what a request sends into v, and answers where it can't be.
func read(w http.ResponseWriter, r *http.Request, what string, v any) bool {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Now().Add(readLimit)) // a body that does not come keeps nobody waiting
	defer func() { _ = c.SetReadDeadline(time.Time{}) }()
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		fail(w, http.StatusBadRequest, fmt.Errorf("the body is no %s: %w", what, err))
		return false
	}
	return true
}

// notHere is the answer of a service that is not there.
func notHere(w http.ResponseWriter, what string) {
	fail(w, http.StatusNotImplemented, fmt.Errorf("%s is not to be had from this daemon", what))
}

// streaming begins an answer that comes bit by bit, and returns what sends what was written so far.
func streaming(w http.ResponseWriter, contentType string) (flush func()) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusOK)
	c := http.NewResponseController(w)
	flush = func() { _ = c.Flush() } // the client may have gone
	flush()
	return flush
}

func done(w http.ResponseWriter, err error) {
	if err != nil {
		fail(w, http.StatusUnprocessableEntity, err)
		return
	}
	answer(w, struct{}{})
}

func answer(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b) // the client may have gone
}

func fail(w http.ResponseWriter, status int, err error) {
	b, _ := json.Marshal(problem{err.Error()}) // a string always marshals
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}
