package slowpath

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/eigrp"
	"nave/slowpath/rib"
	"nave/slowpath/trace"
)

// eigrpTables is what the Router knows of EIGRP, beside the RIB.
type eigrpTables struct {
	seed      uint64
	processes []*process // in the order of VRF and AS
	links     map[string]link
	vpn       map[fib.RouteKey][]uint64 // EIGRP's communities of routes of BGP
	bgpAS     uint32
	ibgp      bool        // routes of iBGP of the global table are redistributed
	settled   bool        // BGP has told all that it knows after its start
	outbox    []sendEIGRP // until the routes are installed
	// stale are routes that are to be looked at again for redistribution, though the RIB has them as they were; anew: all are.
	stale map[fib.RouteKey]struct{}
	anew  bool
}

// process is one process of EIGRP.
type process struct {
	cfg     EIGRP
	vrf     string // its name; "": the global table
	machine *eigrp.Machine
	links   map[string]eigrp.InterfaceState // as it was told
	runs    map[string][]netip.Prefix       // the interfaces that it runs on, with the subnets that it tells of; nil: all of them
	taken   map[netip.Prefix]taken          // what is redistributed into it
	count   []int                           // of taken, by the source
	anew    bool
}

// link is an interface as EIGRP sees it.
type link struct {
	vrf   fib.VRF
	state eigrp.InterfaceState
}

type sendEIGRP struct {
	vrf fib.VRF
	s   eigrp.Send
}

// EIGRPLog is an event: what a process of EIGRP says.
type EIGRPLog struct {
	VRF  string // "": the global table
	AS   uint16
	Name string // of named mode
	eigrp.Log
}

func newEIGRP(seed uint64) eigrpTables {
	return eigrpTables{seed: seed, links: make(map[string]link), vpn: make(map[fib.RouteKey][]uint64), stale: make(map[fib.RouteKey]struct{})}
}

func (k EIGRPKey) compare(o EIGRPKey) int {
	return cmp.Or(cmp.Compare(k.VRF, o.VRF), cmp.Compare(k.AS, o.AS))
}

// find is a process, and where it is or would be.
func (g *eigrpTables) find(k EIGRPKey) (at int, p *process) {
	at, ok := slices.BinarySearchFunc(g.processes, k, func(p *process, k EIGRPKey) int { return p.cfg.Key.compare(k) })
	if ok {
		p = g.processes[at]
	}
	return at, p
}

// of are the processes of a table.
func (g *eigrpTables) of(vrf fib.VRF) []*process {
	from, _ := g.find(EIGRPKey{VRF: vrf})
	to := from
	for to < len(g.processes) && g.processes[to].cfg.Key.VRF == vrf {
		to++
	}
	return g.processes[from:to]
}

// configureEIGRP has the processes of c run. One that is there no more says goodbye.
func (r *Router) configureEIGRP(c *Config) {
	g := &r.eigrp
	g.bgpAS = c.BGP.Speaker.AS
	anew := g.follow(c.Interfaces)
	anew, g.ibgp = anew || g.ibgp != c.BGP.Internal, c.BGP.Internal
	want := make(map[EIGRPKey]bool)
	for k := range c.EIGRP {
		want[c.EIGRP[k].Key] = true
	}
	for _, p := range slices.Clone(g.processes) {
		if !want[p.cfg.Key] {
			r.dropProcess(p)
			anew = true
		}
	}
	for k := range c.EIGRP {
		e := &c.EIGRP[k]
		at, p := g.find(e.Key)
		if p == nil {
			p = &process{
				machine: eigrp.NewSeeded(g.seedOf(e.Key)), links: make(map[string]eigrp.InterfaceState), taken: make(map[netip.Prefix]taken),
			}
			g.processes = slices.Insert(g.processes, at, p)
		}
		if r.runProcess(p, e) { // others may redistribute what it does
			anew = true
		}
	}
	for _, p := range g.processes {
		p.anew = len(p.taken)+len(p.cfg.Redistribute) > 0 && (anew || p.anew)
		g.anew = g.anew || p.anew
	}
}

