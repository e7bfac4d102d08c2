package hwprofiles

import (
	"math"
	"net/netip"
	"slices"

	"nave/fastpath/fib"
)

// rules are what a profile says of tunnels and of links, ready to be asked.
type rules struct {
	key, options, sharing bool    // make a tunnel the route processor's
	module                bool    // a module can do GRE
	noModule              bool    // nothing but the route processor encrypts
	prefragment           bool    // a module cuts packets before it encrypts them
	noMulticast           bool    // of others goes into protected tunnels
	labels                fib.Way // who forwards labelled packets
	greLabels             fib.Way // and those in tunnels
	further               float64 // what a further pass costs, in passes
	recirculation         float64 // further passes of a packet into a tunnel, or out of it
	push                  Number  // labels that one pass puts on
}

func newRules(p *Profile) rules {
	r := rules{
		key: p.GRE.Key.No(), options: p.GRE.Options.No(), sharing: p.GRE.UniqueSource.IsYes(), module: p.Crypto.GRE.IsYes(), noModule: p.Crypto.Hardware.No(),
		noMulticast: p.Multicast.EncryptedGRE.No(), further: 1, recirculation: p.GRE.Passes.Value, push: p.MPLS.Push,
	}
	r.prefragment = p.Crypto.Prefragmented.IsYes() && !r.noModule
	if p.MPLS.RecircCost.Known { // a rate that is divided by two is one pass more
		r.further = max(0, p.MPLS.RecircCost.Value-1)
	}
	if p.MPLS.Hardware.No() {
		r.labels = fib.ByCEF
	}
	if r.greLabels = r.labels; p.MPLS.OverGRE.No() {
		r.greLabels = fib.ByCEF
	}
	return r
}

// passes is the cost of so many passes.
func passes(n float64) uint16 { return uint16(min(math.Round(n*fib.PassCost), fib.MaxCost)) }

// source is where a tunnel's packets come from.
type source struct {
	vrf   fib.VRF
	local netip.Addr
}

// verdict is who forwards a tunnel's packets, and by which values of the profile.
type verdict struct {
	way       fib.Way
	key       string
	protected bool
	cuts      bool // the module cuts its packets before it encrypts them: it does their GRE
}

// tunnel is what the prices of a tunnel and of its adjacencies depend on. It may not be installed (yet), and have adjacencies.
type tunnel struct {
	id        fib.TunnelID
	installed bool
	source    source // without an address where it has none (yet)
	hasKey    bool
	protected bool
	mpls      bool
	adjs      int // that lead into it
	options   int // of which have checksum or sequence number
	verdict   verdict
	asked     bool // a price was given that goes by the verdict
}

// adjacency is what must be known of one when it goes.
type adjacency struct {
	tunnel   fib.TunnelID
	options  bool
	software bool // it found no room, and stays without as long as it is there
}

// tunnels are those that are installed, and the adjacencies.
type tunnels struct {
	rules     rules
	of        map[fib.TunnelID]*tunnel
	installed int
	sources   map[source]*sharers
	module    map[fib.TunnelID]bool // Options.ModuleGRE
	adjs      map[fib.AdjID]adjacency
	size      Number             // how many adjacencies have room
	software  int                // that found none
	leaving   map[fib.AdjID]bool // in the same batch that installs them
	going     map[fib.TunnelID]bool
	dirty     []fib.TunnelID // whose verdict may have changed
	stale     bool
}

// sharers are the tunnels of one source.
type sharers struct {
	ids  map[fib.TunnelID]bool
	bare int // of which no module does GRE
}

// clash tells whether they can't have one source.
func (s *sharers) clash() bool { return s != nil && len(s.ids) > 1 && s.bare > 0 }

func newTunnels(r rules, size Number, module map[fib.TunnelID]bool) tunnels {
	return tunnels{rules: r, size: size, of: map[fib.TunnelID]*tunnel{}, sources: map[source]*sharers{}, module: module, adjs: map[fib.AdjID]adjacency{}}
}

// begin learns what will be there after a batch.
func (s *tunnels) begin(b *fib.Batch) {
	s.leaving, s.going = nil, nil
	for _, id := range b.DelTunnels {
		s.remove(id)
		if len(b.Tunnels) > 0 {
			s.going = set(s.going, id)
		}
	}
	for i := range b.Tunnels {
		s.learn(&b.Tunnels[i])
	}
	for _, id := range b.DelAdjacencies {
		s.forget(id)
		if len(b.Adjacencies) > 0 {
			s.leaving = set(s.leaving, id)
		}
	}
	s.judge()
}

