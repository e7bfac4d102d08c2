package hwprofiles

import (
	"slices"
	"sync"

	"nave/fastpath/fib"
)

// Pricer prices what is installed as the hardware of a profile would. It may be asked by several goroutines.
//
// Of routes and labels it keeps numbers only, as the engine says where each of them is; of tunnels, adjacencies and associations it keeps what their prices
// depend on.
type Pricer struct {
	profile *Profile
	options Options
	rules   rules

	mu     sync.Mutex // guards what follows
	fib    tcam
	labels aggregates
	ways   tunnels
	peers  peers
}

// NewPricer is a Pricer that knows of nothing installed yet.
func NewPricer(p *Profile, o Options) *Pricer {
	r := newRules(p)
	return &Pricer{profile: p, options: o, rules: r, fib: newTCAM(p, o.Routes), labels: newAggregates(p), ways: newTunnels(r, p.Adjacencies, o.ModuleGRE), peers: newPeers(p)}
}

// Begin is fib.Pricer's.
func (p *Pricer) Begin(b *fib.Batch) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ways.begin(b)
}

// Tunnel is fib.Pricer's.
func (p *Pricer) Tunnel(t *fib.Tunnel) fib.Price {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ways.priceTunnel(t)
}

// Adjacency is fib.Pricer's.
func (p *Pricer) Adjacency(a *fib.Adjacency) fib.Price {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ways.priceAdjacency(a)
}

// Route is fib.Pricer's.
func (p *Pricer) Route(r *fib.Route, was fib.Place) fib.Place {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fib.route(slices.ContainsFunc(r.Paths, func(id fib.AdjID) bool { return id >= fib.FirstAdj }), was)
}

// Label is fib.Pricer's.
func (p *Pricer) Label(l *fib.Label, was fib.Place) (fib.Place, fib.Price) {
	p.mu.Lock()
	defer p.mu.Unlock()
	price := fib.Price{Way: p.rules.labels}
	if p.labels.above(l) {
		price.Cost = passes(p.rules.further)
	}
	return p.fib.label(l.In, was), price
}

// SA is fib.Pricer's.
func (p *Pricer) SA(s *fib.SA, installed bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.peers.add(s, installed)
}

// RouteGone is fib.Pricer's.
func (p *Pricer) RouteGone(_ fib.RouteKey, was fib.Place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fib.routeGone(was)
}

// LabelGone is fib.Pricer's. A label that could not be installed is gone from PlaceNone.
func (p *Pricer) LabelGone(in uint32, _ fib.LabelAction, was fib.Place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.labels.gone(in)
	p.fib.labelGone(in, was)
}

// SAGone is fib.Pricer's.
func (p *Pricer) SAGone(s fib.SAID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.peers.gone(s)
}

// Stale is fib.Pricer's.
func (p *Pricer) Stale() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	stale := p.ways.stale
	p.ways.stale = false
	return stale
}

// Meters is fib.Pricer's.
func (p *Pricer) Meters() fib.Meters {
	p.mu.Lock()
	defer p.mu.Unlock()
	return meters(p.profile, p.options.Limits)
}

// SetLimits changes Options.Limits. Whoever asked for Meters has to ask again (fastpath.Engine.Remeter); all else stays as it is.
func (p *Pricer) SetLimits(limits map[fib.Budget]fib.Meter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.options.Limits = limits
}

// SetModuleGRE changes Options.ModuleGRE. Whoever was told prices has to ask again where this makes some Stale (fastpath.Engine.Reprice).
func (p *Pricer) SetModuleGRE(tunnels map[fib.TunnelID]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.options.ModuleGRE = tunnels
	p.ways.setModule(tunnels)
}

// Usage is what is given away now.
func (p *Pricer) Usage() Usage {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := func(n Number) int {
		if !n.Known {
			return 0
		}
		return n.Int()
	}
	return Usage{
		Units: Level{Used: p.fib.units(), Size: size(p.profile.FIB.Units)}, Rooms: p.fib.usage(), IPv4: p.fib.ipv4.Routes, MPLS: p.fib.mpls.Routes,
		Adjacencies:     Level{Used: len(p.ways.adjs) - p.ways.software, Size: size(p.profile.Adjacencies)},
		AdjacenciesOver: p.ways.software,
		TunnelVLANs:     Level{Used: p.ways.installed, Size: size(p.profile.GRE.VLANs)},
		AggregateLabels: Level{Used: len(p.labels.of), Size: size(p.profile.MPLS.AggregateLabels)},
		CryptoTunnels:   Level{Used: len(p.peers.count), Size: size(p.profile.Crypto.Tunnels)},
		CryptoRefused:   p.peers.refused,
		Switched:        p.ways.switched(),
	}
}

var _ fib.Pricer = (*Pricer)(nil)
