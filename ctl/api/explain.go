package api

import "net/http"

// Explainer tells what would become of a packet.
type Explainer interface{}

func (s *Server) routeExplain(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/explain", func(w http.ResponseWriter, _ *http.Request) { notHere(w, "an explanation") })
}
