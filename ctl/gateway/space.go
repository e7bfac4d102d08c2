package gateway

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"nave/ctl/config"
	"nave/ctl/crew"
	"nave/fastpath/fib"
	"nave/fastpath/port/afxdp"
	"nave/slowpath"
	"nave/slowpath/host"
)

// space is a routing table as Linux has it: the network namespace of a VRF, or the one that naved runs in for the global table. The control plane's goroutine has it, but for
// host, whose functions any may call while ctx lasts.
type space struct {
	name  string // of the VRF; "": the global table
	host  *host.Host
	vrf   atomic.Uint32        // its number; noVRF while it has none
	last  *twin                // by which the host reaches what it knows no way to, and gets what came by a label
	ike   map[uint16]*host.UDP // sockets of IKE, by port
	eigrp *eigrpSocket         // nil while EIGRP has no interface here
	links indices              // of ports and subinterfaces' twins
	// tunnels are the indices of tunnels' twins: of those there are no neighbours to hear of.
	tunnels indices
	kernel  *kernelImport   // of others' routes; nil: they are not asked for
	routes  routeTable      // nave's, in its kernel's table
	told    map[string]bool // what the log has been told
	ctx     context.Context
	cancel  context.CancelFunc
}

// noVRF is the number of a table that is none: a VRF that is not configured any more, or not yet.
const noVRF = 1 << 16

func (g *Gateway) newSpace(name string, h *host.Host) *space {
	s := &space{name: name, host: h, ike: make(map[uint16]*host.UDP), told: make(map[string]bool)}
	s.ctx, s.cancel = context.WithCancel(g.ctx)
	if name != "" {
		s.vrf.Store(noVRF)
	} else {
		g.byVRF[fib.Global] = s
	}
	g.spaces[name] = s
	g.registry.add(s)
	return s
}

// number is how the sockets of ports in the space are told from those of naved's own: 0.
func (s *space) number() uint64 {
	if s.name == "" {
		return 0
	}
	return s.host.Inode()
}

// id is the number of the space's VRF.
func (s *space) id() (fib.VRF, bool) {
	n := s.vrf.Load()
	return fib.VRF(n), n != noVRF
}

// indices are the netdevs of a space that are interfaces: names and numbers by index. Watchers and readers of sockets look here.
type indices struct {
	mu      sync.Mutex
	m       map[int]device
	changes uint64
}

// generation is another when something has changed.
func (x *indices) generation() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.changes
}

// device is the interface that a netdev is.
type device struct {
	name string
	id   fib.PortID
}

func (x *indices) set(index int, d device) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.m == nil {
		x.m = make(map[int]device)
	}
	if x.m[index] == d {
		return
	}
	x.changes++
	maps.DeleteFunc(x.m, func(_ int, old device) bool { return old.name == d.name })
	x.m[index] = d
}

func (x *indices) remove(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.changes++
	maps.DeleteFunc(x.m, func(_ int, old device) bool { return old.name == name })
}

func (x *indices) find(index int) (device, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	d, ok := x.m[index]
	return d, ok
}

// registry finds namespaces from any goroutine.
type registry struct {
	mu sync.Mutex
	m  map[string]*space
}

func (r *registry) add(s *space) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.m == nil {
		r.m = make(map[string]*space)
	}
	r.m[s.name] = s
}

func (r *registry) remove(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.m, name)
}

func (r *registry) find(is func(*space) bool) *space {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.m {
		if is(s) {
			return s
		}
	}
	return nil
}

// Namespaces are the names that `ip netns` has for the VRFs' network namespaces, by VRF. Any goroutine may call it.
func (g *Gateway) Namespaces() map[string]string {
	g.registry.mu.Lock()
	defer g.registry.mu.Unlock()
	out := make(map[string]string)
	for name, s := range g.registry.m {
		if name != "" {
			out[name] = s.host.Name()
		}
	}
	return out
}

// openSocket makes a socket for a port of a VRF, for its worker.
func (g *Gateway) openSocket(a crew.Attach) (fd int, err error) {
	s := g.registry.find(func(s *space) bool { return s.number() == a.Space })
	if s == nil {
		return -1, errors.New("its network namespace is gone")
	}
	err = s.host.Within(func() (err error) { fd, err = afxdp.NewSocket(); return err })
	return fd, err
}

// openSpaces takes hold of the namespaces that a naved before has left, and makes those of the VRFs that ports are to be in.
func (g *Gateway) openSpaces(tree *config.Config) error {
	n, err := host.NewNamespaces(g.home.host, g.opt.RunDir)
	if err != nil {
		return err
	}
	g.namespaces = n
	left, err := n.Left()
	if err != nil {
		return err
	}
	for _, name := range left {
		if _, err := g.openSpace(name); err != nil {
			return err
		}
	}
	for name := range g.opt.Ports {
		if _, err := g.openSpace(vrfOf(tree, name)); err != nil {
			return err
		}
	}
	if len(g.spaces) > 1 && n.Private() {
		g.opt.Log.Warn("naved has a mount namespace of its own: `ip netns` does not see the network namespaces of VRFs, and the next naved won't find them; take the sandboxing options out of its unit that make one (docs/vrf.md)")
	}
	return nil
}

