package fastpath

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// modelEntry is a label stack entry as the standards talk of it.
type modelEntry struct{ label, exp, ttl int }

// modelPacket is a labelled packet, or with an empty stack an IPv4 packet of this TTL and precedence.
type modelPacket struct {
	stack     []modelEntry
	ttl, prec int
}

// modelSwitch is label switching written down anew: what the rig's labels do with a packet whose destination in the VRF is dst. It returns the packet as it
// leaves and by which adjacency; 0: it does not.
func modelSwitch(labels map[uint32]fib.Label, adjs map[fib.AdjID]fib.Adjacency, vrf map[[4]byte]fib.AdjID, p modelPacket, dst [4]byte) (modelPacket, fib.AdjID) {
	for depth := 0; ; depth++ {
		top := p.stack[0]
		l, ok := labels[uint32(top.label)]
		if top.label == 0 {
			l, ok = fib.Label{Action: fib.LabelLookup}, true
		}
		if !ok || depth == maxStack {
			return p, 0
		}
		rest := p.stack[1:]
		if l.Action == fib.LabelForward && len(rest) > 0 {
			return p, 0
		}
		stays := l.Action != fib.LabelSwap
		if !stays {
			if top.ttl <= 1 {
				return p, 0
			}
			top.ttl--
		}
		if a := adjs[firstPath(l)]; !stays && len(a.Labels) > 0 {
			return modelPush(modelPacket{stack: rest, ttl: p.ttl, prec: p.prec}, a, top, true), a.ID
		}
		// The label goes, and what is under it gets of it what the model says.
		p.stack = append([]modelEntry(nil), rest...)
		if len(rest) > 0 {
			if !l.Pipe {
				p.stack[0].ttl = min(p.stack[0].ttl, top.ttl)
			}
			if l.CopyEXP {
				p.stack[0].exp = top.exp
			}
		} else {
			if !l.Pipe {
				p.ttl = min(p.ttl, top.ttl)
			}
			if l.CopyEXP {
				p.prec = top.exp
			}
		}
		if !stays {
			return p, firstPath(l)
		}
		if len(rest) > 0 {
			continue
		}
		id := firstPath(l)
		if l.Action == fib.LabelLookup {
			if top.label == 0 || l.VRF != vpn {
				return p, 0 // the global table has no route for these
			}
			id = vrf[dst]
		}
		if p.ttl <= 1 || id < fib.FirstAdj {
			return p, 0
		}
		p.ttl--
		a := adjs[id]
		if len(a.Labels) > 0 {
			return modelPush(p, a, modelEntry{exp: p.prec, ttl: p.ttl}, false), id
		}
		return p, id
	}
}

func firstPath(l fib.Label) fib.AdjID {
	if len(l.Paths) == 0 {
		return 0
	}
	return l.Paths[0]
}

// modelPush puts an adjacency's labels on a packet: swapped is that the innermost one stands for a label that was there.
func modelPush(p modelPacket, a fib.Adjacency, top modelEntry, swapped bool) modelPacket {
	var pushed []modelEntry
	for i, l := range a.Labels {
		e := modelEntry{int(l), top.exp, top.ttl}
		if isNew := !swapped || i < len(a.Labels)-1; isNew && a.Pipe {
			e.ttl = 255
		}
		pushed = append(pushed, e)
	}
	p.stack = append(pushed, p.stack...)
	return p
}

func (p modelPacket) bytes(dst [4]byte) []byte {
	ip := ipv4(vpnSource, dst, pattern(30), ttl(uint8(p.ttl)), tos(uint8(p.prec)<<5|4))
	var stack []packet.LSE
	for _, e := range p.stack {
		stack = append(stack, lab(uint32(e.label), uint8(e.exp), uint8(e.ttl)))
	}
	return under(ip, stack...)
}

// TestLabelModel compares with the model on random stacks.
func TestLabelModel(t *testing.T) {
	r := labelRig(t)
	labels := map[uint32]fib.Label{}
	adjs := map[fib.AdjID]fib.Adjacency{}
	for _, l := range r.e.Inherited().Labels {
		if len(l.Paths) < 2 {
			labels[l.In] = l
		}
	}
	for _, a := range r.e.Inherited().Adjacencies {
		adjs[a.ID] = a
	}
	vrf := map[[4]byte]fib.AdjID{inVPNHost: adjHost, inVPNTunnel: adjTunnel1, inVPNSpoke: adjSpoke2, ip4("172.30.0.1"): 0}
	rnd := rand.New(rand.NewPCG(3, 4))
	small := func() int { return []int{0, 1, 2, 3, 64, 255, rnd.IntN(256)}[rnd.IntN(7)] }
	sent := 0
	for step := range 30000 {
		p := modelPacket{ttl: small(), prec: rnd.IntN(8)}
		for range 1 + rnd.IntN(4) {
			e := modelEntry{inLink0 + rnd.IntN(inPaths-inLink0), rnd.IntN(8), small()}
			switch rnd.IntN(8) {
			case 0:
				e.label = 0
			case 1:
				e.label = []int{1, 2, 16, 777}[rnd.IntN(4)]
			case 2, 3:
				e.label = inSelf
			}
			p.stack = append(p.stack, e)
		}
		var dst [4]byte
		for dst = range vrf {
			break
		}
		want, id := modelSwitch(labels, adjs, vrf, p, dst)
		r.now += 1e9
		r.lan.take()
		r.wan.take()
		r.punts = nil
		r.fromWAN(mplsFrame(wanMAC, gwMAC, p.bytes(dst)))
		out := append(r.lan.out, r.wan.out...)
		if id == 0 {
			if len(out) != 0 {
				t.Fatalf("step %d: %+v to %v left as %x", step, p, dst, out[0])
			}
			continue
		}
		sent++
		if len(out) != 1 {
			t.Fatalf("step %d: %+v to %v: %d frames, want %+v by %d; %v", step, p, dst, len(out), want, id, r.nonZero())
		}
		got := out[0][packet.EthernetLen:]
		if adjs[id].Kind == fib.AdjTunnel {
			_, _, got = r.ungre(out[0])
		}
		if !bytes.Equal(got, want.bytes(dst)) {
			t.Fatalf("step %d: %+v to %v left as\n%x, want\n%x by %d", step, p, dst, got, want.bytes(dst), id)
		}
	}
	if sent < 5000 {
		t.Errorf("only %d packets left", sent)
	}
}
