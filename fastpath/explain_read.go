package fastpath

import (
	"net/netip"
	"slices"
	"sync/atomic"

	"nave/fastpath/fib"
	"nave/fastpath/internal/flow"
	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
)

// explain sends the packet, and reads off what became of it.
func (t *trial) explain(q *Question) (x Explanation, err error) {
	t.orig = slices.Clone(q.Packet)
	p, err := t.run(q)
	if err != nil {
		return x, err
	}
	ip := t.orig
	x.Src, x.Dst, x.Proto, x.Length = wordAddr(ip.Src()), wordAddr(ip.Dst()), ip.Proto(), len(ip)
	x.TTL, x.TOS, x.DF = ip.TTL(), ip.TOS(), ip.DF()
	x.Ports = [2]uint16{uint16(ip.Ports() >> 16), uint16(ip.Ports())}
	t.origin(&x, q)
	t.outcome(&x)
	last := t.lookups(&x, q, &p)
	t.ways(&x, &p, last)
	t.budgets(&x)
	return x, nil
}

// origin says where it came from.
func (t *trial) origin(x *Explanation, q *Question) {
	x.From = q.From
	switch {
	case q.From.Own:
		x.From.Peer, x.From.PeerPort = netip.Addr{}, 0
		if in := t.w.t.Port(uint32(q.From.Port)); in != nil && q.From.Tunnel == 0 {
			x.From.VRF = fib.VRF(in.VRF) // as the worker takes it
		}
	case q.From.Tunnel != 0:
		tun := t.w.t.Tunnel(uint32(q.From.Tunnel))
		x.From.VRF = fib.VRF(tun.VRF)
		if tun.Remote != 0 {
			x.From.Peer = wordAddr(tun.Remote)
		}
		if t.in != nil {
			x.From.SA = fib.SAID(t.in.ID) // of any peer, where none was said
		}
	default:
		x.From.VRF = fib.VRF(t.w.t.Port(uint32(q.From.Port)).VRF)
	}
}

// outcome is what the counters say.
func (t *trial) outcome(x *Explanation) {
	words := t.w.c.words
	if words[cntForwarded] > 0 {
		x.Fate = Forwarded
	}
	for r := range Reason(NumReasons) {
		n, lost := words[cntReasons+int(r)], words[cntLost+int(r)]
		switch {
		case n+lost == 0 || r.Class() == ClassLink:
		case r.Class() == ClassCopy:
			if n > 0 {
				x.Told = append(x.Told, r)
			}
		case x.Fate != Forwarded:
			x.Reason, x.Fate, x.Lost = r, Dropped, lost > 0
			if r.Class() == ClassPunt {
				x.Fate = Punted
			}
		}
	}
	var u Punt
	for w := t.w; w.punts.Peek() != nil; w.punts.Release() {
		if u.decode(w.punts.Peek()) && u.Reason == FragNeeded {
			x.MTU = u.MTU
		}
	}
}

// routed is where a packet goes by what was looked up last.
type routed struct {
	id    uint32 // the adjacency, or a special one, or 0
	group uint32
	many  bool // by a group
}

// lookups follows labels and routes, as far as the packet came.
func (t *trial) lookups(x *Explanation, q *Question, p *pkt) (last routed) {
	vrf := uint16(x.From.VRF)
	if len(q.Labels) > 0 {
		var routes bool
		if last.id, vrf, routes = t.labels(x, q, vrf); !routes {
			return t.follow(x, p, last.id)
		}
	}
	dst := t.orig.Dst()
	switch {
	case p.ip == nil || !x.came():
		return last
	case dst>>28 == 14 || dst == allOnes:
		return t.multicast(x, p, len(q.Labels) > 0)
	}
	r, id := t.look(vrf, fib.VRF(vrf))
	x.Looks = append(x.Looks, r)
	x.Flow = t.flow(vrf)
	if x.Reason == IPOff && x.Fate == Dropped {
		return last
	}
	return t.follow(x, p, id)
}

// came tells whether the packet came so far as to be looked up.
func (x *Explanation) came() bool {
	if x.Fate != Dropped {
		return true
	}
	switch x.Reason {
	case MartianSource, MartianDestination, MulticastFromPort, MulticastTTL, ECN, ClearOnProtected, SAWrongTunnel, GRENoTunnel, InjectBad:
		return false
	}
	return x.Reason >= MartianSource // before that are faults of frames and headers
}