// openSpace finds or makes the space of a VRF.
func (g *Gateway) openSpace(name string) (*space, error) {
	if s := g.spaces[name]; s != nil {
		return s, nil
	}
	h, err := g.namespaces.Open(name)
	if err != nil {
		return nil, err
	}
	g.opt.Log.Info("network namespace", "vrf", name, "netns", h.Name())
	s := g.newSpace(name, h)
	if err := g.openRoutes(s); err != nil {
		g.forget(s)
		return nil, err
	}
	if !g.isRunning {
		return s, nil
	}
	if err := g.watch(s); err != nil { // unwatched it would be of no use: it is opened again
		s.routes.Close()
		g.forget(s)
		return nil, err
	}
	return s, nil
}

// forget ends a space that could not be opened.
func (g *Gateway) forget(s *space) {
	s.cancel()
	delete(g.spaces, s.name)
	g.registry.remove(s.name)
	s.host.Close()
}

// vrfOf is the VRF that a port is configured in, "" where that does not exist: then it is in no table, and at home.
func vrfOf(tree *config.Config, name string) string {
	for _, i := range tree.Interfaces {
		if i.Name == name && tree.VRF(i.VRF) != nil {
			return i.VRF
		}
	}
	return ""
}

// setSpaces makes the spaces of the VRFs that there are, and gives them their numbers. Each VRF's has the way of last resort.
func (g *Gateway) setSpaces() error {
	var failed error
	clear(g.byVRF)
	g.byVRF[fib.Global] = g.home
	for name, s := range g.spaces {
		if name != "" && !slices.ContainsFunc(g.core.current.VRFs, func(v slowpath.VRF) bool { return v.Name == name }) {
			s.vrf.Store(noVRF)
		}
	}
	for _, v := range g.core.current.VRFs {
		s, err := g.openSpace(v.Name)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		s.vrf.Store(uint32(v.ID))
		g.byVRF[v.ID] = s
		failed = errors.Join(failed, g.openLast(s))
	}
	if slices.ContainsFunc(g.core.current.Interfaces, func(i slowpath.Interface) bool { return i.MPLS }) {
		failed = errors.Join(failed, g.openLast(g.home))
	}
	return failed
}

// lastMTU is the MTU of the way of last resort: that of the paths is found by ICMP.
const lastMTU = 1500

// openLast gives a space its way of last resort; the global table's is for what comes by a label alone.
func (g *Gateway) openLast(s *space) error {
	if s.last != nil {
		return nil
	}
	h, err := s.host.OpenTwin(host.LastResort, lastMTU)
	if err != nil {
		return err
	}
	if s != g.home {
		if err := s.host.SetLastResort(host.LastResort); err != nil {
			return errors.Join(err, h.Close()) // and tried again
		}
	}
	s.last = &twin{Twin: h, space: s, kind: twinLast, mtu: lastMTU}
	g.readers.Go(func() { g.fromHost(s.last) })
	return nil
}

// dropSpaces takes the spaces of VRFs away that are not configured any more. What they held has left them.
func (g *Gateway) dropSpaces() error {
	var failed error
	for name, s := range g.spaces {
		if _, ok := s.id(); ok || g.holds(s) {
			continue
		}
		failed = errors.Join(failed, g.dropSpace(name, s))
	}
	return failed
}

// holds tells whether a port or twin is in a space still: one that could not leave it, which has been said.
func (g *Gateway) holds(s *space) bool {
	for _, p := range g.ports {
		if p.space == s {
			return true
		}
	}
	for _, t := range g.twins {
		if t.space == s {
			return true
		}
	}
	return false
}

// dropSpace takes a space away. One that holds a netdev of somebody else's stays, which is no failure of the configuration, and is found again by the next naved.
func (g *Gateway) dropSpace(name string, s *space) error {
	s.cancel()
	if g.linux != nil {
		g.linux.drain()
	}
	delete(g.spaces, name)
	g.registry.remove(name)
	s.routes.Close()
	err := errors.Join(s.closeSockets(), s.closeEIGRP())
	if s.last != nil {
		err = errors.Join(err, s.last.Close())
	}
	gone := g.namespaces.Remove(name, s.host)
	if errors.Is(gone, host.ErrInUse) {
		g.opt.Log.Warn("a VRF is not configured any more", "vrf", name, "error", gone)
		return err
	}
	return errors.Join(err, gone)
}

// closeSockets closes those of IKE.
func (s *space) closeSockets() (failed error) {
	for _, u := range s.ike {
		failed = errors.Join(failed, u.Close())
	}
	clear(s.ike)
	return failed
}

// watch has the control plane told of what changes in a space.
func (g *Gateway) watch(s *space) error {
	if err := s.host.Watch(s.ctx, g.watcher(s)); err != nil {
		return err
	}
	return s.host.WatchPathMTU(s.ctx, func(t host.TooBig) { g.tooBig(s, t) })
}
