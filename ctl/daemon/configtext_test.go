package daemon

import (
	"fmt"
	"sync"
	"testing"

	"nave/ctl/api"
)

// Texts are read while somebody changes what they are of.
func TestTextsMeanwhile(t *testing.T) {
	r := newRig(t)
	var reading sync.WaitGroup
	end := make(chan struct{})
	if _, err := r.Edit(admin, api.Edit{Line: "hostname candidate", Candidate: true}); err != nil {
		t.Fatal(err)
	}
	for _, q := range []api.ConfigText{
		{What: api.TextRunning}, {What: api.TextStartup}, {What: api.TextDiffStartup}, {What: api.TextCandidate}, {What: api.TextDiff}, {What: api.TextRevision, N: 1}, {What: api.TextDiff, N: 1},
		{What: api.TextRevisions}, {What: api.TextRunning, Section: "hostname"},
	} {
		reading.Go(func() {
			for {
				if text, err := r.Text(admin, q); err != nil || text == "" && q.What != api.TextDiff && q.What != api.TextDiffStartup {
					t.Errorf("%+v: %q %v", q, text, err)
					return
				}
				select {
				case <-end:
					return
				default:
				}
			}
		})
	}
	for n := range 20 {
		r.edit(fmt.Sprintf("hostname box%d", n))
		r.edit(fmt.Sprintf("ip route 10.%d.0.0 255.255.0.0 Null0", n))
		if _, err := r.Edit(admin, api.Edit{Line: fmt.Sprintf("hostname candidate%d", n), Candidate: true}); err != nil {
			t.Error(err)
		}
	}
	close(end)
	reading.Wait()
}
