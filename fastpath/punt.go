package fastpath

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// Punt is a packet on its way to the slow path.
type Punt struct {
	Reason Reason
	Port   fib.PortID   // where it came in; 0 for what was injected
	Tunnel fib.TunnelID // the tunnel it came out of; 0 for none
	VRF    fib.VRF      // that it is routed in
	// Leaked: a route led it there from another VRF, From, where its source is.
	Leaked bool
	From   fib.VRF
	// OuterSrc and OuterDst are of the outer header of what came out of a tunnel; zero otherwise.
	OuterSrc, OuterDst netip.Addr
	NextHop            netip.Addr // of Glean, Resolve, Redirect and FragNeeded: what to resolve
	// SA is the security association that the packet came out of, ESP before AH, or that the punt is about (SAHeard, SAMoved, SASoft, SAHard); 0 for
	// none. OuterPort is the source port of ESP in UDP, and SPI what the packet named; both 0 without. SAMoved says in OuterSrc and
	// OuterPort where the peer is now.
	SA        fib.SAID
	SPI       uint32
	OuterPort uint16
	Adj       fib.AdjID // the adjacency it was to leave, or left, by; 0 for none
	MTU       uint16    // of FragNeeded: what would have fitted, bytes
	Len       int       // of the packet before it was cut
	// Packet is the IPv4 packet as it came, for NHRP the message after the GRE header, for Host the Ethernet frame of a subinterface without its tag. Of what the slow path only
	// quotes (ClassCopy, TTLExpired, FragNeeded, Unroutable) it is the first 576 bytes. It is valid until the function that got it returns.
	Packet []byte
	// Stack is the label stack that the packet came with, entries of 4 bytes from the outermost on: of TTLExpired, FragNeeded, Unroutable, Glean and MPLSAlert, whose
	// Packet is what was under it (of Glean there is neither where a label was to be swapped), and of Local and Fragment: a packet for an address of VRF, where a label led it, of
	// no tunnel and whatever Port says (what was reassembled is InjectInput's in that VRF). For its other reasons a labelled packet is not told from one without. It is valid as
	// long as Packet. Switched: it was to go on by what its label says, and no route here knows its source; who answers it sends the answer the same way
	// (InjectLabelled with the stack, RFC 3032 section 2.3.2).
	Stack    []byte
	Switched bool
}

// quoteLen is how much of a packet is punted to be quoted: as much as an ICMP error can (RFC 1812 section 4.3.2.3).
const quoteLen = 576

// puntHeader is the length of what a slot holds in front of the label stack and the packet.
const puntHeader = 48

// slotAlong is set beside the number of labels for Switched.
const slotAlong = 0x80

// punt hands the packet to the slow path instead of forwarding it.
func (w *Worker) punt(p *pkt, r Reason, data []byte) verdict {
	return w.puntAdj(p, r, data, 0, 0, 0)
}

// puntAdj puts data, and where it came from, into the punt ring, and counts it. What the reason's bucket has no token for is lost, as
// when the ring is full.
func (w *Worker) puntAdj(p *pkt, r Reason, data []byte, adj, nextHop uint32, mtu uint16) verdict {
	if !w.tokens.take(r, w.now) || w.metered && !w.payPunt(p, r) {
		w.puntLost(p, r)
		return done
	}
	full := len(data)
	quoted := r == TTLExpired || r == FragNeeded || r == Unroutable
	if reasons[r].class == ClassCopy || quoted {
		data = data[:min(full, quoteLen)]
	}
	var stack []byte
	if p.top != 0 && (quoted || r == MPLSAlert || r == Local || r == Fragment || r == Glean) {
		stack = p.chunk[p.top:p.start]
	}
	s := w.up.Reserve()
	if s == nil || len(stack)+len(data) > len(s)-puntHeader {
		w.puntLost(p, r)
		return done
	}
	_ = s[puntHeader-1]
	var tunnel uint16
	if p.tunnel != nil {
		tunnel = p.tunnel.ID
	}
	le := binary.LittleEndian
	s[0], s[1] = byte(r), byte(len(stack)/packet.LabelLen)
	if p.along {
		s[1] |= slotAlong
	}
	le.PutUint16(s[2:], uint16(len(data)))
	le.PutUint16(s[4:], uint16(full))
	le.PutUint16(s[6:], p.port)
	le.PutUint16(s[8:], tunnel)
	le.PutUint16(s[10:], p.vrf)
	binary.BigEndian.PutUint32(s[12:], p.outerSrc)
	binary.BigEndian.PutUint32(s[16:], p.outerDst)
	binary.BigEndian.PutUint32(s[20:], nextHop)
	le.PutUint32(s[24:], adj)
	le.PutUint16(s[28:], mtu)
	le.PutUint16(s[30:], p.outerPort)
	le.PutUint32(s[32:], p.sa)
	le.PutUint32(s[36:], p.spi)
	s[40] = 0
	if p.leaks {
		s[40] = 1
	}
	le.PutUint16(s[42:], p.from)
	copy(s[puntHeader+copy(s[puntHeader:], stack):], data)
	w.up.Commit()
	w.punted = true
	w.c.words[cntReasons+int(r)]++
	if w.tapped && reasons[r].class == ClassPunt {
		w.tapEnd(CapturePunt, p, r, Unknown, false)
	}
	return done
}

