package sim

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"time"

	"nave/ctl/api"
	"nave/ctl/cli"
	"nave/ctl/config"
	"nave/ctl/gateway"
	"nave/ctl/show"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/port"
	"nave/fastpath/port/mem"
	"nave/slowpath"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
)

// Router is a gateway: what naved is, without Linux.
type Router struct {
	net     *Net
	name    string
	text    string
	ports   []*routerPort
	pool    *port.Pool
	engine  *fastpath.Engine
	worker  *fastpath.Worker
	core    *gateway.Core
	linux   *linux
	leases  map[string]gateway.Lease
	started time.Time
	running bool
	// profiles is the folder of hardware profiles of its own; "": it has none.
	profiles string
	orphan   bool  // the fast path runs, and nobody tells it anything
	life     int   // counts starts: what was asked in an earlier life is not answered
	wake     int64 // when the timer is set for
}

// routerPort is a netdev of a router.
type routerPort struct {
	r    *Router
	name string // of the interface
	mac  [6]byte
	link *Link
	end  *mem.End
	id   fib.PortID // once the worker has it
}

// Bounds of a simulated router: small, so that a thousand of them fit.
const (
	routerFrames = 512
	maxSpins     = 100000
)

// engineConfig sizes the fast path of a simulated router.
var engineConfig = fastpath.Config{
	Private: true, ArenaBytes: 64 << 20, MaxVRFs: 16, MaxPorts: 16, MaxTunnels: 16, MaxAdjacencies: 8192, MaxGroups: 64, MaxRoutes: 1 << 15,
	PuntSlots: 512, InjectSlots: 512, Flows: 4096, SlotSize: 2048 + 64,
}

// AddRouter makes a gateway with a configuration in the IOS dialect. It starts with the next Run.
func (n *Net) AddRouter(name, text string) *Router {
	n.t.Helper()
	r := &Router{
		net: n, name: name, text: text, pool: port.NewPool(make([]byte, routerFrames*chunk), chunk), leases: make(map[string]gateway.Lease),
	}
	n.add(r)
	return r
}

func (r *Router) plug(iface string, l *Link) (attachment, func(*mem.End)) {
	p := &routerPort{r: r, name: iface, mac: r.net.newMAC(), link: l}
	r.ports = append(r.ports, p)
	return attachment{r, len(r.ports) - 1}, func(e *mem.End) { p.end = e }
}

func (r *Router) called() string { return r.name }

// Router finds a gateway by name.
func (n *Net) Router(name string) *Router {
	n.t.Helper()
	r, ok := n.elements[name].(*Router)
	if !ok {
		n.t.Fatalf("sim: there is no router %s", name)
	}
	return r
}

func (n *Net) startRouters() {
	for _, e := range n.order {
		if r, ok := e.(*Router); ok && r.life == 0 {
			r.Start()
		}
	}
}

// tree parses a configuration; errors end the test.
func (r *Router) tree(text string) *config.Config {
	r.net.t.Helper()
	tree, diags := config.Parse(r.name+".cfg", []byte(text))
	diags = append(diags, config.Check(tree)...)
	if diags.HasErrors() {
		for _, d := range diags {
			r.net.t.Log(d)
		}
		r.net.t.Fatalf("sim: the configuration of %s has errors", r.name)
	}
	return tree
}

// Start starts a gateway that does not run, with nothing of what it knew before.
func (r *Router) Start() {
	r.net.t.Helper()
	if r.running {
		return
	}
	var err error
	if r.engine, err = fastpath.New(engineConfig); err != nil {
		r.net.t.Fatal(err)
	}
	if r.worker, err = r.engine.NewWorker(r.pool); err != nil {
		r.net.t.Fatal(err)
	}
	for _, p := range r.ports {
		p.id = 0
	}
	r.begin()
	r.Configure(r.text)
}

// begin makes a control plane.
func (r *Router) begin() {
	r.net.t.Helper()
	r.life++
	r.running, r.orphan, r.started, r.wake = true, false, r.net.Now(), 0
	r.linux = newLinux(r)
	r.core = gateway.NewSeededCore(r.engine, r.linux, r.net.rng.Uint64())
	r.core.Emulate(&gateway.Profiles{Dir: r.profiles}, r.engine)
	if b := r.engine.Inherited(); !b.Empty() {
		r.core.Inherit(r.net.Now(), b)
	}
	for _, p := range r.ports {
		r.check(r.core.SetLink(r.net.Now(), p.name, p.facts()))
	}
	for name, l := range r.leases {
		r.check(r.core.SetLease(r.net.Now(), name, l))
	}
}