// labels follows the labels that the packet came with: to an adjacency, or to the routes of a VRF.
func (t *trial) labels(x *Explanation, q *Question, in uint16) (id uint32, vrf uint16, routes bool) {
	b := append(labelStack(q), q.Packet...)
	for i, label := range q.Labels {
		l := t.w.t.Label(label)
		u := LabelUse{Label: label, Known: l != 0, Action: l.Action(), VRF: fib.VRF(l.VRF()), Software: l.Place() == fib.PlaceSoftware}
		if l != 0 && l.Action() != fib.LabelLookup {
			for _, id := range t.w.t.Members(l.Hop()) {
				u.Paths = append(u.Paths, fib.AdjID(id))
			}
		}
		if x.Reason == MPLSOff && x.Fate == Dropped {
			return 0, in, false // nobody looks at it
		}
		x.Labels = append(x.Labels, u)
		last := i == len(q.Labels)-1
		switch {
		case l == 0 && label != fib.ExplicitNull:
			return 0, in, false
		case l.Action() == fib.LabelSwap, l.Action() == fib.LabelForward && last:
			p := pkt{chunk: b}
			return t.w.labelPath(&p, l.Hop(), len(b)), in, false
		case last && label == fib.ExplicitNull:
			return 0, in, true
		case last:
			return 0, l.VRF(), true
		}
	}
	return 0, in, false
}

// look looks a destination up, as the worker has.
func (t *trial) look(vrf uint16, as fib.VRF) (RouteUse, uint32) {
	tables, dst := t.w.t, t.orig.Dst()
	r := RouteUse{VRF: as}
	plen, ok := tables.Longest(vrf, dst)
	if !ok {
		return r, 0
	}
	r.Found, r.Prefix = true, netip.PrefixFrom(wordAddr(dst), plen).Masked()
	for _, id := range tables.Members(tables.Lookup(vrf, dst)) {
		r.Paths = append(r.Paths, fib.AdjID(id))
	}
	p := pkt{vrf: vrf, ip: t.orig}
	id := t.w.routePath(&p, dst)
	r.Chosen, r.Software = fib.AdjID(id&^table.Software), id&table.Software != 0
	return r, id
}

// follow goes on where an adjacency leads into another VRF.
func (t *trial) follow(x *Explanation, p *pkt, id uint32) routed {
	id &^= table.Software
	a := t.w.t.Adj(id)
	if a == nil || a.Kind != fib.AdjLookup {
		return routed{id: id}
	}
	w := t.way(id, a)
	if !p.leaks {
		return routed{id: id} // it was dropped before
	}
	r, next := t.look(a.VRF, w.VRF)
	x.Looks = append(x.Looks, r)
	return routed{id: next &^ table.Software}
}

// multicast is the group that a packet is copied to.
func (t *trial) multicast(x *Explanation, p *pkt, labelled bool) (last routed) {
	switch {
	case labelled || x.Fate == Punted: // a link-local group, which is the host's
		return last
	case x.From.Own:
		last.many = true
		if tun := t.w.t.Tunnel(uint32(x.From.Tunnel)); tun != nil && x.From.Tunnel != 0 {
			last.group = tun.Group
		} else if in := t.w.t.Port(uint32(x.From.Port)); in != nil {
			last.group = in.Group
		}
	case p.tunnel != nil:
		last.group, last.many = p.tunnel.Group, true
	}
	return last
}

// flow is what workers remember of the packet's flow.
func (t *trial) flow(vrf uint16) (u FlowUse) {
	if t.x.cfg.FlowCache == 0 {
		return u
	}
	for i := range t.e.workers {
		table, err := t.x.openFlows(i)
		if err != nil || table == nil {
			continue
		}
		if at := findFlow(table, flowKey(vrf, t.orig)); at != 0 {
			_, ok := table.Adj(at, t.w.t.RouteGeneration())
			return FlowUse{Known: true, Worker: i, Stale: !ok}
		}
	}
	return u
}

func findFlow(t *flow.Table, k flow.Key) uint32 { return t.Find(k, t.Hash(k)) }

// ways are the adjacencies that the packet has left by, or was to.
func (t *trial) ways(x *Explanation, p *pkt, last routed) {
	if last.many {
		t.members(x, p, last.group)
		return
	}
	a := t.w.t.Adj(last.id)
	if a == nil || last.id < uint32(fib.FirstAdj) {
		return
	}
	w := t.way(last.id, a)
	n := t.w.c.adjs[2*int(last.id)]
	w.Left, w.Frames = n > 0, t.out
	if !w.Left && x.Fate == Dropped {
		w.Reason = x.Reason
	}
	x.Cut = x.Fate == Forwarded && len(t.out) > 1
	if in, out := p.mss, a.MSS; t.orig.Proto() == packet.ProtoTCP {
		x.MSS = max(in, out)
		if in != 0 && out != 0 {
			x.MSS = min(in, out)
		}
	}
	x.Ways = append(x.Ways, w)
}

