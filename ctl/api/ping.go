package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"nave/ctl/probe"
)

// Pinger sends echo requests and probes of traceroute from the box.
type Pinger interface {
	// Probe carries a request out and calls f with each part of what comes of it, beginning with the request as it was completed. It ends with ctx, which is no error.
	Probe(ctx context.Context, who *Caller, r probe.Request, f func(probe.Event)) error
}

// POST /v1/ping takes a probe.Request and answers with a probe.Event a line, as they come.
func (s *Server) routePing(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/ping", func(w http.ResponseWriter, r *http.Request) {
		if s.services.Ping == nil {
			notHere(w, "ping")
			return
		}
		var q probe.Request
		if !read(w, r, "probe.Request", &q) {
			return
		}
		ctx, end := context.WithCancel(r.Context())
		defer end()
		var flush func()
		lines := json.NewEncoder(w)
		send := func(e probe.Event) {
			if flush == nil {
				flush = streaming(w, "application/x-ndjson")
			}
			if lines.Encode(e) != nil {
				end() // the client has gone
				return
			}
			flush()
		}
		err := s.services.Ping.Probe(ctx, CallerOf(ctx), q, send)
		switch {
		case err != nil && flush == nil:
			fail(w, http.StatusUnprocessableEntity, err)
		case err != nil:
			send(probe.Event{Error: err.Error()})
		case flush == nil: // nothing was sent before the client went
			streaming(w, "application/x-ndjson")
		}
	})
}

// Probe has the box send echo requests or the probes of a traceroute, and calls f with each part of what comes of it until it is done, or ctx ends, which is no error.
func (c *Client) Probe(ctx context.Context, r probe.Request, f func(probe.Event)) error {
	body, err := c.stream(ctx, http.MethodPost, "/v1/ping", r)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	defer body.Close()
	for d := json.NewDecoder(body); ; {
		var e probe.Event
		switch err := d.Decode(&e); {
		case errors.Is(err, io.EOF), err != nil && ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("api: the daemon ended in the middle of an answer: %w", err)
		case e.Error != "":
			return errors.New(e.Error)
		}
		f(e)
	}
}
