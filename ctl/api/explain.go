package api

import (
	"net/http"

	"nave/ctl/show"
)

// Explainer tells what would become of a packet.
type Explainer interface {
	// Explain answers a question. Nothing changes by it.
	Explain(show.Ask) (show.Explanation, error)
}

func (s *Server) routeExplain(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/explain", func(w http.ResponseWriter, r *http.Request) {
		if s.services.Explain == nil {
			notHere(w, "an explanation")
			return
		}
		var a show.Ask
		if !read(w, r, "Ask", &a) {
			return
		}
		var x show.Explanation
		err := errGone
		s.look(r, func() { x, err = s.services.Explain.Explain(a) })
		if err != nil {
			fail(w, http.StatusUnprocessableEntity, err)
			return
		}
		answer(w, x)
	})
}

// Explain asks what would become of a packet.
func (c *Client) Explain(a show.Ask) (*show.Explanation, error) {
	var x show.Explanation
	if err := c.do(http.MethodPost, "/v1/explain", a, &x); err != nil {
		return nil, err
	}
	return &x, nil
}