// seedOf is a process's own, so that what is random in one is not so in all.
func (g *eigrpTables) seedOf(k EIGRPKey) uint64 {
	return g.seed ^ bits.RotateLeft64((uint64(k.VRF)<<16|uint64(k.AS))*0x9e3779b97f4a7c15, 17)
}

// follow notes what interfaces are like; it returns whether anything is not as it was.
func (g *eigrpTables) follow(all []Interface) (changed bool) {
	next := make(map[string]link, len(all))
	for k := range all {
		i := &all[k]
		l := link{i.VRF, eigrp.InterfaceState{Name: i.Name, Up: i.Up, Unnumbered: i.Unnumbered, Bandwidth: i.Bandwidth, Delay: i.Delay, MTU: int(i.MTU)}}
		for _, a := range i.Addrs {
			if a.Addr().Is4() {
				l.state.Addrs = append(l.state.Addrs, a)
			}
		}
		next[i.Name] = l
		old, ok := g.links[i.Name]
		changed = changed || !ok || old.vrf != l.vrf || !sameState(&old.state, &l.state)
	}
	changed = changed || len(next) != len(g.links)
	g.links = next
	return changed
}

func sameState(a, b *eigrp.InterfaceState) bool {
	return a.Up == b.Up && a.Unnumbered == b.Unnumbered && a.Bandwidth == b.Bandwidth && a.Delay == b.Delay && a.MTU == b.MTU && slices.Equal(a.Addrs, b.Addrs)
}

// runProcess has a process run by e, and tells it what the interfaces of its table are like. What is as it was, it does not hear of. It returns whether it runs by something else now.
func (r *Router) runProcess(p *process, e *EIGRP) (changed bool) {
	old := p.cfg
	p.cfg, p.vrf = *e, r.vrfs[e.Key.VRF]
	p.runs = make(map[string][]netip.Prefix, len(e.Run.Interfaces))
	for k := range e.Run.Interfaces {
		p.runs[e.Run.Interfaces[k].Name] = e.Run.Interfaces[k].Subnets
	}
	for _, name := range sortedNames(p.links) { // what left says goodbye with the configuration that it had
		if l, ok := r.eigrp.links[name]; !ok || l.vrf != e.Key.VRF {
			delete(p.links, name)
			r.tellEIGRP(p, eigrp.InterfaceState{Name: name})
		}
	}
	if !sameRun(&old, e) {
		run := e.Run
		if r.takeover != nil { // of no meaning but at the first Configure of a machine
			run.Restarting = true
			run.Awaiting = r.border.on && !r.eigrp.settled && slices.ContainsFunc(e.Redistribute, func(s EIGRPSource) bool { return s.Source == rib.BGP })
			run.Inherited = func(p netip.Prefix) []netip.Addr { return r.rib.InheritedHops(fib.RouteKey{VRF: e.Key.VRF, Prefix: p}) }
		}
		r.carryOutEIGRP(p, p.machine.Configure(r.now, run))
		changed = true
	}
	for _, name := range sortedNames(r.eigrp.links) {
		l := r.eigrp.links[name]
		if l.vrf != e.Key.VRF {
			continue
		}
		if known, ok := p.links[name]; !ok || !sameState(&known, &l.state) {
			p.links[name] = l.state
			r.tellEIGRP(p, l.state)
		}
	}
	p.anew = !sameSources(&old, e)
	return changed
}

// sameRun tells whether two configurations have a process do the same. Functions are the same where Policy says so.
func sameRun(a, b *EIGRP) bool {
	if a.Policy == "" || a.Policy != b.Policy {
		return a.Policy == b.Policy && reflect.DeepEqual(a.Run, b.Run) // functions are never equal
	}
	return reflect.DeepEqual(withoutFunctions(a.Run), withoutFunctions(b.Run))
}

