package fastpath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"

	"nave/fastpath/fib"
	"nave/fastpath/internal/arena"
	"nave/fastpath/internal/ring"
	"nave/fastpath/internal/sa"
	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// trial is an engine and a worker that nobody else has anything of: the tables in a mapping of its own, rings, counters, frames and limits that are new.
type trial struct {
	e    *Engine // whose tables it reads
	x    *Engine
	w    *Worker
	mem  []byte
	out  []Frame
	orig packet.IPv4 // as it was asked about
	in   *table.SA   // that it comes out of
}

// trialFrames is how many frames there are at most: for a packet that is cut into as many fragments as can be, each of them cut again, and copies that wait in a queue.
const trialFrames = 2*maxFragments + maxBurst + 2

// Bytes that a packet may be lengthened by on its way, and by which labels may shorten an MTU, at most.
const (
	mostAround = fib.MaxInner + fib.MaxOuter + sealReach + 80
	mostLabels = fib.MaxLabels * packet.LabelLen
)

// framesFor is how many frames a packet can need: most are not cut into many fragments, and memory takes time.
func framesFor(q *Question) int {
	ip := packet.IPv4(q.Packet)
	if ip.Dst() >= 14<<28 || len(q.Labels) > 1 {
		return trialFrames
	}
	pieces := len(ip)/max(8, (minMTU-mostLabels-packet.LabelLen-ip.HeaderLen())&^7) + 1
	again := (len(ip)+pieces*(ip.HeaderLen()+mostAround))/((minMTU-packet.IPv4Len)&^7) + pieces
	return min(32+pieces+again, trialFrames)
}

// tryOut makes one, and holds up the writer until its end.
func (e *Engine) tryOut(now int64, frames int) (t *trial, err error) {
	chunk, err := e.chunk()
	if err != nil {
		return nil, err
	}
	t = &trial{e: e, mem: make([]byte, frames*chunk)} // before anybody waits for us
	e.mu.Lock()
	defer func() {
		if err != nil {
			e.mu.Unlock()
		}
	}()
	if e.closed {
		return nil, errNoWorker
	}
	a, err := e.holdApart()
	if err != nil {
		return nil, err
	}
	tables, err := table.Open(a)
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	t.x = &Engine{
		cfg: e.cfg, arena: a, tables: tables, start: e.start, ivs: e.ivs, transforms: make([]atomic.Pointer[sa.Transform], e.cfg.MaxSAs),
		late: lateTransforms{joined: true, next: -1},
	}
	t.x.block = a.U64(a.Engine(), len(e.block))
	t.x.openCredit(arena.Ref(e.block[blkCredit]))
	t.x.openHand(e.handRef)
	if t.w, err = t.x.newWorker(0); err == nil {
		err = t.equip(port.NewPool(t.mem, chunk))
	}
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	t.w.now = now
	return t, nil
}

var errNoWorker = errors.New("the engine has no worker, or is closed")

// chunk is how large a worker's frames are.
func (e *Engine) chunk() (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || len(e.workers) == 0 {
		return 0, errNoWorker
	}
	return e.ChunkSize(0), nil
}

// end takes it apart. The frames have held packets sealed by numbers that are still to be used: nothing of them stays.
func (t *trial) end() {
	for _, id := range t.x.late.made {
		t.x.transforms[id].Load().Clear()
	}
	_ = t.x.arena.Close() // there is nothing to do about it
	t.e.mu.Unlock()
	clear(t.mem)
}

// equip gives the worker what is its own.
func (t *trial) equip(pool *port.Pool) error {
	w, cfg := t.w, &t.x.cfg
	w.flowTable = nil // it remembers nothing
	if err := w.equip(pool); err != nil {
		return err
	}
	w.c = counters{
		words: make([]uint64, cntWords), ports: make([]uint64, linkWords*cfg.MaxPorts), tunnels: make([]uint64, linkWords*cfg.MaxTunnels), adjs: make([]uint64, 2*cfg.MaxAdjacencies),
	}
	for _, r := range []*ring.Ring{w.punts, w.down} { // what waits in them is another worker's
		for r.Peek() != nil {
			r.Release()
		}
	}
	for id := 1; id < cfg.MaxPorts; id++ {
		rec := w.t.Port(uint32(id))
		if rec == nil || rec.Parent != 0 {
			continue
		}
		if err := w.Attach(fib.PortID(id), &witness{t, fib.PortID(id)}); err != nil {
			return err
		}
	}
	return nil
}

// witness is a port that notes what leaves by it.
type witness struct {
	t  *trial
	id fib.PortID
}

func (o *witness) Recv([]port.Frame) int { return 0 }
func (o *witness) Flush()                {}
func (o *witness) FD() int               { return -1 }
func (o *witness) Close() error          { return nil }

