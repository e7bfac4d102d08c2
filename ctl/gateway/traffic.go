package gateway

import (
	"time"

	"nave/ctl/show"
	"nave/fastpath"
	"nave/fastpath/fib"
)

// Traffic is what each port and tunnel has carried; ok is false once the Gateway has stopped. It takes little: it may be asked every second.
func (g *Gateway) Traffic() (out map[string]fastpath.LinkCount, ok bool) {
	ports, tunnels := make(map[string]fib.PortID), make(map[string]fib.TunnelID)
	ok = g.loop.Call(func(time.Time) {
		for k := range g.core.current.Interfaces {
			switch i := &g.core.current.Interfaces[k]; {
			case i.Tunnel != nil:
				tunnels[i.Name] = i.Tunnel.ID
			case i.Port != 0:
				ports[i.Name] = i.Port
			}
		}
	})
	if !ok {
		return nil, false
	}
	n := g.engine.Counters()
	out = make(map[string]fastpath.LinkCount, len(ports)+len(tunnels))
	for name, id := range ports {
		out[name] = n.Ports[id]
	}
	for name, id := range tunnels {
		out[name] = n.Tunnels[id]
	}
	return out, true
}

// Processes are the workers that are processes of their own.
func (g *Gateway) Processes() (out []show.Process) {
	for _, w := range g.workers.Status() {
		out = append(out, show.Process{Worker: w.Worker, PID: w.PID, CPU: w.CPU, Started: w.Started, Restarts: w.Restarts, Adopted: w.Adopted})
	}
	return out
}