// Orphan ends the control plane as a crash would, and leaves the fast path alone: it forwards on by what it was told last. What it punts waits.
func (r *Router) Orphan() {
	if e := r.core.Router().Status().Error; e != "" {
		r.net.t.Errorf("sim: %s: %s", r.name, e)
	}
	r.orphan = true
	r.life++
}

// TakeOver starts another control plane on the fast path of an orphan, with a configuration. Addresses that DHCP gave are not confirmed
// by any server then: SetLease does that.
func (r *Router) TakeOver(text string) {
	r.net.t.Helper()
	clear(r.leases)
	r.begin()
	r.Configure(text)
	for _, i := range r.core.Current().Interfaces {
		for _, p := range r.ports {
			if p.name == i.Name && p.id != 0 && p.id != i.Port {
				r.net.t.Errorf("sim: %s: %s is port %d of the fast path, and numbered %d", r.name, p.name, p.id, i.Port)
			}
		}
	}
}

// ShutDown ends the gateway as its operator does: neighbours hear of it.
func (r *Router) ShutDown() {
	if !r.running {
		return
	}
	r.core.Router().At(r.net.Now()).ShutDownEIGRP()
	r.step(timer)
	r.Stop()
}

// Stop ends the gateway as a crash would: its ports keep their addresses and answer pings, and nothing is forwarded.
func (r *Router) Stop() {
	if !r.running {
		return
	}
	r.running = false
	if e := r.core.Router().Status().Error; e != "" {
		r.net.t.Errorf("sim: %s: %s", r.name, e)
	}
	for _, p := range r.ports {
		if p.id != 0 {
			r.worker.Detach(p.id)
		}
	}
	r.check(r.engine.Close())
}

// Configure runs by another configuration.
func (r *Router) Configure(text string) {
	r.net.t.Helper()
	r.text = text
	r.check(r.core.Configure(r.net.Now(), r.tree(text)))
	r.follow()
}

// Edit replaces a piece of the configuration, which must be there.
func (r *Router) Edit(old, with string) {
	r.net.t.Helper()
	if !strings.Contains(r.text, old) {
		r.net.t.Fatalf("sim: the configuration of %s has no %q", r.name, old)
	}
	r.Configure(strings.Replace(r.text, old, with, 1))
}

// SetLease says what DHCP gave on an interface; the zero Lease takes it away.
func (r *Router) SetLease(iface string, l gateway.Lease) {
	r.net.t.Helper()
	r.leases[iface] = l
	if !r.running {
		return
	}
	r.check(r.core.SetLease(r.net.Now(), iface, l))
	r.follow()
}

func (r *Router) check(err error) {
	r.net.t.Helper()
	if err != nil {
		r.net.t.Fatalf("sim: %s: %v", r.name, err)
	}
}

// follow gives the worker the ports that have become known, and turns the router.
func (r *Router) follow() {
	for _, i := range r.core.Current().Interfaces {
		for _, p := range r.ports {
			if p.name == i.Name && p.id == 0 && i.Port != 0 {
				p.id = i.Port
				r.check(r.worker.Attach(p.id, p))
			}
		}
	}
	r.step(timer)
}

// step turns the router until it has nothing left to do now.
func (r *Router) step(int) {
	if !r.running {
		for _, p := range r.ports {
			p.discard()
		}
		return
	}
	for spins := 0; ; spins++ {
		if spins == maxSpins {
			r.net.t.Fatalf("sim: %s finds no rest at %v: deadline %v", r.name, r.net.Now(), r.core.Router().Deadline())
		}
		n := r.worker.Poll(r.net.now)
		for _, p := range r.ports {
			n += p.handOver()
		}
		if r.orphan {
			if n == 0 {
				return
			}
			continue
		}
		n += r.engine.Drain(0, func(p *fastpath.Punt) { r.core.Router().At(r.net.Now()).Punt(p) })
		if d := r.core.Router().Deadline(); !d.IsZero() && !d.After(r.net.Now()) {
			r.core.Router().Tick(r.net.Now())
			n++
		}
		if n == 0 {
			break
		}
	}
	r.setTimer()
}

