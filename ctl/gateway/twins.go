package gateway

import (
	"errors"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/host"
)

// twin is the TUN device of a tunnel interface, and what it was made for.
type twin struct {
	*host.Twin
	id  fib.TunnelID
	mtu uint16
}

// setTwins makes a twin for each tunnel, and takes away those of tunnels that are gone.
func (g *Gateway) setTwins() error {
	want := make(map[string]bool)
	var failed error
	for _, i := range g.core.current.Interfaces {
		if i.Tunnel == nil {
			continue
		}
		want[i.Name] = true
		t := g.twins[i.Name]
		if t == nil {
			h, err := g.host.OpenTwin(i.Name, int(i.MTU))
			if err != nil {
				failed = errors.Join(failed, err)
				continue
			}
			t = &twin{Twin: h, id: i.Tunnel.ID, mtu: i.MTU}
			g.twins[i.Name] = t
			g.readers.Go(func() { g.fromHost(t) })
		} else if t.mtu != i.MTU {
			t.mtu = i.MTU
			failed = errors.Join(failed, g.host.SetUp(i.Name, true, int(i.MTU)))
		}
		failed = errors.Join(failed, g.host.SetAddresses(i.Name, i.Addrs))
	}
	for name, t := range g.twins {
		if !want[name] {
			failed = errors.Join(failed, t.Close())
			delete(g.twins, name)
		}
	}
	return failed
}

// fromHost takes what the box's programs send through the tunnel to the fast path, until the twin is closed.
func (g *Gateway) fromHost(t *twin) {
	buf := make([]byte, 65536)
	for {
		n, err := t.Read(buf)
		if err != nil {
			return
		}
		if n < 20 || buf[0]>>4 != 4 {
			continue // IPv6, which the kernel tries on every device
		}
		err = g.engine.Inject(fastpath.Inject{Kind: fastpath.InjectRoute, Tunnel: t.id, Packet: buf[:n]})
		if err != nil {
			g.linux.lost.Add(1) // as on a full transmit queue: the sender's transport notices
		}
	}
}
