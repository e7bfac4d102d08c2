package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"nave/ctl/logs/message"
)

// Logs is the log that the daemon keeps in memory.
type Logs interface {
	// Follow calls f with each line of a severity up to that one (0 to 7; 7 includes what is debugged), from now on, until ctx ends. Lines that f is too slow for are left
	// out, and counted in the next one.
	Follow(ctx context.Context, severity int, f func(LogLine)) error
	// LogStatus is where the log goes, what came of that, and what is remembered of it.
	LogStatus() message.Status
	// ClearLog forgets what is remembered.
	ClearLog() error
}

// LogLine is a line of the log.
type LogLine = message.Line

// mostSeverity is the severity of what is debugged.
const mostSeverity = int(message.Debugging)

func (s *Server) routeLogs(mux *http.ServeMux) {
	logs := s.services.Logs
	if logs == nil {
		mux.HandleFunc("GET /v1/logs/follow", func(w http.ResponseWriter, _ *http.Request) { notHere(w, "the log") })
		return
	}
	mux.HandleFunc("GET /v1/logs", func(w http.ResponseWriter, _ *http.Request) { answer(w, logs.LogStatus()) })
	mux.HandleFunc("POST /v1/logs/clear", s.change(func(w http.ResponseWriter, r *http.Request) {
		err := logs.ClearLog()
		s.audit(r, "clear logging", err)
		done(w, err)
	}))
	mux.HandleFunc("GET /v1/logs/follow", func(w http.ResponseWriter, r *http.Request) {
		severity, err := strconv.Atoi(r.URL.Query().Get("severity"))
		if err != nil || severity < 0 || severity > mostSeverity {
			fail(w, http.StatusBadRequest, fmt.Errorf("severity=%q: want a number from 0 to %d", r.URL.Query().Get("severity"), mostSeverity))
			return
		}
		ctx, end := context.WithCancel(r.Context())
		defer end()
		flush := streaming(w, "application/x-ndjson")
		_ = logs.Follow(ctx, severity, func(l LogLine) { // who follows learns of the end by the end
			b, err := json.Marshal(l)
			if err != nil {
				return
			}
			if _, err := w.Write(append(b, '\n')); err != nil {
				end() // the client has gone, or takes nothing
				return
			}
			flush()
		})
	})
}

// LogStatus asks where the log goes, and what is remembered of it.
func (c *Client) LogStatus() (*message.Status, error) {
	var s message.Status
	if err := c.do(http.MethodGet, "/v1/logs", nil, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// ClearLog forgets what is remembered of the log.
func (c *Client) ClearLog() error {
	return c.do(http.MethodPost, "/v1/logs/clear", struct{}{}, &struct{}{})
}

// Follow calls f with each line of the log of a severity up to that one (0 to 7), from now on, until ctx ends; then it returns nil. It returns an error where the daemon
// ends, or is not there.
func (c *Client) Follow(ctx context.Context, severity int, f func(LogLine)) error {
	body, err := c.stream(ctx, http.MethodGet, fmt.Sprintf("/v1/logs/follow?severity=%d", severity), nil)
	if err != nil {
		return ended(ctx, err)
	}
	defer body.Close()
	d := json.NewDecoder(body)
	for {
		var l LogLine
		if err := d.Decode(&l); err != nil {
			if errors.Is(err, io.EOF) {
				err = errors.New("the daemon has ended")
			}
			return ended(ctx, fmt.Errorf("follow the log: %w", err))
		}
		f(l)
	}
}

// ended is the error of an answer that comes bit by bit: none where whoever asked wants no more.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
