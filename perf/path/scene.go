package path

import (
	"errors"
	"math/rand/v2"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port"
)

// form is how packets of a flow look on one side of the gateway.
type form uint8

const (
	plain    form = iota // IPv4
	tunnel               // GRE
	sealed               // GRE in ESP
	labelled             // MPLS, one label
)

// work is what the gateway does with every packet of a row.
type work struct {
	name    string
	in, out form
	from    fib.PortID
	to      fib.PortID
}

// sealed tells whether the row has a transform.
func (w *work) sealed() bool { return w.in == sealed || w.out == sealed }

// tunnels tells whether the row has a tunnel.
func (w *work) tunnels() bool { return w.sealed() || w.in == tunnel || w.out == tunnel }

// works in the order of the table.
var works = []work{
	{"ipv4", plain, plain, lan, wan},
	{"gre-encap", plain, tunnel, lan, wan},
	{"gre-decap", tunnel, plain, wan, lan},
	{"esp-encap", plain, sealed, lan, wan},
	{"esp-decap", sealed, plain, wan, lan},
	{"hairpin", sealed, sealed, wan, wan},
	{"mpls-push", plain, labelled, lan, wan},
	{"mpls-swap", labelled, labelled, lan, wan},
	{"mpls-pop", labelled, plain, wan, lan},
}

// scene is a gateway with n peers, set up for one work, and who sends to it.
type scene struct {
	work *work
	tr   *transform // nil where nothing is sealed
	n    int

	gw   *box
	own  *sealer // seals what the gateway gets
	far  *box    // the same, for what sealer can not seal
	from *link
	to   *link
	fill int // which of the gateway's slots the next frame of the far side goes into

	slots    []port.Frame // the frames that come in at the gateway, in bursts
	farSlots []port.Frame // a burst that comes in at the far side
	burst    int

	order []uint32 // flows, in an order that has nothing to do with how the tables lie
	at    int      // how many packets there were
	mix   *mix
	heads []byte // the first bytes of a frame of each class of size and flow
	head  int    // how many of each

	checking bool // payloads are painted anew before they are fed in
}

