package gateway

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/host"
)

// twin is the device by which the host has a part in an interface of nave's.
type twin struct {
	*host.Twin
	space  *space
	kind   twinKind
	tunnel fib.TunnelID
	port   fib.PortID // of a subinterface
	mac    [6]byte
	mtu    uint16
}

type twinKind uint8

const (
	twinTunnel twinKind = iota // TUN of a tunnel
	twinFrames                 // TAP of a subinterface
	twinLast                   // TUN of a VRF's way of last resort
)

// setTwins makes a twin for each tunnel and subinterface, and takes away those that are gone or in another VRF now.
func (g *Gateway) setTwins() error {
	var failed error
	want := make(map[string]bool)
	keep := make(map[*space]map[string]bool)
	for _, s := range g.spaces {
		keep[s] = map[string]bool{host.LastResort: s.last != nil}
	}
	for k := range g.core.current.Interfaces {
		i := &g.core.current.Interfaces[k]
		s := g.spaceOf(i.VRF)
		if (i.Tunnel == nil && i.Parent == 0) || s == nil {
			continue
		}
		want[i.Name] = true
		err := g.setTwin(s, i)
		failed = errors.Join(failed, err)
		if t := g.twins[i.Name]; t != nil {
			keep[s][t.Name()] = true
		}
	}
	for name, t := range g.twins {
		if !want[name] {
			failed = errors.Join(failed, g.closeTwin(name, t))
		}
	}
	if !g.swept { // what a naved before has left, of tunnels that are no more
		g.swept = true
		for s, names := range keep {
			failed = errors.Join(failed, s.host.DropTwins(func(name string) bool { return names[name] }))
		}
	}
	return failed
}

// spaceOf is the space of a VRF; nil: it could not be made.
func (g *Gateway) spaceOf(vrf fib.VRF) *space { return g.byVRF[vrf] }

func (g *Gateway) setTwin(s *space, i *slowpath.Interface) (failed error) {
	t := g.twins[i.Name]
	if t != nil && t.space != s {
		failed = g.closeTwin(i.Name, t)
		t = nil
	}
	if t == nil {
		var err error
		if t, err = g.openTwin(s, i); err != nil {
			return errors.Join(failed, err)
		}
	}
	if t.mtu != i.MTU {
		t.mtu = i.MTU
		failed = errors.Join(failed, s.host.SetUp(t.Name(), true, int(i.MTU)))
	}
	if t.kind == twinFrames && t.mac != i.MAC {
		t.mac = i.MAC
		failed = errors.Join(failed, s.host.SetMAC(t.Name(), i.MAC))
	}
	return errors.Join(failed, s.host.SetAddresses(t.Name(), i.Addrs))
}

func (g *Gateway) openTwin(s *space, i *slowpath.Interface) (*twin, error) {
	t := &twin{space: s, mtu: i.MTU, mac: i.MAC, port: i.Port}
	var err error
	if i.Tunnel != nil {
		t.tunnel = i.Tunnel.ID
		t.Twin, err = s.host.OpenTwin(i.Name, int(i.MTU))
	} else {
		t.kind = twinFrames
		t.Twin, err = s.host.OpenTap(g.tapName(i.Name), i.MAC, int(i.MTU))
	}
	if err != nil {
		return nil, fmt.Errorf("gateway: interface %s: %w", i.Name, err)
	}
	g.twins[i.Name] = t
	l, err := s.host.Link(t.Name())
	if err != nil {
		return nil, errors.Join(err, g.closeTwin(i.Name, t))
	}
	if t.kind == twinFrames {
		s.links.set(l.Index, device{i.Name, i.Port})
	} else {
		s.tunnels.set(l.Index, device{name: i.Name})
	}
	g.readers.Go(func() { g.fromHost(t) })
	if t.kind == twinFrames {
		g.linux.rewant(i.Name)
	}
	return t, nil
}

func (g *Gateway) closeTwin(name string, t *twin) error {
	delete(g.twins, name)
	t.space.links.remove(name)
	t.space.tunnels.remove(name)
	g.endLease(name)
	if err := t.Close(); err != nil {
		return fmt.Errorf("gateway: interface %s: %w", name, err)
	}
	return nil
}

// tapName is the netdev of a subinterface: the name of its port's netdev, a dot, and its number, as is the habit; where that is too long for Linux, without the first
// characters, since what tells the netdevs of a card apart stands behind.
func (g *Gateway) tapName(name string) string {
	parent, number, _ := strings.Cut(name, ".")
	dev := parent
	if p := g.ports[parent]; p != nil {
		dev = p.netdev
	}
	out := dev + "." + number
	if long := len(out) - (unix.IFNAMSIZ - 1); long > 0 {
		out = out[min(long, len(dev)):]
	}
	return strings.ReplaceAll(out, "/", "_")
}

// fromHost takes what the box's programs send by a twin to the fast path, until it is closed.
func (g *Gateway) fromHost(t *twin) {
	buf := make([]byte, 65536)
	for {
		n, err := t.Read(buf)
		if err != nil {
			return
		}
		in := fastpath.Inject{Packet: buf[:n]}
		if t.kind == twinFrames {
			in.Kind, in.Port = fastpath.InjectFrame, t.port
		} else if n < 20 || buf[0]>>4 != 4 {
			continue // IPv6, which the kernel tries on every device
		} else {
			in.Kind, in.Tunnel = fastpath.InjectRoute, t.tunnel
		}
		var ok bool
		if in.VRF, ok = t.space.id(); !ok { // a tunnel or subinterface that is in another VRF by now takes nothing
			continue
		}
		if g.engine.Inject(in) != nil {
			g.linux.lost.Add(1) // as on a full transmit queue: the sender's transport notices
		}
	}
}
