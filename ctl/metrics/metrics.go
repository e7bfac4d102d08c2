// Package metrics tells Prometheus what a box does: counts and states, never keys and, unless asked for, no peers.
//
//	metrics.go  the Collector: one look at the box a scrape
//	family.go   how a family of metrics is written down
//	packets.go  workers, ports, tunnels, packets by what became of them, tables
//	peers.go    peers of tunnels, where they are asked for
//	control.go  NHRP, sessions, IKE, routing protocols
//	hardware.go hardware that is emulated
//	server.go   HTTP: /metrics and /healthz
//
// Names follow Prometheus' rules: base units, `_total` for what only grows. A counter begins at zero when naved (or the worker, tunnel or port that it is about) does.
package metrics

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"nave/ctl/show"
	"nave/fastpath"
	"nave/fastpath/fib"
)

// Source is what a Collector asks; it may be asked by several goroutines.
type Source interface {
	Status() (s show.Status, ok bool)
	Query(show.Query) (show.Answer, error)
}

// Options say what is told beside the default.
type Options struct {
	// Peers adds counts of each peer of a tunnel: as many series as there are peers.
	Peers bool
}

// A look serves all that scrape within its freshness: share times as long as it took, so that however many scrape however often, the control plane, which looking holds
// up, has no more than a share-th of its time taken. A look at ten thousand peers takes a tenth of a second; leastFresh and mostFresh bound what comes of that.
const (
	share      = 20
	leastFresh = time.Second
	mostFresh  = 10 * time.Second
)

// Collector collects from a Source.
type Collector struct {
	source   Source
	families []*family
	took     *prometheus.Desc
	peers    bool

	mu    sync.Mutex
	told  []prometheus.Metric // of the last look: what it looked at may be large
	until time.Time           // told serves
	sent  sent
}

// New makes a Collector.
func New(source Source, o Options) *Collector {
	c := &Collector{
		source: source, families: slices.Clone(families), peers: o.Peers,
		took: prometheus.NewDesc("nave_scrape_seconds", "How long the look at the box took that these numbers are from.", nil, nil),
	}
	if o.Peers {
		c.families = append(c.families, peerFamilies...)
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range c.families {
		ch <- f.desc
	}
	ch <- c.took
}

// Collect implements prometheus.Collector. Nothing is told while the box starts or stops.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	for _, m := range c.look() {
		ch <- m
	}
}

// look looks at the box, or remembers the last look.
func (c *Collector) look() []prometheus.Metric {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told != nil && time.Now().Before(c.until) {
		return c.told
	}
	s := c.sample()
	if s == nil {
		c.told = nil
		return nil
	}
	c.told = nil
	for _, f := range c.families {
		c.told = append(c.told, f.collect(s)...)
	}
	c.told = append(c.told, prometheus.MustNewConstMetric(c.took, prometheus.GaugeValue, s.took.Seconds()))
	c.until = time.Now().Add(freshness(s.took))
	return c.told
}

// freshness is for how long a look serves that took so long.
func freshness(took time.Duration) time.Duration {
	return min(max(share*took, leastFresh), mostFresh)
}

// sample is one look at a box.
type sample struct {
	show.Status
	bgp   *show.Answer // nil: there is no BGP
	ldp   *show.Answer
	eigrp *show.Answer
	took  time.Duration
	ports map[uint16]string // names of ports and subinterfaces, by number
	tuns  map[uint16]string // names of tunnels, by number
	peers map[peer]fastpath.Count
}

// sample looks at the box; nil: it starts or stops.
func (c *Collector) sample() *sample {
	begin := time.Now()
	st, ok := c.source.Status()
	if !ok {
		return nil
	}
	s := &sample{Status: st, ports: make(map[uint16]string), tuns: make(map[uint16]string)}
	for _, p := range st.Ports {
		s.ports[uint16(p.ID)] = p.Name
	}
	for _, i := range st.Router.Interfaces {
		switch {
		case i.Tunnel != nil:
			s.tuns[uint16(i.Tunnel.ID)] = i.Name
		case i.Port != 0:
			s.ports[uint16(i.Port)] = i.Name
		}
	}
	ask := func(wanted bool, q show.Query) *show.Answer {
		if !wanted {
			return nil
		}
		a, err := c.source.Query(q)
		if err != nil {
			return nil // the protocol starts or stops
		}
		return &a
	}
	s.bgp = ask(st.BGPAS != 0, show.Query{Table: show.TableBGP})
	s.ldp = ask(st.MPLS.LDP, show.Query{Table: show.TableLDP})
	s.eigrp = ask(len(st.Protocols.EIGRP) > 0, show.Query{Table: show.TableEIGRP, VRF: show.AllVRFs})
	s.took = time.Since(begin)
	if c.peers {
		s.peers = c.sent.sum(&st)
	}
	return s
}

// vrf is the name of a VRF by its number; of the global table, nothing.
func (s *sample) vrf(id fib.VRF) string {
	for _, v := range s.VRFs {
		if v.ID == id {
			return v.Name
		}
	}
	return ""
}
