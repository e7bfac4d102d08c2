package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"nave/slowpath"
	"nave/slowpath/host"
	"nave/slowpath/rib"
)

// kernelImport is the routes of others in the kernel's table of a space, on their way to the control plane. Its goroutine has it.
type kernelImport struct {
	watch   *host.RouteWatch
	cancel  context.CancelFunc
	ctx     context.Context
	told    map[netip.Prefix]bool // of what the control plane knows
	devices uint64                // generation of the names of netdevs by which it was told
}

// setKernel has others' routes told of the tables that are to have them, and of no other: a box with the Internet's routes in its kernel pays for them where they are asked for.
func (g *Gateway) setKernel() error {
	var failed error
	want := make(map[*space]bool)
	for vrf := range g.core.current.Kernel {
		s := g.spaceOf(vrf)
		if s == nil {
			continue // it could not be made, and that has been said
		}
		want[s] = true
		devices := s.links.generation() + s.tunnels.generation()
		switch {
		case s.kernel == nil:
			s.kernel = &kernelImport{told: make(map[netip.Prefix]bool), devices: devices}
			if err := g.watchKernel(s, s.kernel); err != nil {
				s.kernel = nil
				failed = errors.Join(failed, fmt.Errorf("gateway: routes of the kernel, %s: %w", s.label(), err))
			}
		case s.kernel.devices != devices: // a netdev is an interface now, or none any more
			s.kernel.devices = devices
			s.kernel.watch.Again()
		}
	}
	for _, s := range g.spaces {
		if s.kernel != nil && !want[s] {
			g.endKernel(s)
		}
	}
	return failed
}

func (g *Gateway) watchKernel(s *space, k *kernelImport) (err error) {
	k.ctx, k.cancel = context.WithCancel(s.ctx)
	k.watch, err = s.host.WatchRoutes(k.ctx, func(changed []host.OtherRoute) {
		g.loop.Do(func(now time.Time) {
			if k.ctx.Err() == nil {
				g.core.Router().At(now).KernelRoutes(k.translate(s, changed))
			}
		})
	})
	if err != nil {
		k.cancel()
	}
	return err
}

// endKernel stops watching the table of a space, and takes back what was told.
func (g *Gateway) endKernel(s *space) {
	k := s.kernel
	s.kernel = nil
	k.cancel()
	vrf, ok := s.id()
	if !ok {
		return // the table is gone
	}
	var gone []slowpath.KernelRoute
	for p := range k.told {
		gone = append(gone, slowpath.KernelRoute{VRF: vrf, Prefix: p, Gone: true})
	}
	g.core.Router().At(time.Now()).KernelRoutes(gone)
}

// translate is what the control plane is told: next hops by interfaces of nave's. A route that has none is nobody's to it, as what the kernel sends by other netdevs nave can't forward.
func (k *kernelImport) translate(s *space, changed []host.OtherRoute) []slowpath.KernelRoute {
	vrf, ok := s.id()
	if !ok {
		return nil
	}
	out := make([]slowpath.KernelRoute, 0, len(changed))
	for i := range changed {
		c := &changed[i]
		r := slowpath.KernelRoute{VRF: vrf, Prefix: c.Prefix, Protocol: c.Protocol, Metric: c.Metric, Discard: c.Discard}
		for _, h := range c.Hops {
			d, ok := s.interfaceAt(h.Link)
			if ok {
				r.Hops = append(r.Hops, rib.NextHop{Iface: d.name, Addr: h.Gateway, Share: uint8(min(h.Weight, 255))})
			}
		}
		if len(r.Hops) == 1 {
			r.Hops[0].Share = 0
		}
		if len(r.Hops) == 0 && !c.Discard {
			if !k.told[c.Prefix] {
				continue
			}
			delete(k.told, c.Prefix)
			r = slowpath.KernelRoute{VRF: vrf, Prefix: c.Prefix, Gone: true}
		} else {
			k.told[c.Prefix] = true
		}
		out = append(out, r)
	}
	return out
}

// interfaceAt is the interface that a netdev is: a port's own, or a twin.
func (s *space) interfaceAt(link int) (device, bool) {
	if d, ok := s.links.find(link); ok {
		return d, true
	}
	return s.tunnels.find(link)
}
