package slowpath

import (
	"sync"
	"time"

	"nave/slowpath/bgp"
	"nave/slowpath/label"
)

// labelSource gives BGP's labels out: to the Router for what it announces, and to the speaker, which has goroutines of its own. A label may be the one of a whole VRF, which
// many prefixes have at once.
type labelSource struct {
	pool *label.Pool

	mu     sync.Mutex
	perVRF map[string]bool         // VRFs that there are; true: with one label for all routes
	vrfs   map[string]*sharedLabel // by the VRF's name
	shared map[uint32]*sharedLabel // the same, and those of VRFs that are no more while the speaker has them
}

// sharedLabel is the label of a VRF.
type sharedLabel struct {
	label uint32
	users int // the Router, while the VRF is there, and each of the speaker's prefixes
}

func newLabelSource(pool *label.Pool) *labelSource {
	return &labelSource{pool: pool, perVRF: make(map[string]bool), vrfs: make(map[string]*sharedLabel), shared: make(map[uint32]*sharedLabel)}
}

// configure says which VRFs there are.
func (s *labelSource) configure(vrfs map[string]VRF) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.perVRF = make(map[string]bool, len(vrfs))
	for name, v := range vrfs {
		s.perVRF[name] = v.PerVRF
	}
}

// ofVRF is the label of a VRF as a whole.
func (s *labelSource) ofVRF(name string, now time.Time) (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.sharedOf(name, now)
	if err != nil {
		return 0, err
	}
	return l.label, nil
}

func (s *labelSource) sharedOf(name string, now time.Time) (*sharedLabel, error) {
	if l := s.vrfs[name]; l != nil {
		return l, nil
	}
	n, err := s.pool.Take(now)
	if err != nil {
		return nil, err
	}
	l := &sharedLabel{label: n, users: 1}
	s.vrfs[name], s.shared[n] = l, l
	return l, nil
}

// forget drops the label of a VRF, which is given back when the speaker has it for nothing any more.
func (s *labelSource) forget(name string, now time.Time) (uint32, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.vrfs[name]
	if l == nil {
		return 0, false
	}
	delete(s.vrfs, name)
	s.leave(l, now)
	return l.label, true
}

func (s *labelSource) leave(l *sharedLabel, now time.Time) {
	if l.users--; l.users == 0 {
		delete(s.shared, l.label)
		s.pool.Release(l.label, now)
	}
}

// use tells whether a label is, or was, that of a whole VRF; and whether it is that of this one.
func (s *labelSource) use(n uint32, vrf string) (shared, of bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.shared[n]
	return l != nil, l != nil && s.vrfs[vrf] == l
}

// SpeakerLabels are BGP's labels as the speaker asks for them. They may be used from any goroutine.
type SpeakerLabels struct {
	source *labelSource
	now    func() time.Time
}

var _ bgp.Labels = SpeakerLabels{}

// Allocate implements bgp.Labels: what neighbours inside a VRF announce has the VRF's label, if the configuration says `per-vrf`.
func (s SpeakerLabels) Allocate(f bgp.LabelFor) (uint32, error) {
	src := s.source
	src.mu.Lock()
	defer src.mu.Unlock()
	if f.VRF == "" || !src.perVRF[f.VRF] {
		return src.pool.Take(s.now())
	}
	l, err := src.sharedOf(f.VRF, s.now())
	if err != nil {
		return 0, err
	}
	l.users++
	return l.label, nil
}

// Release implements bgp.Labels.
func (s SpeakerLabels) Release(_ bgp.LabelFor, n uint32) {
	src := s.source
	src.mu.Lock()
	defer src.mu.Unlock()
	if l := src.shared[n]; l != nil {
		src.leave(l, s.now())
		return
	}
	src.pool.Release(n, s.now())
}
