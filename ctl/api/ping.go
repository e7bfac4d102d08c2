package api

import "net/http"

// Pinger sends echo requests and probes of traceroute from the box.
type Pinger interface{}

func (s *Server) routePing(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/ping", func(w http.ResponseWriter, _ *http.Request) { notHere(w, "ping") })
}