func set[K comparable](m map[K]bool, k K) map[K]bool {
	if m == nil {
		m = map[K]bool{}
	}
	m[k] = true
	return m
}

// tunnel is the one of a number, installed or not.
func (s *tunnels) tunnel(id fib.TunnelID) *tunnel {
	t := s.of[id]
	if t == nil {
		t = &tunnel{id: id}
		s.of[id] = t
	}
	return t
}

// learn takes a tunnel as it is installed.
func (s *tunnels) learn(f *fib.Tunnel) {
	if s.going[f.ID] {
		return
	}
	t := s.tunnel(f.ID)
	if !t.installed {
		t.installed = true
		s.installed++
	}
	from := source{vrf: f.OuterVRF, local: f.Local}
	if !f.Local.IsValid() || f.Local.IsUnspecified() {
		from = source{}
	}
	if t.source != from {
		s.unshare(t)
		t.source = from
		s.share(t)
	}
	t.hasKey, t.protected, t.mpls = f.HasKey, f.Protected, f.MPLS
	s.dirty = append(s.dirty, f.ID)
}

func (s *tunnels) remove(id fib.TunnelID) {
	t := s.of[id]
	if t == nil || !t.installed {
		return
	}
	s.installed--
	s.unshare(t)
	*t = tunnel{id: id, adjs: t.adjs, options: t.options, verdict: t.verdict, asked: t.asked}
	s.dirty = append(s.dirty, id)
}

// share adds a tunnel to those of its source.
func (s *tunnels) share(t *tunnel) {
	if !t.source.local.IsValid() {
		return
	}
	with := s.sources[t.source]
	if with == nil {
		with = &sharers{ids: map[fib.TunnelID]bool{}}
		s.sources[t.source] = with
	}
	before := with.clash()
	with.ids[t.id] = true
	if !s.byModule(t.id) {
		with.bare++
	}
	s.clashed(with, before)
}

func (s *tunnels) unshare(t *tunnel) {
	with := s.sources[t.source]
	if with == nil || !with.ids[t.id] {
		return
	}
	before := with.clash()
	delete(with.ids, t.id)
	if !s.byModule(t.id) {
		with.bare--
	}
	if len(with.ids) == 0 {
		delete(s.sources, t.source)
	}
	s.clashed(with, before)
}

// clashed has all tunnels of a source judged anew where that makes a difference to those that were there before.
func (s *tunnels) clashed(with *sharers, before bool) {
	if with.clash() == before {
		return
	}
	for id := range with.ids {
		s.dirty = append(s.dirty, id)
	}
}

// byModule tells whether a module does a tunnel's GRE.
func (s *tunnels) byModule(id fib.TunnelID) bool { return s.rules.module && s.module[id] }

// setModule changes of which tunnels it does.
func (s *tunnels) setModule(module map[fib.TunnelID]bool) {
	before := s.module
	for id, t := range s.of {
		if t.installed && before[id] != module[id] {
			s.unshare(t)
			s.module = module
			s.share(t)
			s.module = before
			s.dirty = append(s.dirty, id)
		}
	}
	s.module = module
	s.judge()
}

// judge decides anew about the tunnels that something has changed of.
func (s *tunnels) judge() {
	for _, id := range s.dirty {
		t := s.of[id]
		if t == nil {
			continue
		}
		if !t.installed && t.adjs == 0 {
			delete(s.of, id)
			continue
		}
		if v := s.verdict(t); v != t.verdict {
			t.verdict = v
			s.stale = s.stale || t.asked
		}
	}
	s.dirty = s.dirty[:0]
}

// verdict goes by the first value of the profile that speaks, of those that make packets as slow as any does.
func (s *tunnels) verdict(t *tunnel) verdict {
	v := verdict{protected: t.protected, cuts: t.protected && s.rules.prefragment && s.byModule(t.id)}
	for _, c := range []struct {
		is  bool
		way fib.Way
		key string
	}{
		{t.protected && s.rules.noModule, fib.ByProcess, "crypto.in_hw"},
		{t.hasKey && s.rules.key, fib.ByCEF, "gre.key_in_hw"},
		{t.options > 0 && s.rules.options, fib.ByCEF, "gre.options_in_hw"},
		{s.rules.sharing && s.sources[t.source].clash(), fib.ByCEF, "gre.unique_source"},
	} {
		if c.is && c.way > v.way {
			v.way, v.key = c.way, c.key
		}
	}
	return v
}

// priceTunnel prices what comes out of a tunnel.
func (s *tunnels) priceTunnel(f *fib.Tunnel) fib.Price {
	s.learn(f)
	s.judge()
	v := verdict{protected: f.Protected}
	if t := s.of[f.ID]; t != nil {
		t.asked = true
		v = t.verdict
	}
	return fib.Price{
		Cost: passes(s.rules.recirculation * s.rules.further), Way: v.way, Labelled: s.rules.greLabels, Crypto: v.protected && !s.rules.noModule,
	}
}

