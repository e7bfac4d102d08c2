package api

import "net/http"

// Debugger turns debugging on and off.
type Debugger interface{}

func (s *Server) routeDebug(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/debug", s.change(func(w http.ResponseWriter, _ *http.Request) { notHere(w, "debugging") }))
}
