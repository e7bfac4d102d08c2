package gateway

import (
	"slices"
	"time"

	"nave/ctl/config"
	"nave/ctl/show"
)

// Status copies the state; ok is false once the Gateway has stopped.
func (g *Gateway) Status() (s show.Status, ok bool) {
	ok = g.loop.Call(func(now time.Time) {
		s = g.core.Status(now)
		s.Started, s.QueueLost = g.started, g.linux.lost.Load()
		for _, name := range g.PortNames() {
			s.Ports = append(s.Ports, g.ports[name].status())
		}
	})
	if !ok {
		return s, false
	}
	names := g.Namespaces()
	for i := range s.VRFs {
		s.VRFs[i].Netns = names[s.VRFs[i].Name]
	}
	s.Version = Version
	g.describeQueues(&s)
	s.Shares = g.engine.Shares()
	for r := range g.refused {
		s.Router.Policed[r] += g.refused[r].Load()
	}
	s.Fastpath = g.engine.Counters()
	var err error
	if s.Steering, err = g.steering.Verdicts(); err != nil {
		g.opt.Log.Warn("steering counters", "error", err)
	}
	return s, true
}

// Flows copies the flows with the most packets; ok is false once the Gateway has stopped. The control plane goes on meanwhile.
func (g *Gateway) Flows(most int) (c show.FlowCache, ok bool) {
	if g.ctx.Err() != nil {
		return c, false
	}
	return show.CollectFlows(g.engine, most), true
}

// Status copies what a Core knows.
func (c *Core) Status(now time.Time) show.Status {
	s := show.Status{
		Time: now, Hostname: c.tree.Hostname, Running: c.tree.Masked(), Problems: c.Problems(),
		Router: c.router.At(now).Status(), Interfaces: make(map[string]show.Configured), Peers: c.router.Adjacencies(),
		Crypto: configuredCrypto(c.tree, c.current.IKE.V1.Policies), VRFs: c.vrfStatus(), MPLS: c.mplsStatus(),
		Protocols: show.Protocols{EIGRP: c.eigrpConfigured(), BGP: c.bgpConfigured()}, KeyChains: c.keyChains(),
	}
	s.Hardware = c.hardware.status(c.current.Interfaces, s.Router.Sessions.Sessions)
	if c.tree.BGP != nil {
		s.BGPAS = c.tree.BGP.AS
	}
	for _, i := range c.tree.Interfaces {
		d := show.Configured{
			Description: i.Description, Shutdown: i.Shutdown, DHCP: i.DHCP, Bandwidth: i.Bandwidth, Delay: i.Delay,
			Source: i.Tunnel.SourceInterface, Multipoint: i.Tunnel.Mode == config.GREMultipoint, Profile: i.Tunnel.Protection.Profile,
			Shared: i.Tunnel.Protection.Shared, MPLS: i.MPLS.IP, BGPLabels: i.MPLS.BGPForwarding, MPLSMTU: i.MPLS.MTU,
		}
		if i.Tunnel.SourceAddr.IsValid() {
			d.Source = i.Tunnel.SourceAddr.String()
		}
		s.Interfaces[i.Name] = d
	}
	return s
}

func (p *port) status() show.Port {
	s := show.Port{Name: p.name, Netdev: p.netdev, ID: p.id, MAC: p.link.MAC, MTU: p.link.MTU, Up: p.link.Up}
	if p.attached != nil {
		s.Native = p.attached.Native
	}
	p.sharingMu.Lock()
	s.HandsOver, s.WhyHandOver = p.sharing.on, p.sharing.why
	p.sharingMu.Unlock()
	return s
}

// describeQueues asks the workers about the queues of the ports, and what they are themselves.
func (g *Gateway) describeQueues(s *show.Status) {
	for w := range g.engine.Workers() {
		h, err := g.workers.Host(w)
		if err != nil {
			g.opt.Log.Debug("a worker's ports", "worker", w, "error", err)
			continue
		}
		for _, q := range h.Ports {
			for i := range s.Ports {
				if s.Ports[i].ID == q.Port {
					s.Ports[i].Queues = append(s.Ports[i].Queues, show.Queue{
						Queue: q.Queue, Worker: w, ZeroCopy: q.ZeroCopy, CopyWhy: q.CopyWhy, BusyPoll: q.BusyPoll, BusyWhy: q.BusyWhy, Ring: q.Ring, Stats: q.Stats,
					})
				}
			}
		}
		s.Memory = append(s.Memory, show.Memory{Worker: w, Huge: h.Huge, Why: h.HugeWhy, Pages: h.HugePages})
	}
	for i := range s.Ports {
		p := &s.Ports[i]
		slices.SortFunc(p.Queues, func(a, b show.Queue) int { return a.Queue - b.Queue })
		p.NIC = g.cards.status(p.Name)
		for w, via := range relays(g.ports[p.Name].queues, g.engine.Workers()) {
			p.Relays = append(p.Relays, show.Relay{Worker: w, Via: via})
		}
		slices.SortFunc(p.Relays, func(a, b show.Relay) int { return a.Worker - b.Worker })
	}
	s.Workers = g.Processes()
}