// forget is told that an adjacency goes.
func (s *tunnels) forget(id fib.AdjID) {
	a, ok := s.adjs[id]
	if !ok {
		return
	}
	delete(s.adjs, id)
	if a.software {
		s.software--
	}
	if t := s.of[a.tunnel]; t != nil {
		t.adjs--
		if a.options {
			t.options--
		}
		s.dirty = append(s.dirty, a.tunnel)
	}
}

// Flags of a GRE header's first byte (RFC 2784 section 2.1, RFC 2890 section 2).
const (
	greChecksum = 0x80
	greKey      = 0x20
	greSequence = 0x10
)

// keep learns an adjacency as it is installed.
func (s *tunnels) keep(f *fib.Adjacency) {
	a := adjacency{}
	if f.Kind == fib.AdjTunnel {
		a.tunnel = f.Tunnel
		a.options = len(f.Inner) > 0 && f.Inner[0]&(greChecksum|greSequence) != 0
	}
	old, ok := s.adjs[f.ID]
	if a.software = ok && old.software || !ok && s.size.Over(len(s.adjs)-s.software+1); s.leaving[f.ID] || ok && old == a {
		return
	}
	s.forget(f.ID)
	s.adjs[f.ID] = a
	if a.software {
		s.software++
	}
	if a.tunnel != 0 {
		t := s.tunnel(a.tunnel)
		t.adjs++
		if a.options {
			t.options++
		}
		s.dirty = append(s.dirty, a.tunnel)
	}
}

// priceAdjacency prices what leaves by an adjacency.
func (s *tunnels) priceAdjacency(f *fib.Adjacency) fib.Price {
	s.keep(f)
	s.judge()
	r := &s.rules
	pushed := 1.0 // passes
	if n := len(f.Labels) + len(f.OuterStack())/4; r.push.Over(n) {
		pushed += r.further
	}
	switch f.Kind {
	case fib.AdjLink:
		return s.placed(f.ID, fib.Price{Cost: passes(pushed), Labelled: r.labels, Fragment: fib.ByProcess})
	case fib.AdjTunnel:
		return s.placed(f.ID, s.priceEncapsulation(f, pushed))
	}
	return fib.Price{} // its packets leave by another one, or not
}

// placed is the price of an adjacency with regard to whether it found room.
func (s *tunnels) placed(id fib.AdjID, p fib.Price) fib.Price {
	if s.adjs[id].software {
		p.Way = max(p.Way, fib.ByCEF)
	}
	return p
}

func (s *tunnels) priceEncapsulation(f *fib.Adjacency, pushed float64) fib.Price {
	r := &s.rules
	v := verdict{}
	if t := s.of[f.Tunnel]; t != nil {
		t.asked = true
		v = t.verdict
	}
	sealed := v.protected || f.SA|f.AH != 0
	if sealed && r.noModule {
		v.way = fib.ByProcess
	}
	flags := byte(0)
	if len(f.Inner) > 0 {
		flags = f.Inner[0]
	}
	if flags&greKey != 0 && r.key || flags&(greChecksum|greSequence) != 0 && r.options {
		v.way = max(v.way, fib.ByCEF)
	}
	if len(f.OuterStack()) > 0 {
		v.way = max(v.way, r.labels)
	}
	price := fib.Price{
		Cost: passes(pushed + r.recirculation*r.further), Way: v.way, Labelled: r.greLabels, Fragment: fib.ByProcess, Crypto: sealed && !r.noModule,
		NoMulticast: sealed && r.noMulticast,
	}
	if v.cuts {
		price.Fragment = fib.ByHardware
	}
	return price
}

// switched lists the tunnels whose packets are the route processor's.
func (s *tunnels) switched() []Switched {
	var out []Switched
	labels := "mpls.over_gre"
	if s.rules.labels != fib.ByHardware {
		labels = "mpls.hw"
	}
	for id, t := range s.of {
		switch {
		case !t.installed:
		case t.verdict.way != fib.ByHardware:
			out = append(out, Switched{Tunnel: id, Way: t.verdict.way, Key: t.verdict.key})
		case t.mpls && s.rules.greLabels != fib.ByHardware:
			out = append(out, Switched{Tunnel: id, Labelled: true, Way: s.rules.greLabels, Key: labels})
		}
	}
	slices.SortFunc(out, func(a, b Switched) int { return int(a.Tunnel) - int(b.Tunnel) })
	return out
}
