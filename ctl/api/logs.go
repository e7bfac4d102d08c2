package api

import (
	"context"
	"net/http"
	"time"
)

// Logs is the log that the daemon keeps in memory.
type Logs interface {
	// Follow calls f with each line of a severity up to that one (0 to 7; 7 includes what is debugged), from now on, until ctx ends. Lines that f is too slow for are left
	// out, and counted in the next one.
	Follow(ctx context.Context, severity int, f func(LogLine)) error
}

// LogLine is a line of the log.
type LogLine struct {
	Time     time.Time `json:"time"`
	Severity int       `json:"severity"`
	Text     string    `json:"text"` // as IOS writes it: %DMVPN-5-NHRP_NHS: Tunnel0 10.0.0.1 is UP
	LeftOut  int       `json:"left_out,omitempty"`
}

func (s *Server) routeLogs(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/logs/follow", func(w http.ResponseWriter, _ *http.Request) { notHere(w, "the log") })
}
