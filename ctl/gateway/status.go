package gateway

import (
	"time"

	"nave/bpf"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/port/afxdp"
	"nave/slowpath"
	"nave/slowpath/rib"
)

// Status is a copy of all that a Gateway can show.
type Status struct {
	Time      time.Time
	Started   time.Time
	Hostname  string
	Running   string // the running configuration, in IOS form
	Problems  []Problem
	Router    slowpath.Status
	Fastpath  fastpath.Snapshot
	Ports     []PortStatus
	Tunnels   map[string]fib.TunnelID
	Peers     []rib.Use // adjacencies of tunnels, to find their counters in Fastpath.Adjacencies
	Steering  bpf.Verdicts
	QueueLost uint64 // punts and requests to Linux that found their queue full
}

// PortStatus is one port.
type PortStatus struct {
	Name   string
	Netdev string
	ID     fib.PortID
	MAC    [6]byte
	MTU    int
	Up     bool
	Native bool // the driver runs the XDP program
	Queues []QueueStatus
}

// QueueStatus is one queue of a port.
type QueueStatus struct {
	Worker   int
	ZeroCopy bool
	Stats    afxdp.Stats
}

// Status copies the state; ok is false once the Gateway has stopped.
func (g *Gateway) Status() (s Status, ok bool) {
	ok = g.loop.Call(func(now time.Time) {
		s = Status{
			Time: now, Started: g.started, Hostname: g.core.tree.Hostname, Running: g.core.tree.Running(),
			Problems: g.core.Problems(), Router: g.core.router.At(now).Status(),
			Tunnels: make(map[string]fib.TunnelID), Peers: g.core.router.Adjacencies(), QueueLost: g.linux.lost.Load(),
		}
		for name, id := range g.core.numbers.tunnels {
			s.Tunnels[name] = id
		}
		for _, name := range g.PortNames() {
			s.Ports = append(s.Ports, g.ports[name].status())
		}
	})
	if !ok {
		return s, false
	}
	s.Fastpath = g.engine.Counters()
	var err error
	if s.Steering, err = g.steering.Verdicts(); err != nil {
		g.opt.Log.Warn("steering counters", "error", err)
	}
	return s, true
}

func (p *port) status() PortStatus {
	s := PortStatus{Name: p.name, Netdev: p.netdev, ID: p.id, MAC: p.link.MAC, MTU: p.link.MTU, Up: p.link.Up}
	if p.attached != nil {
		s.Native = p.attached.Native
	}
	for q, a := range p.queues {
		s.Queues = append(s.Queues, QueueStatus{Worker: q, ZeroCopy: a.ZeroCopy(), Stats: a.Stats()})
	}
	return s
}
