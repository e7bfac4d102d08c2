package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"nave/ctl/capture"
)

// Capturer copies packets out of the fast path.
type Capturer interface {
	// Capture carries a request out and calls f with each part of what comes of it, beginning with the request as it was completed, and ending with the summary. It ends by its
	// bounds, or with ctx, or when f returns an error.
	Capture(ctx context.Context, who *Caller, r capture.Request, f func(capture.Event) error) error
	// EndCapture ends the capture of a process, as though it had come to one of its bounds.
	EndCapture(who *Caller)
}

// captureStall is how long a client may take for a piece of a capture: then it has gone as far as naved is concerned, and others may capture.
const captureStall = 10 * time.Second

// captureEnd is how long a client that wants no more waits for the end of its capture.
const captureEnd = 3 * time.Second

// POST /v1/capture takes a capture.Request and answers with a capture.Event a line, as they come. POST /v1/capture/end ends the capture of the process that asks.
func (s *Server) routeCapture(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/capture/end", s.change(func(w http.ResponseWriter, r *http.Request) {
		if s.services.Capture == nil {
			notHere(w, "a capture")
			return
		}
		s.services.Capture.EndCapture(CallerOf(r.Context()))
		done(w, nil)
	}))
	mux.HandleFunc("POST /v1/capture", s.change(func(w http.ResponseWriter, r *http.Request) {
		if s.services.Capture == nil {
			notHere(w, "a capture")
			return
		}
		var q capture.Request
		if !read(w, r, "capture.Request", &q) {
			return
		}
		var flush func()
		lines, conn := json.NewEncoder(w), http.NewResponseController(w)
		send := func(e capture.Event) error {
			if flush == nil {
				s.audit(r, q.String(), nil)
				flush = streaming(w, "application/x-ndjson")
			}
			_ = conn.SetWriteDeadline(time.Now().Add(captureStall)) // without one, whoever stops reading is waited for
			if err := lines.Encode(e); err != nil {
				return fmt.Errorf("api: %w", err)
			}
			flush()
			return nil
		}
		err := s.services.Capture.Capture(r.Context(), CallerOf(r.Context()), q, send)
		switch {
		case err != nil && flush == nil:
			s.audit(r, q.String(), err)
			fail(w, http.StatusUnprocessableEntity, err)
		case err != nil:
			_ = send(capture.Event{Error: err.Error()}) // the client may have gone
		}
	}))
}

// Capture has packets copied, and calls f with each part of what comes of it until it is done, or f returns an error. When ctx ends, which is no error, the capture is ended, and its
// last parts still come.
func (c *Client) Capture(asked context.Context, r capture.Request, f func(capture.Event) error) error {
	ctx, cut := context.WithCancel(context.WithoutCancel(asked))
	defer cut()
	defer context.AfterFunc(asked, func() {
		late := time.AfterFunc(captureEnd, cut)
		defer context.AfterFunc(ctx, func() { late.Stop() })
		if c.do(http.MethodPost, "/v1/capture/end", struct{}{}, &struct{}{}) != nil {
			cut()
		}
	})()
	body, err := c.stream(ctx, http.MethodPost, "/v1/capture", r)
	if err != nil {
		return ended(ctx, err)
	}
	defer body.Close()
	for d := json.NewDecoder(body); ; {
		var e capture.Event
		switch err := d.Decode(&e); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return ended(ctx, fmt.Errorf("api: the daemon ended in the middle of a capture: %w", err))
		case e.Error != "":
			return errors.New(e.Error)
		}
		if err := f(e); err != nil {
			return err
		}
	}
}
