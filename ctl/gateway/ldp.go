package gateway

import (
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"nave/slowpath/host"
	"nave/slowpath/ldp"
)

// ldpSockets are LDP's sockets, in the namespace that naved runs in: labels are of the global table. The control plane's goroutine has it, but for what it says of itself.
type ldpSockets struct {
	g       *Gateway
	hellos  *host.Hellos // nil while LDP has no interface
	streams *host.Streams
	links   map[string]int                 // indices of netdevs, by the interface's name
	names   atomic.Pointer[map[int]string] // the same, the other way round
	late    map[string]ldp.Hello           // that could not be sent: netdevs and addresses come after the control plane has spoken
	failed  map[netip.Addr]bool            // addresses that could not be listened on
	retry   *time.Timer                    // for those
}

// listenAgain is the wait before an address is tried again that somebody else has the port of.
const listenAgain = 10 * time.Second

func newLDPSockets(g *Gateway) *ldpSockets {
	s := &ldpSockets{g: g, links: make(map[string]int), late: make(map[string]ldp.Hello), failed: make(map[netip.Addr]bool)}
	s.names.Store(&map[int]string{})
	s.streams = g.home.host.OpenStreams(host.PortLDP, ldpEvents{g})
	return s
}

// setLDP opens the socket of Hellos while LDP has an interface, and has it hear those that it has.
func (g *Gateway) setLDP() error {
	s, c := g.ldp, &g.core.current.MPLS.LDP
	if !ldpRuns(c) {
		if s.hellos == nil {
			return nil
		}
		err := s.hellos.Close()
		s.hellos = nil
		clear(s.links)
		clear(s.late)
		s.names.Store(&map[int]string{})
		return err
	}
	if s.hellos == nil {
		h, err := g.home.host.OpenHellos()
		if err != nil {
			return err
		}
		s.hellos = h
		g.readers.Go(func() { g.fromHellos(h) })
	}
	links, names := make(map[string]int), make(map[int]string)
	for _, i := range c.Interfaces {
		if l, err := g.home.host.Link(g.netdevOf(i.Name)); err == nil { // it may come later; that it did not was said by whoever makes it
			links[i.Name], names[l.Index] = l.Index, i.Name
		}
	}
	s.links = links
	s.names.Store(&names)
	err := s.hellos.Join(slices.Sorted(maps.Keys(names)))
	for _, name := range slices.Sorted(maps.Keys(s.late)) {
		h := s.late[name]
		delete(s.late, name)
		s.hello(h)
	}
	return err
}

// netdevOf is the netdev of an interface of the global table: a port's own, or a twin.
func (g *Gateway) netdevOf(name string) string {
	if t := g.twins[name]; t != nil {
		return t.Name()
	}
	if p := g.ports[name]; p != nil {
		return p.netdev
	}
	return name
}

// LDP implements slowpath.Linux.
func (l *linux) LDP(e ldp.Effect) {
	s := l.g.ldp
	var err error
	switch e := e.(type) {
	case ldp.Hello:
		s.hello(e)
	case ldp.Listen:
		s.listen(e.Local, e.On)
	case ldp.Key:
		if err = s.streams.SetKey(e.Local, e.Peer, e.Key); err != nil {
			l.g.opt.Log.Error("LDP: no session with a password", "peer", e.Peer, "error", err)
		}
	case ldp.Connect:
		if err = s.streams.Connect(uint64(e.Conn), e.Local, e.Remote, e.Key); err != nil {
			l.g.opt.Log.Debug("LDP", "peer", e.Remote, "error", err) // it is tried again; a peer that stays away is no neighbor soon
		}
	case ldp.Send:
		s.streams.Send(uint64(e.Conn), e.Bytes)
	case ldp.Close:
		s.streams.End(uint64(e.Conn))
	}
}

// hello sends a Hello, at once or when its netdev is there.
func (s *ldpSockets) hello(h ldp.Hello) {
	link, ok := s.links[h.Iface]
	if s.hellos == nil || !ok {
		s.late[h.Iface] = h
		return
	}
	if err := s.hellos.Send(link, h.From, h.Payload); err != nil {
		s.g.opt.Log.Debug("LDP", "interface", h.Iface, "error", err) // another follows
		s.late[h.Iface] = h
	}
}