func (o *witness) Send(fs []port.Frame) int {
	pool := o.t.w.pool
	for _, f := range fs {
		if len(o.t.out) < maxFragments {
			o.t.out = append(o.t.out, readFrame(o.id, pool.Bytes(f)))
		}
		pool.Put(f.Chunk)
	}
	return len(fs)
}

// readFrame reads what anybody can read.
func readFrame(id fib.PortID, b []byte) Frame {
	f := Frame{Port: id, DstMAC: [6]byte(b[0:6]), SrcMAC: [6]byte(b[6:12])}
	typ, b := binary.BigEndian.Uint16(b[12:]), b[packet.EthernetLen:]
	if typ == packet.TypeVLAN {
		f.VLAN = binary.BigEndian.Uint16(b) & packet.VLANID
		typ, b = binary.BigEndian.Uint16(b[2:]), b[packet.VLANLen:]
	}
	for bottom := false; typ == packet.TypeMPLS && !bottom && len(b) >= packet.LabelLen; b = b[packet.LabelLen:] {
		e := packet.GetLSE(b)
		f.Labels, bottom = append(f.Labels, e.Label()), e.Bottom()
	}
	f.Length = len(b)
	ip, fault := packet.ParseIPv4(b)
	if fault != packet.OK {
		return f
	}
	f.Length, f.Src, f.Dst, f.Proto, f.TTL, f.TOS, f.DF = len(ip), wordAddr(ip.Src()), wordAddr(ip.Dst()), ip.Proto(), ip.TTL(), ip.TOS(), ip.DF()
	f.Offset, f.More = int(ip.FlagsOffset()&packet.OffsetMask)*8, ip.FlagsOffset()&packet.FlagMF != 0
	p := ip.Payload()
	if f.Offset != 0 {
		return f
	}
	if f.Proto == packet.ProtoUDP && len(p) >= packet.UDPLen {
		f.SrcPort, f.DstPort = binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:])
		if f.DstPort == natPort || f.SrcPort == natPort {
			p = p[packet.UDPLen:]
		}
	}
	switch {
	case f.Proto == packet.ProtoAH && len(p) >= 8:
		f.SPI = binary.BigEndian.Uint32(p[4:])
	case (f.Proto == packet.ProtoESP || f.SrcPort == natPort || f.DstPort == natPort) && len(p) >= 4:
		f.SPI = binary.BigEndian.Uint32(p)
	}
	return f
}

// run sends the packet, and returns what the worker knew of it in the end.
func (t *trial) run(q *Question) (pkt, error) {
	w := t.w
	w.reader.Enter()
	w.refill()
	if q.From.Own {
		return t.sendOwn(q)
	}
	p := &w.pkts[0]
	v, err := t.receive(p, q)
	if err != nil {
		return pkt{}, err
	}
	was := *p
	was.ip = slices.Clone(p.ip)
	w.finish(p, v)
	t.settle()
	return was, nil
}

// settle sends what waits.
func (t *trial) settle() {
	w := t.w
	for {
		w.drainLane(1)
		if w.lane.n == 0 {
			break
		}
	}
	for _, q := range w.queues {
		if q.n > 0 {
			w.send(q)
		}
	}
	w.reader.Exit()
}

// sendOwn has the worker take the packet from its inject ring.
func (t *trial) sendOwn(q *Question) (pkt, error) {
	w := t.w
	in := Inject{Kind: InjectRoute, VRF: q.From.VRF, Port: q.From.Port, Tunnel: q.From.Tunnel, Packet: q.Packet}
	if len(q.Labels) > 0 {
		in.Kind, in.Packet = InjectLabelled, append(labelStack(q), q.Packet...)
	}
	if most := min(t.x.cfg.SlotSize-injectHeader, w.room); len(in.Packet) > most {
		return pkt{}, fmt.Errorf("%d bytes: %w (at most %d)", len(in.Packet), ErrTooLong, most)
	}
	in.encode(w.injects.Reserve())
	w.injects.Commit()
	w.drainInjects()
	was := w.pkt
	was.ip = slices.Clone(was.ip)
	t.settle()
	return was, nil
}

// labelStack is the label stack that a packet comes with.
func labelStack(q *Question) []byte {
	b := make([]byte, 0, len(q.Labels)*packet.LabelLen+len(q.Packet))
	ip := packet.IPv4(q.Packet)
	for i, l := range q.Labels {
		b = b[:len(b)+packet.LabelLen]
		packet.MakeLSE(l, ip.TOS()>>5, i == len(q.Labels)-1, ip.TTL()).Put(b[len(b)-packet.LabelLen:])
	}
	return b
}

