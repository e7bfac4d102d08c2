package sim

import (
	"bytes"

	"nave/ctl/cli"
	"nave/ctl/show"
)

// Explain implements cli.Explainer.
func (r *Router) Explain(a show.Ask) (*show.Explanation, error) {
	x, err := r.core.Explain(r.net.Now(), r.engine, r.net.now, a)
	return &x, err
}

// Explain is what `explain` says on a router, as text; and as values, of the same packet.
func (n *Net) Explain(name, command string) (string, *show.Explanation) {
	n.t.Helper()
	var out bytes.Buffer
	e := &explained{Explainer: n.Router(name)}
	s := cli.Session{Daemon: n.Router(name), Explainer: e, Out: &out}
	if err := s.Run("explain " + command); err != nil {
		n.t.Fatalf("sim: %s: explain %s: %v", name, command, err)
	}
	return out.String(), e.last
}

// explained keeps the last answer.
type explained struct {
	cli.Explainer
	last *show.Explanation
}

func (e *explained) Explain(a show.Ask) (x *show.Explanation, err error) {
	x, err = e.Explainer.Explain(a)
	e.last = x
	return x, err
}
