package fastpath

import (
	"encoding/binary"

	"nave/fastpath/internal/table"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// maxFragments is how many fragments a packet can become: a frame of 4096 bytes cut for the smallest MTU.
const maxFragments = 512

// fit deals with a packet that is longer than the adjacency's limit. fits means that it can leave as it is after all, with the
// outer packet fragmented; otherwise v is what became of it.
func (w *Worker) fit(p *pkt, a *table.Adj, id uint32) (v verdict, fits bool) {
	n, mtu := len(p.ip), int(a.MTU)
	df := p.ip.DF()
	if df && (n > mtu || a.Flags&table.AdjCopyDF != 0) {
		if p.copied {
			return p.drop(MulticastTooBig), false
		}
		if a.Flags&table.AdjCopyDF != 0 {
			mtu = int(a.Limit)
		}
		return w.puntAdj(p, FragNeeded, p.ip, id, target(p, a), uint16(mtu)), false
	}
	if n <= mtu {
		return drop, true
	}
	if int(p.ip.FlagsOffset()&packet.OffsetMask)*8+n > 1<<16 {
		return p.drop(IPLength), false // would end beyond the largest packet there is
	}
	if a.Flags&table.AdjPriced != 0 {
		if r := w.payFragment(p, a, p.ip.TOS()); r != Unknown {
			return p.drop(r), false
		}
	}
	return w.fragmentInner(p, a, id, mtu), false
}

// fragmentInner cuts the packet to mtu and sends each fragment by the adjacency.
func (w *Worker) fragmentInner(p *pkt, a *table.Adj, id uint32, mtu int) verdict {
	w.touch(p, a)
	return w.sendPieces(p, a, id, nil, mtu, p.ip.TOS())
}

// sendPieces cuts the packet to mtu and sends each fragment by the adjacency, behind a label stack of its own if there is one.
func (w *Worker) sendPieces(p *pkt, a *table.Adj, id uint32, stack []byte, mtu int, tos uint8) verdict {
	n := w.split(w.frags[0][:], p.ip, mtu)
	if n == 0 {
		return p.drop(NoFrame)
	}
	for i, f := range w.frags[0][:n] {
		piece := &w.piece
		*piece = pkt{frame: f, chunk: w.pool.Chunk(f), start: int(f.Start) - len(stack), gre: p.gre, lse: p.lse, part: true}
		copy(piece.chunk[piece.start:], stack)
		v := w.encapsulate(piece, a, id, int(f.Len)+len(stack), tos, false)
		if v == drop && i == 0 {
			// The way out is missing, for all of them alike.
			for _, g := range w.frags[0][:n] {
				w.release(g)
			}
			return p.drop(piece.reason)
		}
		if v == drop {
			w.c.words[cntReasons+int(CopyLost)]++
			if w.tapped {
				w.tapEnd(CaptureDrop, p, CopyLost, piece.reason, false)
			}
		}
		w.releaseUnless(v, f)
	}
	return cut
}

// fragmentOuter cuts the outer packet of total bytes, whose Ethernet header is at s, to what the link takes. Labels outside are on each fragment.
func (w *Worker) fragmentOuter(p *pkt, q *queue, a *table.Adj, s, total int) verdict {
	link := p.chunk[s : s+int(a.LinkLen)]
	ip := packet.IPv4(p.chunk[s+len(link) : s+len(link)+total])
	n := w.split(w.frags[1][:], ip, int(a.LinkMTU))
	if n == 0 {
		return p.drop(NoFrame)
	}
	for _, f := range w.frags[1][:n] {
		f.Start -= uint16(len(link))
		f.Len += uint16(len(link))
		copy(w.pool.Bytes(f), link)
		if a.Flags&table.AdjTagged != 0 {
			w.countTagged(a.Via, int(f.Len))
		}
		w.enqueue(q, f)
	}
	return cut
}

// split cuts a packet into fragments of mtu bytes at most, each in a frame of its own, and returns how many: 0 when frames are
// short. The packet itself stays whole. A fragment is cut the same way (RFC 791 section 3.2).
func (w *Worker) split(out []port.Frame, ip packet.IPv4, mtu int) int {
	hl := ip.HeaderLen()
	step := (mtu - hl) &^ 7
	payload := ip[hl:]
	var later [60]byte
	laterLen := ip.FragmentHeader(later[:])
	if step < 8 {
		return 0
	}
	count := (len(payload) + step - 1) / step
	if count > len(out) || w.pool.Free() < count {
		return 0
	}
	flags := ip.FlagsOffset()
	header := []byte(ip[:hl])
	for i := range count {
		cut := payload[i*step:]
		fo := flags + uint16(i*step/8)
		if len(cut) > step {
			cut = cut[:step]
			fo |= packet.FlagMF
		}
		f, ok := w.newFrame(len(header) + len(cut))
		if !ok {
			for _, g := range out[:i] {
				w.release(g)
			}
			return 0
		}
		b := w.pool.Bytes(f)
		copy(b, header)
		copy(b[len(header):], cut)
		binary.BigEndian.PutUint16(b[2:4], uint16(len(b)))
		binary.BigEndian.PutUint16(b[6:8], fo)
		packet.IPv4(b).SetSum()
		out[i] = f
		header = later[:laterLen]
	}
	return count
}
