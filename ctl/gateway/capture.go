package gateway

import (
	"fmt"
	"time"

	"nave/ctl/capture"
	"nave/fastpath"
	"nave/fastpath/fib"
)

// Capture begins to copy packets. The request's Until is by Ticks.
func (g *Gateway) Capture(r fastpath.CaptureRequest) (*fastpath.Capture, error) {
	return g.engine.Capture(r)
}

// Ticks is the fast path's clock, nanoseconds.
func (g *Gateway) Ticks() int64 { return g.engine.Now() }

// CaptureNames is what the fast path's interfaces are called now; not ok once the Gateway has stopped.
func (g *Gateway) CaptureNames() (n capture.Names, ok bool) {
	ok = g.Do(func(_ time.Time, c *Core) { n = c.captureNames() })
	return n, ok
}

func (c *Core) captureNames() capture.Names {
	n := capture.Names{Ports: make(map[fib.PortID]string), Tunnels: make(map[fib.TunnelID]string), VRFs: make(map[fib.VRF]string), Subs: make(map[capture.Tag]string)}
	for i := range c.current.Interfaces {
		f := &c.current.Interfaces[i]
		if f.Tunnel != nil {
			n.Tunnels[f.Tunnel.ID] = f.Name
		} else if f.Port != 0 {
			n.Ports[f.Port] = f.Name
		}
		if f.Parent != 0 {
			n.Subs[capture.Tag{Port: f.Parent, VLAN: f.VLAN}] = f.Name
		}
	}
	for _, v := range c.current.VRFs {
		n.VRFs[v.ID] = v.Name
	}
	return n
}

// CaptureOn selects an interface by its name in a request to the fast path.
func CaptureOn(r *fastpath.CaptureRequest, n *capture.Names, name string) error {
	if name == capture.Any {
		return nil
	}
	for id, tunnel := range n.Tunnels {
		if tunnel == name {
			r.Tunnel = id
			return nil
		}
	}
	for tag, sub := range n.Subs {
		if sub == name {
			r.Port, r.VLAN = tag.Port, tag.VLAN
		}
	}
	for id, port := range n.Ports {
		if port == name && r.VLAN != 0 {
			r.Sub = id
			return nil
		} else if port == name {
			r.Port = id
			return nil
		}
	}
	return fmt.Errorf("capture: no port or tunnel that forwards is called %q; `show interfaces` lists them, and `any` is all of them", name)
}
