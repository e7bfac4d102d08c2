package api

import "net/http"

// Capturer copies packets out of the fast path.
type Capturer interface{}

func (s *Server) routeCapture(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/capture", s.change(func(w http.ResponseWriter, _ *http.Request) { notHere(w, "a capture") }))
}
