package sim

import (
	"strings"
	"time"

	"nave/fastpath/packet"
	"nave/fastpath/port"
	"nave/fastpath/port/mem"
)

// LinkConfig says what a link is like. What is zero takes the default.
type LinkConfig struct {
	Delay  time.Duration // one way; default 1 ms
	Loss   float64       // of frames, 0 to 1
	MTU    int           // largest IP packet; default 1500
	Frames int           // most frames on their way in one direction; default 512
}

// Link is a cable between two nodes.
type Link struct {
	net   *Net
	cfg   LinkConfig
	cable *mem.Cable
	ends  [2]attachment
	last  [2]int64 // when the last frame sent by an end arrives
	down  bool
	lose  func(frame []byte) bool
	lost  uint64
}

// attachment is where an end is plugged in.
type attachment struct {
	el   element
	port int
}

// Connect lays a cable. Its ends are "router:Ethernet0", or "node:10.0.0.7/24" for hosts and the internet, or "node:name"
// for a segment of a node that several cables share (see Segment).
func (n *Net) Connect(a, b string, cfg LinkConfig) *Link {
	n.t.Helper()
	if cfg.Delay == 0 {
		cfg.Delay = time.Millisecond
	}
	if cfg.MTU == 0 {
		cfg.MTU = 1500
	}
	if cfg.Frames == 0 {
		cfg.Frames = 512
	}
	l := &Link{net: n, cfg: cfg}
	var pools [2]*port.Pool
	var plug [2]func(*mem.End)
	for i, end := range []string{a, b} {
		name, what, ok := strings.Cut(end, ":")
		if !ok {
			n.t.Fatalf("sim: %q: want NODE:INTERFACE or NODE:ADDRESS/LENGTH", end)
		}
		switch e := n.elements[name].(type) {
		case *Router:
			pools[i] = e.pool
			l.ends[i], plug[i] = e.plug(what, l)
		case *Node:
			pools[i] = n.pool
			l.ends[i], plug[i] = e.plug(what, l)
		default:
			n.t.Fatalf("sim: %q: there is no node %s", end, name)
		}
	}
	c, err := mem.New(pools[0], pools[1], mem.Config{
		Frames: cfg.Frames, MTU: 65535, Now: func() int64 { return n.now }, Hook: l.hook,
	})
	if err != nil {
		n.t.Fatal(err)
	}
	l.cable = c
	for i := range plug {
		plug[i](c.End(i))
	}
	n.links = append(n.links, l)
	return l
}

// hook decides what becomes of a frame that an end sends.
func (l *Link) hook(end int, frame []byte) (delay int64, lost bool) {
	n := l.net
	to := l.ends[1-end]
	lost = l.down || len(frame) > l.cfg.MTU+overhead(frame) || l.drawLoss() || l.lose != nil && l.lose(frame)
	n.crossed(Crossing{At: n.Now(), Link: l, From: l.ends[end].el.called(), To: to.el.called(), Frame: frame, Lost: lost})
	if lost {
		l.lost++
		return 0, true
	}
	l.last[end] = max(l.last[end], n.now+int64(l.cfg.Delay))
	n.at(l.last[end], event{el: to.el, port: to.port})
	return int64(l.cfg.Delay), false
}

// overhead is what a frame may have beside the link's MTU: a tag is no part of that.
func overhead(frame []byte) int {
	if eth, fault := packet.ParseEthernet(frame); fault == packet.OK && eth.Type() == packet.TypeVLAN {
		return packet.EthernetLen + packet.VLANLen
	}
	return packet.EthernetLen
}

func (l *Link) drawLoss() bool { return l.cfg.Loss > 0 && l.net.rng.Float64() < l.cfg.Loss }

// resolve asks who has addr at the other side of an end, by frames with a VLAN tag unless that is 0. ok is false where nobody answers or the question or answer was lost.
func (l *Link) resolve(from element, vlan uint16, addr [4]byte) (mac [6]byte, ok bool) {
	if l.down || l.drawLoss() || l.drawLoss() {
		return mac, false
	}
	far := l.far(from)
	return far.el.answers(far.port, vlan, addr)
}

func (l *Link) far(from element) attachment {
	if l.ends[0].el == from {
		return l.ends[1]
	}
	return l.ends[0]
}

// SetLoss changes the share of frames that are lost.
func (l *Link) SetLoss(share float64) { l.cfg.Loss = share }

// SetLose has f decide about each frame, beside the loss by chance; nil for none.
func (l *Link) SetLose(f func(frame []byte) bool) { l.lose = f }

// SetUp pulls the cable out or puts it back in. Both ends notice.
func (l *Link) SetUp(up bool) {
	if l.down == !up {
		return
	}
	l.down = !up
	for _, e := range l.ends {
		e.el.linkChanged(e.port)
	}
}

// Lost is how many frames were lost on the link.
func (l *Link) Lost() uint64 { return l.lost }

// Send puts a frame on the link as the node at one end.
func (l *Link) Send(from string, frame []byte) {
	l.net.t.Helper()
	for i, e := range l.ends {
		if e.el.called() != from {
			continue
		}
		pool := l.net.pool
		if r, ok := e.el.(*Router); ok {
			pool = r.pool
		}
		l.net.transmit(pool, l.cable.End(i), frame)
		return
	}
	l.net.t.Fatalf("sim: %s is not at an end of the link", from)
}
