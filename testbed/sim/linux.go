package sim

import (
	"net/netip"
	"slices"
	"time"

	"nave/bpf"
	"nave/ctl/gateway"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/slowpath"
	"nave/slowpath/bgp"
	"nave/slowpath/rib"
)

// Times of the neighbour table, as Linux has them.
const (
	retransmit   = time.Second // between two ARP requests
	solicits     = 3           // requests for a neighbour that nobody keeps
	answerMargin = 50 * time.Microsecond
)

// linux is the box that a simulated router runs on: it implements slowpath.Linux.
type linux struct {
	r        *Router
	wanted   map[neighbour]bool
	asking   map[neighbour]bool
	spaces   map[string]*space // by VRF
	tcp      *tcp
	logs     []slowpath.Event
	verdicts bpf.Verdicts
}

type neighbour struct {
	iface string
	addr  netip.Addr
}

func newLinux(r *Router) *linux {
	l := &linux{r: r, wanted: make(map[neighbour]bool), asking: make(map[neighbour]bool), spaces: make(map[string]*space)}
	l.tcp = newTCP(l)
	return l
}

// Want implements rib.Neighbours: the neighbour is asked for until somebody answers.
func (l *linux) Want(iface string, addr netip.Addr) {
	n := neighbour{iface, addr}
	l.wanted[n] = true
	l.ask(n, -1)
}

// Unwant implements rib.Neighbours.
func (l *linux) Unwant(iface string, addr netip.Addr) { delete(l.wanted, neighbour{iface, addr}) }

// Resolve implements slowpath.Linux.
func (l *linux) Resolve(iface string, addr netip.Addr) { l.ask(neighbour{iface, addr}, solicits) }

// ask sends an ARP request, and others while it is not answered: left in all, or while the neighbour is wanted.
func (l *linux) ask(n neighbour, left int) {
	p, vlan := l.r.place(n.iface)
	if p == nil || l.asking[n] || left == 0 {
		return
	}
	l.asking[n] = true
	life := l.r.life
	l.r.net.After(2*p.link.cfg.Delay+answerMargin, func() {
		if !l.r.running || l.r.life != life {
			return
		}
		l.asking[n] = false
		if mac, ok := p.link.resolve(l.r, vlan, n.addr.As4()); ok {
			l.r.core.Router().At(l.r.net.Now()).Neighbour(n.iface, n.addr, mac, true)
			l.r.step(timer)
			return
		}
		l.r.net.After(retransmit, func() {
			switch {
			case !l.r.running || l.r.life != life:
			case l.wanted[n]:
				l.ask(n, -1)
			case left > 0:
				l.ask(n, left-1)
			}
		})
	})
}

// Deliver implements slowpath.Linux. Linux takes nothing from a device that claims to come from itself.
func (l *linux) Deliver(vrf fib.VRF, tunnel string, b []byte) {
	s := l.of(vrf)
	if s == nil {
		return
	}
	if tunnel == "" {
		tunnel = lastResort
	}
	if ip, fault := packet.ParseIPv4(b); fault == packet.OK && !s.owns(addr4(ip.Src())) {
		s.stack.receive(tunnel, ip)
	}
}

// DeliverFrame implements slowpath.Linux: a subinterface's twin is a device like any other.
func (l *linux) DeliverFrame(subinterface string, frame []byte) {
	if i, ok := l.r.iface(subinterface); ok {
		if s := l.of(i.VRF); s != nil {
			s.frame(subinterface, i.MAC, frame)
		}
	}
}

// Originate implements slowpath.Linux.
func (l *linux) Originate([]bgp.Local, []bgp.Key) {}

// Routes implements slowpath.Linux: the kernel has what nave has learned or is configured with.
func (l *linux) Routes(changes []rib.Change) {
	for _, c := range changes {
		s := l.of(c.VRF)
		if s == nil {
			continue
		}
		delete(s.routes, c.Prefix)
		switch c.Source {
		case rib.Static, rib.DHCP, rib.BGP, rib.EIGRP:
			if !c.Gone {
				s.routes[c.Prefix] = c.Route
			}
		}
	}
}

// Log implements slowpath.Linux.
func (l *linux) Log(e slowpath.Event) { l.logs = append(l.logs, e) }

func (r *Router) port(iface string) *routerPort {
	for _, p := range r.ports {
		if p.name == iface {
			return p
		}
	}
	return nil
}

// iface is an interface as the control plane was last told it.
func (r *Router) iface(name string) (*slowpath.Interface, bool) {
	all := r.core.Current().Interfaces
	k := slices.IndexFunc(all, func(i slowpath.Interface) bool { return i.Name == name })
	if k < 0 {
		return nil, false
	}
	return &all[k], true
}

// place is the netdev that an interface's frames leave by, nil for tunnels, and their VLAN.
func (r *Router) place(iface string) (*routerPort, uint16) {
	if p := r.port(iface); p != nil {
		return p, 0
	}
	i, ok := r.iface(iface)
	if !ok || i.Parent == 0 {
		return nil, 0
	}
	for _, p := range r.ports {
		if parent, ok := r.iface(p.name); ok && parent.Port == i.Parent {
			return p, i.VLAN
		}
	}
	return nil, 0
}

// tagged is the interface of a port's frames with a VLAN tag; of VLAN 0, without one.
func (r *Router) tagged(p *routerPort, vlan uint16) (*slowpath.Interface, bool) {
	port, ok := r.iface(p.name)
	if !ok || vlan == 0 {
		return port, ok
	}
	all := r.core.Current().Interfaces
	k := slices.IndexFunc(all, func(i slowpath.Interface) bool { return i.Parent == port.Port && i.VLAN == vlan })
	if k < 0 {
		return nil, false
	}
	return &all[k], true
}

func (p *routerPort) facts() gateway.Link {
	return gateway.Link{MAC: p.mac, MTU: p.link.cfg.MTU, Up: !p.link.down}
}

// answers implements element: Linux answers for every address of the VRF that the port or subinterface is in.
func (r *Router) answers(at int, vlan uint16, addr [4]byte) ([6]byte, bool) {
	p := r.ports[at]
	if r.linux == nil {
		return p.mac, false
	}
	s := r.linux.of(fib.Global)
	if i, ok := r.tagged(p, vlan); ok {
		s = r.linux.of(i.VRF)
	} else if vlan != 0 {
		return p.mac, false
	}
	return p.mac, s != nil && s.owns(netip.AddrFrom4(addr))
}

// linkChanged implements element. Linux forgets the neighbours of a link that is down.
func (r *Router) linkChanged(at int) {
	if !r.running {
		return
	}
	p := r.ports[at]
	for n := range r.linux.wanted {
		if q, _ := r.place(n.iface); q != p {
			continue
		}
		if p.link.down {
			r.core.Router().At(r.net.Now()).Neighbour(n.iface, n.addr, [6]byte{}, false)
		}
		r.linux.ask(n, -1)
	}
	r.check(r.core.SetLink(r.net.Now(), p.name, p.facts()))
	r.follow()
}
