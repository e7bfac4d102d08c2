package slowpath

import (
	"time"

	"nave/slowpath/bgp"
	"nave/slowpath/label"
)

// SpeakerLabels are BGP's labels as the speaker asks for them. They may be used from any goroutine.
type SpeakerLabels struct {
	tables *label.Tables
	now    func() time.Time
}

var _ bgp.Labels = SpeakerLabels{}

// Labels are BGP's labels, for the speaker, which calls from goroutines of its own: now is the clock for that.
func (r *Router) Labels(now func() time.Time) SpeakerLabels {
	return SpeakerLabels{r.border.labels, now}
}

// Allocate implements bgp.Labels: what neighbours inside a VRF announce has the VRF's label, if the configuration says `per-vrf`.
func (s SpeakerLabels) Allocate(f bgp.LabelFor) (uint32, error) { return s.tables.Take(f.VRF, s.now()) }

// Release implements bgp.Labels.
func (s SpeakerLabels) Release(_ bgp.LabelFor, l uint32) { s.tables.Release(l, s.now()) }

// perVRF says which VRFs have one label for all routes.
func perVRF(vrfs map[string]VRF) map[string]bool {
	out := make(map[string]bool)
	for name, v := range vrfs {
		out[name] = v.PerVRF
	}
	return out
}
