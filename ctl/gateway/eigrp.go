package gateway

import (
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/eigrp"
	"nave/slowpath/host"
)

// Bounds of what is read from the socket of EIGRP: a thousand neighbors may answer the same multicast at once, and a flood must leave room in the inbox for the rest.
const (
	eigrpPerSecond = 20_000
	eigrpBurst     = 4000
	longestEIGRP   = 16384 // no link of ours takes more at once
)

// eigrpSocket is EIGRP's socket in a space. The control plane's goroutine has it, but for names.
type eigrpSocket struct {
	*host.EIGRP
	links map[string]int                 // indices of netdevs, by the interface's name
	names atomic.Pointer[map[int]string] // the same, the other way round
}

// lateEIGRP names the packet that waits for a netdev.
type lateEIGRP struct {
	vrf   fib.VRF
	iface string
}

// setEIGRP opens the socket of EIGRP in each space where it has an interface that is not passive, and closes it in others.
func (g *Gateway) setEIGRP() error {
	want := make(map[*space][]string)
	for k := range g.core.current.EIGRP {
		p := &g.core.current.EIGRP[k]
		s := g.spaceOf(p.Key.VRF)
		if s == nil {
			continue // it could not be made, and that has been said
		}
		for i := range p.Run.Interfaces {
			if f := &p.Run.Interfaces[i]; !f.Passive && !slices.Contains(want[s], f.Name) {
				want[s] = append(want[s], f.Name)
			}
		}
	}
	var failed error
	for _, s := range g.spaces {
		if len(want[s]) == 0 {
			failed = errors.Join(failed, s.closeEIGRP())
			continue
		}
		failed = errors.Join(failed, g.joinEIGRP(s, want[s]))
	}
	for k, late := range g.lateEIGRP {
		delete(g.lateEIGRP, k)
		if slices.Contains(want[g.spaceOf(k.vrf)], k.iface) { // else it was a goodbye
			g.linux.EIGRP(k.vrf, late)
		}
	}
	return failed
}

// joinEIGRP opens the socket of a space, if there is none, and has it hear the interfaces of these names.
func (g *Gateway) joinEIGRP(s *space, want []string) error {
	if s.eigrp == nil {
		h, err := s.host.OpenEIGRP()
		if err != nil {
			return err
		}
		s.eigrp = &eigrpSocket{EIGRP: h}
		s.eigrp.names.Store(&map[int]string{})
		g.readers.Go(func() { g.fromEIGRP(s, s.eigrp) })
	}
	links, names := make(map[string]int), make(map[int]string)
	for _, name := range want {
		at, netdev := g.deviceOf(name)
		if t := g.twins[name]; t != nil {
			at, netdev = t.space, t.Name()
		}
		if at != s {
			continue // it may come later; that it did not was said by whoever makes it
		}
		if l, err := s.host.Link(netdev); err == nil {
			links[name], names[l.Index] = l.Index, name
		}
	}
	s.eigrp.links = links
	s.eigrp.names.Store(&names)
	return s.eigrp.Join(slices.Sorted(maps.Keys(names)))
}

// EIGRP implements slowpath.Linux. What can't be sent is lost as on a wire; but the latest for all neighbors of an interface whose netdev comes after the control plane has spoken,
// a Hello as a rule, is sent when it is there.
func (l *linux) EIGRP(vrf fib.VRF, p eigrp.Send) {
	s := l.g.spaceOf(vrf)
	if s == nil || s.eigrp == nil || s.eigrp.links[p.Iface] == 0 {
		if p.To == eigrp.Group {
			l.g.lateEIGRP[lateEIGRP{vrf, p.Iface}] = p
		}
		return
	}
	if err := s.eigrp.Send(s.eigrp.links[p.Iface], p.From, p.To, p.Payload); err != nil {
		l.g.opt.Log.Debug("EIGRP", "interface", p.Iface, "to", p.To, "error", err) // what is to arrive is sent again
	}
}

// fromEIGRP takes packets of EIGRP to the control plane, until the socket is closed.
func (g *Gateway) fromEIGRP(s *space, e *eigrpSocket) {
	buf := make([]byte, longestEIGRP)
	limit := flood{rate: eigrpPerSecond, burst: eigrpBurst}
	for {
		p, err := e.Read(buf)
		if err != nil {
			return
		}
		name, ok := (*e.names.Load())[p.Link]
		if !ok {
			continue // of an interface that EIGRP does not run on
		}
		vrf, known := s.id()
		if !known || !limit.allow(time.Now()) {
			g.linux.lost.Add(1)
			continue
		}
		ev := eigrp.PacketReceived{Iface: name, From: p.From, Multicast: p.Multicast, Payload: slices.Clone(p.Payload)}
		if !g.loop.Try(func(now time.Time) { g.core.Router().At(now).EIGRP(vrf, ev) }) {
			g.linux.lost.Add(1)
		}
	}
}

// closeEIGRP closes the socket of a space.
func (s *space) closeEIGRP() error {
	if s.eigrp == nil {
		return nil
	}
	err := s.eigrp.Close()
	s.eigrp = nil
	return err
}

// lastWords is how long a goodbye may be on its way: what leaves by a tunnel's twin is read there, and sent by a worker.
const lastWords = 100 * time.Millisecond

// farewellEIGRP says goodbye on interfaces that go with the next configuration.
func (g *Gateway) farewellEIGRP(next *slowpath.Config) {
	if g.isRunning && g.core.Router().At(time.Now()).QuitEIGRP(next) {
		time.Sleep(lastWords)
	}
}

// leaveEIGRP says goodbye to all neighbors, so that they look for other ways at once.
func (g *Gateway) leaveEIGRP() {
	spoke := false
	g.loop.Call(func(now time.Time) {
		for _, s := range g.spaces {
			spoke = spoke || s.eigrp != nil
		}
		g.core.Router().At(now).ShutDownEIGRP()
	})
	if spoke {
		time.Sleep(lastWords)
	}
}