func withoutFunctions(c eigrp.Config) eigrp.Config {
	c.In, c.Out, c.Stub.Leak = nil, nil, nil
	c.Interfaces = slices.Clone(c.Interfaces)
	for i := range c.Interfaces {
		s := slices.Clone(c.Interfaces[i].Summaries)
		for k := range s {
			s[k].Leak = nil
		}
		c.Interfaces[i].Summaries = s
	}
	return c
}

// sameSources tells whether the same is redistributed.
func sameSources(a, b *EIGRP) bool {
	return a.Policy == b.Policy && slices.EqualFunc(a.Redistribute, b.Redistribute, func(x, y EIGRPSource) bool {
		return x.Source == y.Source && x.Process == y.Process && x.Set == y.Set && (x.Permit == nil) == (y.Permit == nil) && (x.Permit == nil || a.Policy != "")
	})
}

// settleEIGRP has processes that restart wait no more for what BGP knows.
func (r *Router) settleEIGRP() {
	r.eigrp.settled = true
	if r.takeover == nil {
		return
	}
	for _, p := range r.eigrp.processes {
		r.tellEIGRP(p, eigrp.Complete{})
	}
}

// dropProcess ends a process.
func (r *Router) dropProcess(p *process) {
	r.tellEIGRP(p, eigrp.Shutdown{})
	if at, is := r.eigrp.find(p.cfg.Key); is == p {
		r.eigrp.processes = slices.Delete(r.eigrp.processes, at, at+1)
	}
}

// EIGRP takes a packet of IP protocol 88 that came to an address of this router or to the group, by an interface of the VRF. The AS in it says which process it is for.
func (r *Router) EIGRP(vrf fib.VRF, p eigrp.PacketReceived) {
	const header, atAS = 20, 18 // RFC 7868 section 6.5
	if len(p.Payload) < header {
		r.stats.EIGRPMalformed++
		return
	}
	if r.debug.topics&trace.EIGRP != 0 {
		r.tellEIGRPPacket(EIGRPTrace{Iface: p.Iface, Peer: p.From, Payload: p.Payload})
	}
	_, of := r.eigrp.find(EIGRPKey{vrf, binary.BigEndian.Uint16(p.Payload[atAS:])})
	if l, ok := r.eigrp.links[p.Iface]; of == nil || !ok || l.vrf != vrf {
		r.stats.EIGRPForNobody++
		return
	}
	_ = r.step(func() { r.tellEIGRP(of, p) }) // an error stands in Status
}

// ShutDownEIGRP has all processes say goodbye. It is the last that the Router does: the routes stay in the fast path as they are.
func (r *Router) ShutDownEIGRP() {
	_ = r.step(func() {
		for _, p := range r.eigrp.processes {
			for _, e := range p.machine.Handle(r.now, eigrp.Shutdown{}) {
				switch e.(type) {
				case eigrp.Send, eigrp.Log:
					r.carryOutEIGRP(p, []eigrp.Effect{e})
				}
			}
		}
		r.eigrp.processes = nil
	})
}

// QuitEIGRP says goodbye on the interfaces that c, which is about to be configured, has down or elsewhere: afterwards nothing leaves by them. It tells whether anybody was there to
// hear it.
func (r *Router) QuitEIGRP(c *Config) (heard bool) {
	stays := make(map[string]link, len(c.Interfaces))
	for k := range c.Interfaces {
		if i := &c.Interfaces[k]; i.Up {
			stays[i.Name] = link{vrf: i.VRF}
		}
	}
	_ = r.step(func() {
		for _, p := range r.eigrp.processes {
			for _, i := range p.machine.Interfaces() {
				if l, ok := stays[i.Name]; i.Neighbors == 0 || ok && l.vrf == p.cfg.Key.VRF {
					continue
				}
				heard = true
				delete(p.links, i.Name) // so that the machine hears what becomes of it
				r.tellEIGRP(p, eigrp.Leave{Iface: i.Name})
			}
		}
	})
	return heard
}