// receive has the packet come in by a port, or out of a tunnel.
func (t *trial) receive(p *pkt, q *Question) (verdict, error) {
	if q.From.Tunnel != 0 {
		return t.outOfTunnel(p, q)
	}
	in := t.w.t.Port(uint32(q.From.Port))
	if in == nil {
		return drop, fmt.Errorf("port %d: %w", q.From.Port, ErrNoPort)
	}
	eth := make([]byte, packet.EthernetLen, packet.EthernetLen+packet.VLANLen)
	packet.PutEthernet(eth, packet.WordMAC(in.MAC), [6]byte{2}, packet.TypeIPv4)
	if in.Parent != 0 {
		packet.PutEthernet(eth, packet.WordMAC(in.MAC), [6]byte{2}, packet.TypeVLAN)
		eth = binary.BigEndian.AppendUint16(eth, in.VLAN)
		eth = binary.BigEndian.AppendUint16(eth, packet.TypeIPv4)
		in = t.w.t.Port(uint32(in.Parent))
	}
	stack := labelStack(q)
	if ip := packet.IPv4(q.Packet); len(stack) > 0 {
		binary.BigEndian.PutUint16(eth[len(eth)-2:], packet.TypeMPLS)
	} else if dst := ip.Dst(); dst>>28 == 14 { // as a sender of multicast makes it (RFC 1112 section 6.4)
		copy(eth, []byte{1, 0, 0x5e, byte(dst>>16) & 0x7f, byte(dst >> 8), byte(dst)})
	}
	if err := t.fill(p, port.Headroom, eth, stack, q.Packet); err != nil {
		return drop, err
	}
	return t.w.input(p, in), nil
}

// outOfTunnel has the packet come out of a tunnel: what was around its GRE header is off already, and authentic.
func (t *trial) outOfTunnel(p *pkt, q *Question) (verdict, error) {
	w := t.w
	tun := w.t.Tunnel(uint32(q.From.Tunnel))
	if tun == nil {
		return drop, fmt.Errorf("tunnel %d: %w", q.From.Tunnel, ErrNoTunnel)
	}
	peer := tun.Remote
	if peer == 0 && q.From.Peer.Is4() {
		peer = addrWordOf(q.From.Peer)
	}
	h := tunnelHeader{src: peer, dst: tun.Local}
	if tun.Flags&table.TunnelProtected != 0 {
		if t.in = w.t.InboundSA(tun.OuterVRF, tun.Local, peer, tun.Protection); t.in != nil {
			h.sa = t.in
			h.src, _ = t.in.Remote()
		}
	}
	gre := make([]byte, 8)
	n := packet.PutGRE(gre, packet.TypeIPv4, tun.Key, tun.Flags&table.TunnelHasKey != 0)
	stack := labelStack(q)
	if len(stack) > 0 {
		n = packet.PutGRE(gre, packet.TypeMPLS, tun.Key, tun.Flags&table.TunnelHasKey != 0)
	}
	// Behind the Ethernet and IPv4 headers, as it would be.
	at := port.Headroom + packet.EthernetLen + packet.IPv4Len
	if err := t.fill(p, at, gre[:n], stack, q.Packet); err != nil {
		return drop, err
	}
	p.vrf, p.port, p.outerPort = tun.OuterVRF, uint16(q.From.Port), q.From.PeerPort
	if t.in != nil {
		p.sa, p.spi = t.in.ID, t.in.SPI
	}
	return w.greOpen(p, h, at, int(p.frame.Len)), nil
}

// fill puts a packet into a frame, from at on.
func (t *trial) fill(p *pkt, at int, parts ...[]byte) error {
	b := slices.Concat(parts...)
	c, ok := t.w.pool.Get()
	if most := t.w.pool.ChunkSize() - at; !ok || len(b) > most {
		return fmt.Errorf("%d bytes with headers: %w (at most %d)", len(b), ErrTooLong, most)
	}
	*p = pkt{frame: port.Frame{Chunk: c, Start: uint16(at), Len: uint16(len(b))}}
	p.chunk = t.w.pool.Chunk(p.frame)
	copy(p.chunk[at:], b)
	return nil
}

// holdApart maps the arena apart. One that only this process has is copied, and nobody writes into it meanwhile.
func (e *Engine) holdApart() (*arena.Arena, error) {
	if e.arena.Fd() < 0 {
		for _, w := range e.workers {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.injectMu.Lock()
			defer w.injectMu.Unlock()
		}
	}
	return e.arena.Apart()
}

// wordAddr is the address of a word.
func wordAddr(a uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], a)
	return netip.AddrFrom4(b)
}

// addrWordOf is the word of an address.
func addrWordOf(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}
