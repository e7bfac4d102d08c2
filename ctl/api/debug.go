package api

import (
	"fmt"
	"net/http"
	"strings"

	"nave/ctl/debug"
)

// Debugger turns debugging on and off.
//
//	GET  /v1/debug  what is on (debug.State)
//	POST /v1/debug  turn something on or off (debug.Change); the answer is what is on then
type Debugger interface {
	Debugging() debug.State
	Debug(debug.Change) (debug.State, error)
}

func (s *Server) routeDebug(mux *http.ServeMux) {
	d := s.services.Debug
	if d == nil {
		refuse := func(w http.ResponseWriter, _ *http.Request) { notHere(w, "debugging") }
		mux.HandleFunc("GET /v1/debug", refuse)
		mux.HandleFunc("POST /v1/debug", s.change(refuse))
		return
	}
	mux.HandleFunc("GET /v1/debug", func(w http.ResponseWriter, _ *http.Request) { answer(w, d.Debugging()) })
	mux.HandleFunc("POST /v1/debug", s.change(func(w http.ResponseWriter, r *http.Request) {
		var c debug.Change
		if !read(w, r, "debug.Change", &c) {
			return
		}
		after, err := d.Debug(c)
		s.audit(r, debugLine(c), err)
		if err != nil {
			fail(w, http.StatusUnprocessableEntity, err)
			return
		}
		answer(w, after)
	}))
}

// debugLine is the command that makes a change.
func debugLine(c debug.Change) string {
	words := []string{"debug"}
	if c.Off {
		words[0] = "undebug"
	}
	if c.All {
		words = append(words, "all")
	}
	for i, f := range c.Flags {
		if i > 0 {
			words = append(words, "+")
		}
		words = append(words, string(f))
	}
	if c.Family != "" {
		words = append(words, string(c.Family), "condition")
	}
	if c.Condition != nil {
		words = append(words, c.Condition.String())
	}
	if c.Unmatched {
		words = append(words, "unmatched")
	}
	return fmt.Sprintf("%.200s", strings.Join(words, " "))
}

// Debugging asks what is debugged.
func (c *Client) Debugging() (debug.State, error) {
	var s debug.State
	err := c.do(http.MethodGet, "/v1/debug", nil, &s)
	return s, err
}

// Debug turns debugging on or off, and returns what is on then.
func (c *Client) Debug(what debug.Change) (debug.State, error) {
	var s debug.State
	err := c.do(http.MethodPost, "/v1/debug", what, &s)
	return s, err
}