// members are the ways of a group. One that no copy has left by is asked once more, by itself, for the reason.
func (t *trial) members(x *Explanation, p *pkt, group uint32) {
	list := t.w.t.Group(group)
	x.Group, x.Members = fib.GroupID(group), len(list)
	for _, id := range list[:min(len(list), MostWays)] {
		a := t.w.t.Adj(id)
		if a == nil {
			continue
		}
		w := t.way(id, a)
		w.Left = t.w.c.adjs[2*int(id)] > 0
		back := p.outerSrc != 0 && a.OuterDst() == p.outerSrc && a.OuterPort() == p.outerPort
		if !w.Left && !back && (a.Kind == fib.AdjTunnel || a.Kind == fib.AdjLink) {
			again := *p
			t.w.copyTo(&again, a, id)
			w.Reason = t.w.child.reason
		}
		x.Ways = append(x.Ways, w)
	}
}

// way is what an adjacency does.
func (t *trial) way(id uint32, a *table.Adj) Way {
	w := Way{
		Adj: fib.AdjID(id), Kind: a.Kind, Port: fib.PortID(a.Out()), Tunnel: fib.TunnelID(a.Tunnel), VRF: fib.VRF(a.VRF), MTU: int(a.MTU), Limit: int(a.Limit), LinkMTU: int(a.LinkMTU),
		Inner: int(a.InnerLen), Outer: int(a.OuterLen) - int(a.LinkLen), MSS: a.MSS, Network: a.Network,
		MustSeal: a.Flags&table.AdjMustSeal != 0, CopyDF: a.Flags&table.AdjCopyDF != 0, Resolve: a.Flags&table.AdjResolve != 0,
	}
	if a.Kind == fib.AdjLink {
		w.Outer = 0
	}
	if a.NextHop != 0 {
		w.NextHop = wordAddr(a.NextHop)
	}
	if dst := a.OuterDst(); dst != 0 {
		w.Peer, w.PeerPort = wordAddr(dst), a.OuterPort()
	}
	for _, l := range a.Pushes() {
		if l <= fib.LastLabel {
			w.Labels = append(w.Labels, l)
		}
	}
	if a.Kind == fib.AdjTunnel {
		var g packet.GRE
		if g.Parse(a.Inner[fib.MaxInner-int(a.InnerLen):]) == packet.OK {
			w.HasKey, w.Key = g.HasKey, g.Key
		}
		w.Outside = a.OuterLabels()
	}
	for _, s := range []struct {
		id uint32
		ah bool
	}{{a.SA, false}, {a.AH, true}} {
		if s.id != 0 {
			w.Seals = append(w.Seals, t.seal(s.id, s.ah))
		}
	}
	return w
}

// seal is what an association does.
func (t *trial) seal(id uint32, ah bool) SealUse {
	u := SealUse{ID: fib.SAID(id), AH: ah}
	s := t.w.t.SA(id)
	if s == nil {
		return u
	}
	f := t.w.t.SAEntry(s)
	return SealUse{
		ID: f.ID, Installed: true, AH: f.AH, SPI: f.SPI, Cipher: f.Cipher, KeyLen: len(f.CipherKey) - saltOf(f.Cipher), Auth: f.Auth, IV: int(s.IV), ICV: int(s.ICV), Align: int(s.Align),
		TunnelMode: f.TunnelMode, Encap: f.Encap, ESN: f.ESN, Local: f.Local, Remote: f.Remote, RemotePort: f.RemotePort,
		Bytes: s.Bytes.Load(), Soft: f.SoftBytes, Hard: f.HardBytes, Packets: countSA(s).Packets, Expires: f.Expires,
	}
}

// saltOf is how many bytes of a cipher's key are a salt or nonce.
func saltOf(c fib.Cipher) int {
	switch c {
	case fib.CipherAESCTR, fib.CipherAESGCM, fib.CipherAESGMAC, fib.CipherChaCha20Poly1305:
		return 4
	}
	return 0
}

// overBudget is which budget had too little, for a reason to drop.
var overBudget = map[Reason]fib.Budget{
	EngineOver: fib.Engine, CryptoOver: fib.Crypto, CEFOver: fib.CEF, ProcessOver: fib.Process, ExceptionOver: fib.Exception, MTUOver: fib.LimitMTU,
}

// budgets are what was taken of each, and which had too little.
func (t *trial) budgets(x *Explanation) {
	if !t.w.metered {
		return
	}
	over, refused := overBudget[x.Reason]
	refused = refused && x.Fate == Dropped
	if x.Lost && x.Fate == Punted && puntBudgets[x.Reason] != fib.Engine {
		over, refused = puntBudgets[x.Reason], true
		if t.w.c.words[cntSpent+int(over)] > 0 {
			over = fib.Process // that one had enough
		}
	}
	for b := range fib.Budget(fib.NumBudgets) {
		u := BudgetUse{Budget: b, Units: t.w.c.words[cntSpent+int(b)], Refused: refused && b == over}
		if u.Units == 0 && !u.Refused {
			continue
		}
		m := budgetWords(t.w.credit, b)
		u.Rate, u.Burst, u.Level = atomic.LoadUint64(&m[creditRate]), atomic.LoadUint64(&m[creditBurst]), int64(atomic.LoadUint64(&m[creditLevel]))
		x.Spent = append(x.Spent, u)
	}
}