// newScene sets up a gateway with n peers. frames is how many it walks over.
func newScene(w *work, tr *transform, n, burst, frames int) (*scene, error) {
	s := &scene{work: w, n: n, burst: burst}
	if w.sealed() {
		s.tr = tr
	}
	s.order = make([]uint32, n)
	for i, k := range rand.New(rand.NewPCG(1, uint64(n))).Perm(n) {
		s.order[i] = uint32(k)
	}
	var err error
	if w.in == sealed {
		if s.own, err = newSealer(tr, n); err != nil {
			return nil, err
		}
	}
	if s.gw, err = newBox(n, frames, s.gatewayEntries()); err != nil {
		return nil, err
	}
	s.from, s.to = s.gw.link(w.from), s.gw.link(w.to)
	if s.slots, err = s.gw.frames(frames); err == nil && w.in == sealed && s.own == nil {
		if s.far, err = newBox(n, burst, s.farEntries()); err == nil {
			s.far.wan.take = s.arrive
			s.farSlots, err = s.far.frames(burst)
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *scene) close() error {
	err := s.gw.close()
	if s.far != nil {
		err = errors.Join(err, s.far.close())
	}
	return err
}

// inPeer is the peer that flow i comes from, and outPeer the one that it goes to, where it does: other ones, if it does both.
func (s *scene) inPeer(i int) addr { return peer(i) }

func (s *scene) outPeer(i int) addr {
	if s.work.in != plain {
		return peer(s.n + i)
	}
	return peer(i)
}

func inSPI(i int) uint32             { return spi(i) }
func (s *scene) outSPI(i int) uint32 { return spi(s.n + i) }

// inKey is what the keys of the association from peer i are made of.
func (s *scene) inKey(i int) uint32 {
	if s.own != nil {
		return sealerKey
	}
	return inSPI(i)
}

// Numbers of the gateway's associations.
func inSA(i int) fib.SAID             { return fib.SAID(1 + i) }
func (s *scene) outSA(i int) fib.SAID { return fib.SAID(1 + s.n + i) }

// Labels that flow i comes in and leaves with.
func inLabel(i int) uint32  { return fib.FirstLabel + uint32(i) }
func outLabel(i int) uint32 { return fib.FirstLabel + maxTunnels + uint32(i) }

func adj(i int) fib.AdjID { return fib.FirstAdj + fib.AdjID(i) }

// mgre is a multipoint tunnel.
func (s *scene) mgre(local addr) fib.Tunnel {
	t := fib.Tunnel{ID: tunnelID, Local: local.ip(), Key: tunnelKey, HasKey: true, Addr: addr(0x0aff0001).ip(), MTU: tunnelMTU, Network: 1}
	if s.tr != nil {
		t.Protected, t.Protection = true, protection
	}
	return t
}

// gatewayEntries is what is measured: one multipoint tunnel, and for each peer a prefix, the adjacency that it leads to, and the associations.
func (s *scene) gatewayEntries() *fib.Batch {
	b := &fib.Batch{
		Ports:  ports(wanMAC, hub),
		Routes: []fib.Route{{Prefix: host(hub), Paths: []fib.AdjID{fib.Receive}}, {Prefix: host(gateway), Paths: []fib.AdjID{fib.Receive}}},
	}
	if s.work.tunnels() {
		b.Tunnels = []fib.Tunnel{s.mgre(hub)}
	}
	eth := ethernet(nextMAC, wanMAC, packet.TypeIPv4, nil)
	for i := range s.n {
		b.Routes = append(b.Routes, fib.Route{Prefix: net24(target(i)), Paths: []fib.AdjID{adj(i)}})
		if s.work.in == labelled {
			b.Labels = append(b.Labels, s.label(i))
		}
		if s.work.in == sealed {
			b.SAs = append(b.SAs, s.tr.association(inSA(i), true, inSPI(i), s.inKey(i), hub, s.inPeer(i)))
		}
		switch s.work.out {
		case plain, labelled:
			a := linkAdj(adj(i), s.work.to, neighbour(s.work.to), own(s.work.to))
			if s.work.out == labelled {
				a.Labels = []uint32{outLabel(i)}
			}
			b.Adjacencies = append(b.Adjacencies, a)
		case tunnel:
			b.Adjacencies = append(b.Adjacencies, tunnelAdj(adj(i), hub, s.outPeer(i), eth, 0))
		case sealed:
			b.SAs = append(b.SAs, s.tr.association(s.outSA(i), false, s.outSPI(i), s.outSPI(i), hub, s.outPeer(i)))
			b.Adjacencies = append(b.Adjacencies, tunnelAdj(adj(i), hub, s.outPeer(i), eth, s.outSA(i)))
		}
	}
	return b
}

// label is what is done with the label that flow i comes in with: it is swapped, or it is the one of a prefix and gives way to IPv4.
func (s *scene) label(i int) fib.Label {
	l := fib.Label{In: inLabel(i), Action: fib.LabelForward, Paths: []fib.AdjID{adj(i)}}
	if s.work.out == labelled {
		l.Action = fib.LabelSwap
	}
	return l
}

// farEntries is all peers that send to the gateway, as one box: it seals each flow as the peer would that it comes from.
func (s *scene) farEntries() *fib.Batch {
	b := &fib.Batch{Ports: ports(nextMAC, firstPeer), Tunnels: []fib.Tunnel{s.mgre(firstPeer)}}
	eth := ethernet(wanMAC, nextMAC, packet.TypeIPv4, nil)
	for i := range s.n {
		b.SAs = append(b.SAs, s.tr.association(inSA(i), false, inSPI(i), s.inKey(i), s.inPeer(i), hub))
		b.Adjacencies = append(b.Adjacencies, tunnelAdj(adj(i), s.inPeer(i), hub, eth, inSA(i)))
		b.Routes = append(b.Routes, fib.Route{Prefix: net24(target(i)), Paths: []fib.AdjID{adj(i)}})
	}
	return b
}

// openerEntries is the one peer that flow i is sealed for.
func (s *scene) openerEntries(i int) *fib.Batch {
	return &fib.Batch{
		Ports:       ports(nextMAC, s.outPeer(i)),
		Tunnels:     []fib.Tunnel{s.mgre(s.outPeer(i))},
		SAs:         []fib.SA{s.tr.association(1, true, s.outSPI(i), s.outSPI(i), s.outPeer(i), hub)},
		Adjacencies: []fib.Adjacency{linkAdj(adj(0), lan, hostMAC, lanMAC)},
		Routes: []fib.Route{
			{Prefix: host(s.outPeer(i)), Paths: []fib.AdjID{fib.Receive}}, {Prefix: net24(target(i)), Paths: []fib.AdjID{adj(0)}},
		},
	}
}
