package api

import "net/http"

// Enabler answers who a user is here, and whether they may have privileged exec.
type Enabler interface {
	// Greet is cheap: a shell asks before each prompt.
	Greet(who *Caller) Greeting
	// Enable verifies the password of privileged exec. An error says why it is not given.
	Enable(who *Caller, password string) error
}

// Greeting is what a shell needs to begin.
type Greeting struct {
	Hostname string `json:"hostname"`
	User     string `json:"user"`
	Change   bool   `json:"change"`   // the user may change things
	Password bool   `json:"password"` // privileged exec has a password
}

// enable is the body of a request for privileged exec.
type enable struct {
	Password string `json:"password"`
}

func (s *Server) routeEnable(mux *http.ServeMux) {
	e := s.services.Enable
	if e == nil {
		mux.HandleFunc("GET /v1/greeting", func(w http.ResponseWriter, _ *http.Request) { notHere(w, "a greeting") })
		mux.HandleFunc("POST /v1/enable", func(w http.ResponseWriter, _ *http.Request) { notHere(w, "privileged exec") })
		return
	}
	mux.HandleFunc("GET /v1/greeting", func(w http.ResponseWriter, r *http.Request) { answer(w, e.Greet(CallerOf(r.Context()))) })
	mux.HandleFunc("POST /v1/enable", s.change(func(w http.ResponseWriter, r *http.Request) {
		var in enable
		if !read(w, r, "enable", &in) {
			return
		}
		err := e.Enable(CallerOf(r.Context()), in.Password)
		s.audit(r, "enable", err)
		done(w, err)
	}))
}

// Greet asks who we are there.
func (c *Client) Greet() (Greeting, error) {
	var g Greeting
	err := c.do(http.MethodGet, "/v1/greeting", nil, &g)
	return g, err
}

// Enable asks for privileged exec.
func (c *Client) Enable(password string) error {
	return c.do(http.MethodPost, "/v1/enable", enable{password}, &struct{}{})
}

// BadSecret is the error of a password that is wrong.
const BadSecret = "bad secret"