// listen accepts connections to an address, or stops that. What fails is tried again.
func (s *ldpSockets) listen(local netip.Addr, on bool) {
	err := s.streams.Listen(local, on)
	switch {
	case err == nil:
		if s.failed[local] && on {
			s.g.opt.Log.Info("LDP: listening", "address", local)
		}
		delete(s.failed, local)
		return
	case !s.failed[local]:
		s.g.opt.Log.Error("LDP: neighbors with lower addresses come to no session", "error", err)
	}
	s.failed[local] = true
	if s.retry != nil {
		s.retry.Stop()
	}
	s.retry = time.AfterFunc(listenAgain, func() {
		s.g.loop.Do(func(time.Time) {
			for _, a := range slices.SortedFunc(maps.Keys(s.failed), netip.Addr.Compare) {
				s.listen(a, true)
			}
		})
	})
}

// leaveLDP says goodbye to all peers, and waits for that to be out: they have to know the way to us when they read it.
func (g *Gateway) leaveLDP() {
	spoke := false
	g.loop.Call(func(now time.Time) {
		spoke = ldpRuns(&g.core.current.MPLS.LDP)
		g.core.Router().At(now).LDP(ldp.Shutdown{})
	})
	if spoke {
		time.Sleep(lastWords)
	}
}

// closeLDP closes the sockets, which ends sessions as a crash does where leaveLDP was not called. The control plane has stopped.
func (g *Gateway) closeLDP() {
	s := g.ldp
	if s == nil {
		return // the start failed
	}
	if s.retry != nil {
		s.retry.Stop()
	}
	s.streams.Close()
	if s.hellos != nil {
		s.hellos.Close()
		s.hellos = nil
	}
}

// largestHello is more than any that is one.
const largestHello = 4096

// fromHellos takes Hellos to the control plane, until the socket is closed.
func (g *Gateway) fromHellos(h *host.Hellos) {
	buf := make([]byte, largestHello)
	limit := flood{rate: ikePerSecond, burst: ikeBurst}
	for {
		d, err := h.Read(buf)
		if err != nil {
			return
		}
		name, ok := (*g.ldp.names.Load())[d.Link]
		if !ok || !limit.allow(time.Now()) {
			g.linux.lost.Add(1)
			continue
		}
		ev := ldp.HelloReceived{Iface: name, From: d.Remote.Addr(), Payload: slices.Clone(d.Payload)}
		if !g.loop.Try(func(now time.Time) { g.core.Router().At(now).LDP(ev) }) {
			g.linux.lost.Add(1)
		}
	}
}

// ldpEvents takes what comes of connections to the control plane. Each connection waits until what it brought is done with, so that one that floods keeps out no other.
type ldpEvents struct{ g *Gateway }

func (e ldpEvents) tell(ev ldp.Event) {
	done := make(chan struct{})
	e.g.loop.Do(func(now time.Time) {
		defer close(done)
		e.g.core.Router().At(now).LDP(ev)
	})
	select {
	case <-done:
	case <-e.g.ctx.Done(): // the control plane may never have run
	}
}

// Connected implements host.StreamHandler.
func (e ldpEvents) Connected(conn uint64, local, remote netip.AddrPort, signed bool) {
	e.tell(ldp.Connected{Conn: ldp.Conn(conn), Local: local, Remote: remote, Signed: signed})
}

// Accepted implements host.StreamHandler.
func (e ldpEvents) Accepted(conn uint64, local, remote netip.AddrPort, signed bool) {
	e.tell(ldp.Accepted{Conn: ldp.Conn(conn), Local: local, Remote: remote, Signed: signed})
}

// Data implements host.StreamHandler.
func (e ldpEvents) Data(conn uint64, b []byte) {
	e.tell(ldp.Data{Conn: ldp.Conn(conn), Bytes: slices.Clone(b)})
}

// Closed implements host.StreamHandler.
func (e ldpEvents) Closed(conn uint64) { e.tell(ldp.Closed{Conn: ldp.Conn(conn)}) }

// The names of connections from outside are told from ours in the same way.
var _ = [1]struct{}{}[uint64(ldp.Inbound)-host.Inbound]
