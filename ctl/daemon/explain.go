package daemon

import "nave/ctl/show"

// Explain implements api.Explainer.
func (d *Daemon) Explain(a show.Ask) (show.Explanation, error) { return d.gw.Explain(a) }