func (r *Router) setTimer() {
	d := r.core.Router().Deadline()
	if d.IsZero() {
		return
	}
	at := int64(d.Sub(epoch))
	if r.wake > r.net.now && r.wake <= at {
		return // it is woken before, and looks again then
	}
	r.wake = at
	r.net.at(at, event{el: r, port: timer})
}

// Core is the router's control plane, for what the Net has no method for.
func (r *Router) Core() *gateway.Core { return r.core }

// Events lists what the router logged since it started.
func (r *Router) Events() []slowpath.Event { return slices.Clone(r.linux.logs) }

// Logs lists what NHRP logged since the router started.
func (r *Router) Logs() (out []nhrp.Log) {
	for _, e := range r.linux.logs {
		if l, ok := e.(nhrp.Log); ok {
			out = append(out, l)
		}
	}
	return out
}

// Send has the box itself send a packet out of an interface: of a tunnel through its twin.
func (r *Router) Send(iface string, ip []byte) {
	r.net.t.Helper()
	if !r.linux.out(iface, netip.Addr{}, ip) {
		r.net.t.Fatalf("sim: %s has no interface %s", r.name, iface)
	}
	r.step(timer)
}

// Counters are the fast path's numbers.
func (r *Router) Counters() fastpath.Snapshot { return r.engine.Counters() }

// Status is what the daemon's API would give.
func (n *Net) Status(name string) *show.Status {
	r := n.Router(name)
	s := r.core.Status(n.Now())
	s.Started, s.Version, s.Fastpath, s.Steering = r.started, "nave sim", r.engine.Counters(), r.linux.verdicts
	for _, p := range r.ports {
		s.Ports = append(s.Ports, show.Port{
			Name: p.name, Netdev: p.name, ID: p.id, MAC: p.mac, MTU: p.link.cfg.MTU, Up: !p.link.down, Queues: []show.Queue{{}},
		})
	}
	return &s
}

// Status implements cli.Daemon.
func (r *Router) Status() (*show.Status, error) { return r.net.Status(r.name), nil }

// Flows implements cli.Daemon.
func (r *Router) Flows(most int) (*show.FlowCache, error) {
	c := show.CollectFlows(r.engine, most)
	return &c, nil
}

// Clear implements cli.Daemon.
func (r *Router) Clear(c api.Clear) error {
	router := r.core.Router().At(r.net.Now())
	crypto := ike.Clear{SA: ike.SAID(c.SA), Remote: c.NBMA}
	switch c.What {
	case api.ClearStatistics:
		router.ClearStatistics(nhrp.ClearStatistics{Which: which(c)})
	case api.ClearIPsec:
		crypto.Children = true
		router.ClearIKE(crypto)
	case api.ClearISAKMP, api.ClearIKEv2:
		crypto.Version = 1
		if c.What == api.ClearIKEv2 {
			crypto.Version = 2
		}
		router.ClearIKE(crypto)
	case api.ClearCrypto:
		router.ClearIKE(crypto)
	default:
		router.Clear(nhrp.Clear{Which: which(c), Protocol: c.Network, Static: c.Static})
	}
	r.step(timer)
	return nil
}

func which(c api.Clear) nhrp.Which {
	w := nhrp.Which{Iface: c.Iface, VRF: c.VRF, InVRF: c.VRF != "", NBMA: c.NBMA, Inside: c.Inside, Tunnel: c.Tunnel}
	if c.VRF == show.GlobalVRF {
		w.VRF = ""
	}
	return w
}

// Reload implements cli.Daemon.
func (r *Router) Reload() error {
	r.Configure(r.text)
	return nil
}

// Show is the output of a command on a router, as `nave` prints it.
func (n *Net) Show(name, command string) string {
	n.t.Helper()
	var out bytes.Buffer
	s := cli.Session{Daemon: n.Router(name), Out: &out}
	if err := s.Run(command); err != nil {
		n.t.Fatalf("sim: %s: %v", name, err)
	}
	return out.String()
}
