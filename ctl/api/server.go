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

// maxBody bounds what a request may send.
const maxBody = 1 << 20

// Server answers on a UNIX socket.
type Server struct {
	http *http.Server
	path string
}

// Serve answers for box on the socket at path, which it makes anew, until Close.
func Serve(path string, box Box) (*Server, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fmt.Errorf("api: a daemon answers on %s already; give each its own --run-dir", path)
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("api: old socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("api: %w", err)
	}
	s := &Server{path: path, http: &http.Server{Handler: handler(box), ReadHeaderTimeout: 10 * time.Second}}
	go func() { _ = s.http.Serve(l) }() // ends with Close
	return s, nil
}

// Close ends the server and takes the socket away.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return fmt.Errorf("api: %w", err)
	}
	return nil
}

// errGone is the answer while the daemon stops.
var errGone = errors.New("the daemon is stopping")

func handler(box Box) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		s, ok := box.Status()
		if !ok {
			fail(w, http.StatusServiceUnavailable, errGone)
			return
		}
		answer(w, s)
	})
	mux.HandleFunc("GET /v1/flows", func(w http.ResponseWriter, r *http.Request) {
		most, err := strconv.Atoi(r.URL.Query().Get("most"))
		if err != nil || most < 0 || most > show.MostFlows {
			fail(w, http.StatusBadRequest, fmt.Errorf("most=%q: want a number from 0 to %d", r.URL.Query().Get("most"), show.MostFlows))
			return
		}
		c, ok := box.Flows(most)
		if !ok {
			fail(w, http.StatusServiceUnavailable, errGone)
			return
		}
		answer(w, c)
	})
	mux.HandleFunc("POST /v1/query", func(w http.ResponseWriter, r *http.Request) {
		var q show.Query
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		d.DisallowUnknownFields()
		if err := d.Decode(&q); err != nil {
			fail(w, http.StatusBadRequest, fmt.Errorf("the body is no Query: %w", err))
			return
		}
		a, err := box.Query(q)
		if err != nil {
			fail(w, http.StatusUnprocessableEntity, err)
			return
		}
		answer(w, a)
	})
	mux.HandleFunc("POST /v1/clear", func(w http.ResponseWriter, r *http.Request) {
		var c Clear
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			fail(w, http.StatusBadRequest, fmt.Errorf("the body is no Clear: %w", err))
			return
		}
		done(w, box.Clear(c))
	})
	mux.HandleFunc("POST /v1/reload", func(w http.ResponseWriter, _ *http.Request) { done(w, box.Reload()) })
	return mux
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
