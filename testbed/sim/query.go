package sim

import (
	"nave/ctl/show"
)

// Query implements cli.Daemon. BGP does not run here.
func (r *Router) Query(q show.Query) (*show.Answer, error) {
	switch q.Table {
	case show.TableBGP, show.TableNeighbours, show.TablePaths:
		return nil, show.ErrNoBGP
	}
	a, err := r.core.Query(r.net.Now(), q)
	for i := range a.Labels {
		a.Labels[i].Count = r.engine.LabelCount(a.Labels[i].In)
	}
	return &a, err
}