// puntLost is for a punt that does not get through: a copy is lost, or the packet is.
//
//go:noinline
func (w *Worker) puntLost(p *pkt, r Reason) {
	w.c.words[cntLost+int(r)]++
	if w.tapped && reasons[r].class == ClassPunt {
		w.tapEnd(CaptureDrop, p, r, Unknown, true)
	}
}

// decode reads a slot. The worker may be another process, so its lengths are not taken on trust.
func (u *Punt) decode(s []byte) bool {
	le := binary.LittleEndian
	n, stack := int(le.Uint16(s[2:])), int(s[1]&^slotAlong)*packet.LabelLen
	at := puntHeader + stack
	if at > len(s) || n > len(s)-at || int(s[0]) >= NumReasons {
		return false
	}
	*u = Punt{
		Reason: Reason(s[0]), Len: int(le.Uint16(s[4:])),
		Port: fib.PortID(le.Uint16(s[6:])), Tunnel: fib.TunnelID(le.Uint16(s[8:])), VRF: fib.VRF(le.Uint16(s[10:])),
		OuterSrc: slotAddr(s[12:]), OuterDst: slotAddr(s[16:]), NextHop: slotAddr(s[20:]),
		Adj: fib.AdjID(le.Uint32(s[24:])), MTU: le.Uint16(s[28:]),
		OuterPort: le.Uint16(s[30:]), SA: fib.SAID(le.Uint32(s[32:])), SPI: le.Uint32(s[36:]),
		Packet: s[at : at+n : at+n],
	}
	if s[40] != 0 {
		u.Leaked, u.From = true, fib.VRF(le.Uint16(s[42:]))
	}
	if stack > 0 {
		u.Stack, u.Switched = s[puntHeader:at:at], s[1]&slotAlong != 0
	}
	return true
}

func slotAddr(b []byte) netip.Addr {
	a := [4]byte(b[:4])
	if a == [4]byte{} {
		return netip.Addr{}
	}
	return netip.AddrFrom4(a)
}

// Drain hands f what worker i has punted, oldest first, as much as waits now, and returns how many that was. f must not
// call Drain, and copies of Packet what it keeps.
func (e *Engine) Drain(i int, f func(*Punt)) int {
	w := e.Worker(i)
	if w == nil {
		return 0
	}
	w.puntMu.Lock()
	defer w.puntMu.Unlock()
	if w.punts == nil {
		return 0
	}
	n := 0
	u := &w.puntNow
	for waiting := w.punts.Len(); n < waiting; n++ {
		s := w.punts.Peek()
		if s == nil {
			break
		}
		if u.decode(s) {
			f(u)
		}
		w.punts.Release()
	}
	return n
}

// ArmPunt says that the consumer of worker i's punts goes to sleep on PuntFD. False: punts wait, drain them first.
func (e *Engine) ArmPunt(i int) bool {
	w := e.Worker(i)
	if w == nil {
		return false
	}
	w.puntMu.Lock()
	defer w.puntMu.Unlock()
	return w.punts != nil && w.punts.Arm()
}

// PuntFD is an eventfd that becomes readable with the first punt of worker i after ArmPunt. Whoever sleeps on it reads it.
func (e *Engine) PuntFD(i int) (int, error) {
	w := e.Worker(i)
	if w == nil {
		return -1, fmt.Errorf("fastpath: punts of worker %d: there is none", i)
	}
	return w.puntWake.open()
}

// Punts hands f what worker i punts until ctx ends or the engine is closed, sleeping while there is nothing.
func (e *Engine) Punts(ctx context.Context, i int, f func(*Punt)) error {
	w := e.Worker(i)
	if w == nil {
		return fmt.Errorf("fastpath: punts of worker %d: there is none", i)
	}
	if _, err := w.puntWake.open(); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, w.puntWake.kick)()
	for {
		if ctx.Err() != nil {
			return nil
		}
		if e.Drain(i, f) > 0 || !e.ArmPunt(i) {
			if e.isClosed() {
				return errors.New("fastpath: punts: the engine is closed")
			}
			continue
		}
		if err := w.puntWake.wait(nil, maxSleep); err != nil {
			return err
		}
	}
}

func (e *Engine) isClosed() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closed
}
