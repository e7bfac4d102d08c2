package fastpath

import (
	"encoding/binary"
	"sync/atomic"

	"nave/fastpath/fib"
	"nave/fastpath/internal/ring"
	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// tap is a worker's part in a capture. Everything here is called while Worker.tapped is set, only.
type tap struct {
	words []uint64 // of the request, in the arena
	seen  uint64   // generation that the rest is of
	asked bool     // for copies, until some time
	out   *ring.Records

	points          CapturePoint
	port, sub, vlan uint16
	tunnel          uint16
	reason          Reason
	snaplen         int
	left            uint64 // copies that this worker may still make
	filter          []CaptureStep
	steps           [MaxCaptureSteps]CaptureStep
	view            captureView
	rec             record
	stack           [fib.MaxLabels * packet.LabelLen]byte // labels that are pushed

	// Before each frame of a burst that leaves: where the ring and the count were, should the port not take it.
	marks [maxBurst]struct{ at, left uint64 }
}

// record is what is said of a copy.
type record struct {
	point          CapturePoint
	reason, cause  Reason
	flags          byte
	port, tunnel   uint16
	vrf, proto     uint16
	peer           uint32
	front, payload []byte
	more           int // bytes behind payload that are not shown
}

// Flags of a record.
const (
	recOpened = 1 << iota
	recLost
)

// checkTap looks whether a capture begins or ends. Once a poll.
func (w *Worker) checkTap() {
	if g := atomic.LoadUint64(&w.tap.words[capGeneration]); g != w.tap.seen || w.tap.asked {
		w.followTap(g)
	}
}

// setTapped begins to capture, or ends it. What leaves takes the way aside then, what comes in is looked at by spread, and vectors by lookAhead: none of them asks w.tapped on
// the way of most packets, so that a capture costs them nothing while there is none.
func (w *Worker) setTapped(on bool) {
	w.far = w.far || on // in this poll
	if on == w.tapped {
		return
	}
	w.tapped, w.byID = on, w.ports
	if on {
		w.byID = nil
	}
	for _, q := range w.queues {
		q.spread = q.shared || on
	}
}

// encapsulateTapped is encapsulate for a packet that is captured before it goes into a tunnel.
func (w *Worker) encapsulateTapped(p *pkt, a *table.Adj, id uint32, n int, tos uint8, df bool) verdict {
	t := w.tap
	mark, left := t.out.Mark(), t.left
	if a.Kind == fib.AdjTunnel {
		w.tapTunnelOut(p, a, n)
	}
	w.byID = w.ports
	v := w.encapsulate(p, a, id, n, tos, df)
	w.byID = nil
	if v == drop || v == waits { // it does not go, or not yet; and nothing else was copied meanwhile
		t.out.Rewind(mark)
		t.left = left
	}
	return v
}

// followTap takes over a request. It allocates when the worker meets its first one, only.
//
//go:noinline
func (w *Worker) followTap(g uint64) {
	t := w.tap
	load := func(i int) uint64 { return atomic.LoadUint64(&t.words[i]) }
	if g == t.seen {
		w.setTapped(w.now < int64(load(capUntil)))
		return
	}
	w.setTapped(false)
	t.asked, t.seen = false, g
	points := CapturePoint(load(capPoints))
	if g&1 != 0 || points == 0 {
		return
	}
	iface, reason := load(capIface), load(capReason)
	t.points, t.reason = points, Reason(reason)
	t.port, t.sub, t.vlan, t.tunnel = uint16(iface), uint16(iface>>16), uint16(iface>>32), uint16(iface>>48)
	t.snaplen, t.left = int(min(load(capSnaplen), 1<<16)), load(capMost)
	if t.snaplen == 0 {
		t.snaplen = 1 << 16
	}
	if t.left == 0 {
		t.left = 1 << 62
	}
	t.filter = t.steps[:min(int(reason>>32), MaxCaptureSteps)]
	for i := range t.filter {
		t.filter[i] = captureStep(load(capSteps+2*i), load(capSteps+2*i+1))
	}
	until := int64(load(capUntil))
	if load(capGeneration) != g {
		return // it changed meanwhile: the next poll reads it again
	}
	if t.out == nil {
		m, err := ring.OpenRecords(w.e.captureMem(w.index))
		if err != nil {
			return // nobody made the ring: there is nobody to read it
		}
		t.out = m
	}
	t.asked = true
	w.setTapped(w.now < until)
}

// tapPublish shows who reads them what was copied in this poll.
//
//go:noinline
func (w *Worker) tapPublish() { w.tap.out.Publish() }

// put copies the packet that tap.rec is about.
func (w *Worker) put() {
	t := w.tap
	r := &t.rec
	if t.left == 0 {
		return
	}
	whole := len(r.front) + len(r.payload)
	n := min(whole, t.snaplen)
	whole += r.more
	b := t.out.Put(captureHeader + n)
	if b == nil {
		t.out.Lose()
		return
	}
	t.left-- // a copy that is lost is none: a burst that the ring has no room for does not end the capture
	le := binary.LittleEndian
	le.PutUint64(b, uint64(uint32(t.seen))|uint64(r.point)<<32|uint64(r.reason)<<40|uint64(r.cause)<<48|uint64(r.flags)<<56)
	le.PutUint64(b[8:], uint64(w.now))
	le.PutUint64(b[16:], uint64(r.port)|uint64(r.tunnel)<<16|uint64(r.vrf)<<32|uint64(r.proto)<<48)
	binary.BigEndian.PutUint32(b[24:], r.peer)
	le.PutUint32(b[28:], uint32(whole))
	le.PutUint64(b[32:], 0)
	b = b[captureHeader:]
	copy(b[copy(b, r.front):], r.payload)
}

// tapFrame copies a frame of a port, if it is asked for.
func (w *Worker) tapFrame(point CapturePoint, id fib.PortID, b []byte, reason Reason) {
	t := w.tap
	if t.tunnel != 0 || t.port != 0 && uint16(id) != t.port || reason != Unknown && t.reason != Unknown && t.reason != reason {
		return
	}
	t.view.frame(b)
	if t.vlan != 0 && t.view.vlan != t.vlan || !t.view.match(t.filter) {
		return
	}
	t.rec = record{point: point, reason: reason, port: uint16(id), payload: b}
	if rec := w.t.Port(uint32(id)); rec != nil {
		t.rec.vrf = rec.VRF
	}
	w.put()
}

// tapReceived copies frames that a port received.
//
//go:noinline
func (w *Worker) tapReceived(q *queue, fs []port.Frame) {
	if w.tap.points&CaptureRx == 0 {
		return
	}
	for _, f := range fs {
		w.tapFrame(CaptureRx, q.id, w.pool.Bytes(f), Unknown)
	}
}

// tapSending copies frames that are ready to leave, before their port has them. What another worker sends is copied there.
//
//go:noinline
func (w *Worker) tapSending(q *queue) {
	t := w.tap
	if t.points&CaptureTx == 0 || q.relayed {
		return
	}
	for i, f := range q.out[:q.n] {
		t.marks[i].at, t.marks[i].left = t.out.Mark(), t.left
		w.tapFrame(CaptureTx, q.id, w.pool.Bytes(f), Unknown)
	}
}

// tapRefused takes the copies of the frames back that the port did not take, from frame n on, which are dropped.
//
//go:noinline
func (w *Worker) tapRefused(q *queue, n int) {
	t := w.tap
	if t.points&CaptureTx != 0 && !q.relayed && n < q.n {
		t.out.Rewind(t.marks[n].at)
		t.left = t.marks[n].left
	}
	for _, f := range q.out[n:q.n] {
		w.tapLink(TxFull, q.id, w.pool.Bytes(f))
	}
}

// tapLink copies a frame that is lost between a worker and a link, or another worker.
//
//go:noinline
func (w *Worker) tapLink(r Reason, id fib.PortID, b []byte) {
	if w.tap.points&CaptureDrop != 0 {
		w.tapFrame(CaptureDrop, id, b, r)
	}
}

// tapVector copies what was dropped of a vector.
//
//go:noinline
func (w *Worker) tapVector(in *table.Port) {
	if in == nil {
		w.tapClean(nil, len(w.pkts)) // lookAhead did not
	}
	for i := range w.pkts {
		w.tapHeld(&w.pkts[i])
	}
}

// tapHeld copies a packet that was dropped, if it was, and gives its frame back.
//
//go:noinline
func (w *Worker) tapHeld(p *pkt) {
	if p.held {
		p.held = false
		w.tapEnd(CaptureDrop, p, p.reason, Unknown, false)
		w.release(p.frame)
	}
}

// tapClean makes packets of a vector say nothing of those that were there before, until they know better themselves.
//
//go:noinline
func (w *Worker) tapClean(in *table.Port, n int) {
	var id, vrf uint16
	if in != nil {
		id, vrf = in.ID, in.VRF
	}
	for i := range w.pkts[:n] {
		p := &w.pkts[i]
		p.port, p.vrf, p.tunnel, p.ip, p.start, p.top, p.sa, p.own, p.nested, p.within, p.end, p.spoiled = id, vrf, nil, nil, 0, 0, 0, false, false, 0, 0, 0
	}
}

// tapTunnelIn copies the n bytes at start that came out of p's tunnel.
//
//go:noinline
func (w *Worker) tapTunnelIn(p *pkt, proto uint16, start, n int) {
	t := w.tap
	b := p.chunk[start : start+n]
	p.ip, p.start = packet.IPv4(b), start
	p.within, p.end = proto, uint16(start+n)
	if t.points&CaptureTunnelIn == 0 || !w.onTunnel(p.tunnel.ID) {
		return
	}
	t.view = captureView{}
	t.view.payload(proto, b)
	if !t.view.match(t.filter) {
		return
	}
	t.rec = record{point: CaptureTunnelIn, port: p.port, tunnel: p.tunnel.ID, vrf: p.vrf, proto: proto, peer: p.outerSrc, payload: b}
	w.put()
}

func (w *Worker) onTunnel(id uint16) bool {
	return w.tap.port == 0 && (w.tap.tunnel == 0 || w.tap.tunnel == id)
}

// tapTunnelOut copies the n bytes at p.start that leave by a tunnel's adjacency, with the labels that will be pushed in front of them.
//
//go:noinline
func (w *Worker) tapTunnelOut(p *pkt, a *table.Adj, n int) {
	t := w.tap
	if t.points&CaptureTunnelOut == 0 || !w.onTunnel(a.Tunnel) {
		return
	}
	b := p.chunk[p.start : p.start+n]
	proto := uint16(packet.TypeIPv4)
	if p.gre != 0 {
		proto = p.gre
	}
	stack := t.stack[:]
	front := stack[len(stack)-packet.LabelLen*int(a.Labels):]
	if a.Labels != 0 {
		proto = packet.TypeMPLS
		pushLabels(stack, a, len(stack), p.lse)
	}
	t.view = captureView{}
	if a.Labels != 0 && p.lse&packet.LSEBottom != 0 {
		t.view.payload(packet.TypeIPv4, b) // the labels are not in front of it yet
	} else {
		t.view.payload(proto, b)
	}
	if !t.view.match(t.filter) {
		return
	}
	t.rec = record{point: CaptureTunnelOut, port: a.Port, tunnel: a.Tunnel, vrf: a.VRF, proto: proto, peer: a.OuterDst(), front: front, payload: b}
	w.put()
}

// tapEnd copies a packet that is dropped or punted, as it is now.
//
//go:noinline
func (w *Worker) tapEnd(point CapturePoint, p *pkt, r, cause Reason, lost bool) {
	t := w.tap
	if t.points&point == 0 || t.reason != Unknown && t.reason != r {
		return
	}
	proto, all := w.remains(p)
	b := p.unspoiled(proto, all)
	rec := record{point: point, reason: r, cause: cause, port: p.port, vrf: p.vrf, proto: proto, payload: b, more: len(all) - len(b)}
	if p.tunnel != nil {
		rec.tunnel, rec.peer = p.tunnel.ID, p.outerSrc
	}
	switch {
	case t.tunnel != 0 && rec.tunnel != t.tunnel:
		return
	case t.port != 0 && (rec.tunnel != 0 || rec.port != t.own()):
		return
	}
	if proto == 0 {
		t.view.frame(b)
		if p.sa != 0 {
			rec.flags |= recOpened
		}
	} else {
		t.view = captureView{}
		t.view.payload(proto, b)
	}
	if !t.view.match(t.filter) {
		return
	}
	if lost {
		rec.flags |= recLost
	}
	t.rec = rec
	w.put()
}

// ethernetIn is the GRE protocol of whole frames (RFC 1701): what the host sent by a subinterface.
const ethernetIn = 0x6558

// own is the port that is asked for, a subinterface where it is one.
func (t *tap) own() uint16 {
	if t.sub != 0 {
		return t.sub
	}
	return t.port
}

// remains is what can be shown of a packet: what came out of its tunnel; or its frame, with proto 0, if that is as it came but for what was decrypted; or the IPv4 packet or
// labels that it is otherwise.
func (w *Worker) remains(p *pkt) (proto uint16, b []byte) {
	start := p.start
	switch {
	case p.tunnel != nil && p.end != 0 && int(p.end) <= len(p.chunk):
		if p.top != 0 && p.top <= p.end {
			return packet.TypeMPLS, p.chunk[p.top:p.end]
		}
		return p.within, p.chunk[min(start, int(p.end)):p.end]
	case p.tunnel == nil && !p.nested && (p.ip == nil || p.port != 0 && start-int(p.frame.Start) >= packet.EthernetLen):
		return 0, w.pool.Bytes(p.frame)
	case p.gre != 0:
		return p.gre, p.ip
	case len(p.ip) > 0 && p.ip[0]>>4 != 4:
		return ethernetIn, p.ip
	case p.top != 0 && int(p.top) < start && start <= len(p.chunk):
		return packet.TypeMPLS, p.chunk[p.top:min(start+len(p.ip), len(p.chunk))]
	}
	return packet.TypeIPv4, p.ip
}
