package gateway

import (
	"context"
	"time"

	"nave/slowpath/host"
)

// setLeases runs a DHCP client for each interface that wants one.
func (g *Gateway) setLeases() error {
	want := make(map[string]string)
	for _, i := range g.core.tree.Interfaces {
		if s, _ := g.deviceOf(i.Name); i.DHCP && !i.Shutdown && s != nil {
			want[i.Name] = i.DHCPHost
		}
	}
	for name, cancel := range g.leases {
		if _, ok := want[name]; !ok {
			cancel()
			delete(g.leases, name)
			g.leased(time.Now(), name, host.Lease{})
		}
	}
	for name, hostname := range want {
		if g.leases[name] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(g.ctx)
		g.leases[name] = cancel
		s, netdev := g.deviceOf(name)
		if g.core.Presumes(name) {
			g.endPresumed(ctx, name)
		}
		if hostname == "" {
			hostname = g.core.tree.Hostname
		}
		g.readers.Go(func() {
			s.host.RunDHCP(ctx, netdev, hostname, g.opt.Log, func(l host.Lease) {
				g.loop.Do(func(now time.Time) {
					if ctx.Err() == nil {
						g.leased(now, name, l)
					}
				})
			})
		})
	}
	return nil
}

// endLease ends the DHCP client of an interface whose netdev moves: what it has is of no use elsewhere.
func (g *Gateway) endLease(name string) {
	cancel := g.leases[name]
	if cancel == nil {
		return
	}
	cancel()
	delete(g.leases, name)
	if err := g.core.SetLease(time.Now(), name, Lease{}); err != nil {
		g.opt.Log.Error("DHCP lease", "interface", name, "error", err)
	}
}

// deviceOf is the netdev that the host has of a port or subinterface, and the space that it is in; nil for others, and while there is none.
func (g *Gateway) deviceOf(name string) (*space, string) {
	if p := g.ports[name]; p != nil {
		return p.space, p.netdev
	}
	if t := g.twins[name]; t != nil && t.kind == twinFrames {
		return t.space, t.Name()
	}
	return nil, ""
}

// endPresumed gives a lease up after a while that no server has confirmed.
func (g *Gateway) endPresumed(ctx context.Context, name string) {
	time.AfterFunc(presumeFor, func() {
		if ctx.Err() != nil {
			return
		}
		g.loop.Do(func(now time.Time) {
			if ctx.Err() == nil && g.core.Presumes(name) {
				g.leased(now, name, host.Lease{})
			}
		})
	})
}

// leased makes the box use what DHCP gave.
func (g *Gateway) leased(now time.Time, name string, l host.Lease) {
	if l.Address.IsValid() {
		g.opt.Log.Info("DHCP lease", "interface", name, "address", l.Address, "gateway", l.Gateway, "until", l.Expires)
	} else {
		g.opt.Log.Info("DHCP lease lost", "interface", name)
	}
	before := g.core.facts.Leases[name]
	next := Lease{Address: l.Address, Gateway: l.Gateway}
	if err := g.core.SetLease(now, name, next); err != nil {
		g.opt.Log.Error("DHCP lease", "interface", name, "error", err)
	}
	if before == next {
		return
	}
	if err := g.follow(); err != nil {
		g.opt.Log.Error("DHCP lease", "interface", name, "error", err)
	}
}