// ClearEIGRP ends neighbors of a process, which begin anew.
func (r *Router) ClearEIGRP(k EIGRPKey, c eigrp.Clear) {
	if _, p := r.eigrp.find(k); p != nil {
		_ = r.step(func() { r.tellEIGRP(p, c) })
	}
}

func (r *Router) tellEIGRP(p *process, ev eigrp.Event) {
	r.carryOutEIGRP(p, p.machine.Handle(r.now, ev))
}

// carryOutEIGRP does what a process wants done. Its packets wait until the routes that they tell of are installed.
func (r *Router) carryOutEIGRP(p *process, effects []eigrp.Effect) {
	k := p.cfg.Key
	for _, e := range effects {
		switch e := e.(type) {
		case eigrp.Send:
			r.eigrp.outbox = append(r.eigrp.outbox, sendEIGRP{k.VRF, e})
		case eigrp.Route:
			r.rib.SetRoute(k.VRF, e.Prefix, learnedEIGRP(k.AS, &e, r.now))
		case eigrp.RouteGone:
			r.rib.DelRoute(k.VRF, e.Prefix, rib.EIGRP, uint32(k.AS))
		case eigrp.Log:
			r.logEIGRP(p, e)
		}
	}
}

// learnedEIGRP is a route of EIGRP as the RIB has it.
func learnedEIGRP(as uint16, e *eigrp.Route, now time.Time) rib.Learned {
	l := rib.Learned{
		Source: rib.EIGRP, Process: uint32(as), Distance: int(e.Distance), Metric: e.Metric, Tag: e.Tag, Discard: e.Kind == eigrp.Discard, External: e.Kind == eigrp.External,
		Hops: make([]rib.NextHop, 0, len(e.Hops)), Since: now,
	}
	equal := !slices.ContainsFunc(e.Hops, func(h eigrp.Hop) bool { return h.Share != e.Hops[0].Share })
	for _, h := range e.Hops {
		n := rib.NextHop{Iface: h.Iface, Addr: h.Addr}
		if !equal {
			n.Share = uint8(min(max(h.Share, 1), 255))
		}
		l.Hops = append(l.Hops, n)
	}
	return l
}

func (r *Router) logEIGRP(p *process, l eigrp.Log) {
	change := l.Kind == eigrp.LogNeighborUp || l.Kind == eigrp.LogNeighborDown || l.Kind == eigrp.LogNeighborResync
	if change && p.cfg.Quiet || !change && p.cfg.NoWarnings {
		return
	}
	r.linux.Log(EIGRPLog{VRF: p.vrf, AS: p.cfg.Key.AS, Name: p.cfg.Name, Log: l})
}

// tickEIGRP does what is due.
func (r *Router) tickEIGRP() {
	for _, p := range r.eigrp.processes {
		if d := p.machine.Deadline(); !d.IsZero() && !d.After(r.now) {
			r.tellEIGRP(p, eigrp.Tick{})
		}
	}
}

func (g *eigrpTables) deadline() (d time.Time) {
	for _, p := range g.processes {
		if t := p.machine.Deadline(); !t.IsZero() && (d.IsZero() || t.Before(d)) {
			d = t
		}
	}
	return d
}

// sendEIGRP sends what waits for the routes to be installed.
func (r *Router) sendEIGRP() {
	out := r.eigrp.outbox
	r.eigrp.outbox = nil
	for i := range out {
		if s := &out[i].s; r.debug.topics&trace.EIGRP != 0 {
			r.tellEIGRPPacket(EIGRPTrace{Iface: s.Iface, Sent: true, Peer: s.To, Payload: s.Payload})
		}
		r.linux.EIGRP(out[i].vrf, out[i].s)
	}
}
