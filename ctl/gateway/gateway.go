package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"nave/bpf"
	"nave/ctl/config"
	"nave/ctl/crew"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/eigrp"
	"nave/slowpath/host"
	"nave/slowpath/loop"
	"nave/slowpath/punt"
)

// Options say how a Gateway runs on its box.
type Options struct {
	Ports  map[string]string // netdev by interface name: "Ethernet0" to "eth0"
	RunDir string            // for what outlives the process: pins and notes of what was added. One a daemon
	Copy   bool              // AF_XDP without zero-copy, for drivers whose zero-copy is broken
	Log    *slog.Logger
	// Worker is the program that runs crew.Main, and its arguments, for worker processes. Default: this program.
	Worker []string
	// Profiles choose the hardware that the box is to be like; nil: those that come with nave, as the configuration says.
	Profiles *Profiles
	// Event takes what the protocols report. It must not block.
	Event func(Event)
}

// Event is what the protocols report: an nhrp.Log, ike.Log or dmvpn.Log.
type Event = slowpath.Event

// Gateway is a running box.
type Gateway struct {
	opt      Options
	home     *space            // the global table
	spaces   map[string]*space // by VRF; "": home
	byVRF    map[fib.VRF]*space
	registry registry
	// namespaces are those of the VRFs' spaces.
	namespaces *host.Namespaces
	steering   *bpf.Steering
	engine     *fastpath.Engine
	core       *Core
	loop       *loop.Loop
	started    time.Time
	linux      *linux
	ldp        *ldpSockets
	// lateEIGRP are packets of EIGRP for interfaces whose netdev is not there yet. The control plane's goroutine has it.
	lateEIGRP map[lateEIGRP]eigrp.Send
	border    *border
	ports     map[string]*port // by interface name; fixed once started
	twins     map[string]*twin
	leases    map[string]context.CancelFunc
	slots     slots
	sockets   crew.Sockets // how the workers' are to be
	fetched   []string     // netdevs that the start has moved
	swept     bool         // twins that a naved before had left are gone
	// isRunning: the goroutines are there.
	isRunning bool
	workers   workers
	threads   *threads   // the workers, if they are threads
	crew      *crew.Crew // or if they are processes
	cards     *cards
	balancer  balancer
	ctx       context.Context
	cancel    context.CancelFunc
	running   sync.WaitGroup // the control plane and the workers
	readers   sync.WaitGroup // of twins and DHCP servers
	failed    chan error     // the first failure of something that must not fail
	unlock    func()
	pins      string                             // folder of the XDP links' pins
	refused   [fastpath.NumReasons]atomic.Uint64 // punts that came too often
}

// ErrPartly is in the error of a configuration that runs, but for parts that Linux refused.
var ErrPartly = errors.New("the configuration runs, but for what the box refused")

// Start makes a box of a configuration and runs it until Stop or Leave; ctx is for the start alone. What the box refuses of the configuration is logged, and tried
// again by Configure. On an error steering that it put on is taken off again;
// addresses stay, and are known for nave's own; workers that were taken over go on, unless ctx has ended.
func Start(ctx context.Context, tree *config.Config, opt Options) (*Gateway, error) {
	g := &Gateway{
		opt: opt, loop: loop.New(4096), started: time.Now(), ports: make(map[string]*port), twins: make(map[string]*twin),
		leases: make(map[string]context.CancelFunc), spaces: make(map[string]*space), byVRF: make(map[fib.VRF]*space), failed: make(chan error, 1),
		lateEIGRP: make(map[lateEIGRP]eigrp.Send),
	}
	g.ctx, g.cancel = context.WithCancel(context.WithoutCancel(ctx))
	started := context.AfterFunc(ctx, g.cancel)
	err := g.start(tree)
	if !started() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		for _, p := range g.ports {
			if p.attached != nil && !p.attached.TookOver {
				err = errors.Join(err, p.attached.Detach())
				p.attached = nil
			}
		}
		if g.workers != nil && g.workers.TookOver() && ctx.Err() == nil {
			g.Leave() // who forwarded before goes on
		} else {
			g.Stop(false)
		}
		return nil, err
	}
	return g, nil
}

func (g *Gateway) start(tree *config.Config) (err error) {
	if err := g.chooseHardware(tree); err != nil {
		return err
	}
	if err := g.lockPorts(); err != nil {
		return err
	}
	h, err := host.Open(g.opt.RunDir)
	if err != nil {
		return err
	}
	g.home = g.newSpace("", h)
	if err := g.openRoutes(g.home); err != nil {
		return err
	}
	if err := g.openSpaces(tree); err != nil {
		return err
	}
	var outlives bool
	if g.pins, outlives, err = bpf.PinDir(g.opt.RunDir); err != nil {
		return err
	}
	if !outlives {
		g.opt.Log.Warn("no bpffs at /sys/fs/bpf: steering is pinned in a mount that ends with this mount namespace, and transit packets are the kernel's then; mount one there (mount -t bpf bpf /sys/fs/bpf)")
	}
	if g.steering, err = bpf.New(); err != nil {
		return err
	}
	plan, err := g.plan(tree)
	if err != nil {
		return err
	}
	if err := g.openWorkers(tree, plan); err != nil {
		return err
	}
	g.engine = g.workers.Engine()
	g.balancer.g = g
	g.balancer.start(g.engine)
	g.linux = newLinux(g)
	g.ldp = newLDPSockets(g)
	g.border = newBorder(g)
	g.cards = newCards(g)
	g.core = NewCore(steered{g.engine, g.cards}, g.linux)
	g.core.Emulate(g.opt.Profiles, g.engine)
	var inherited fib.Batch
	if g.workers.TookOver() {
		inherited = g.engine.Inherited()
		g.core.Inherit(time.Now(), inherited)
	}
	g.core.SetTrustLoader(loadTrust)
	g.core.farewell = g.farewellEIGRP
	if err := g.openPorts(tree, plan); err != nil {
		return err
	}
	g.cards.follow(&inherited)
	switch err := g.configure(time.Now(), tree); {
	case errors.Is(err, ErrPartly): // as on a reload: what the box refuses, a UDP port that another program has perhaps, keeps the rest from nothing
		g.opt.Log.Error("the configuration runs, with faults", "error", err)
	case err != nil:
		return err
	}
	if err := g.attachPorts(); err != nil {
		return err
	}
	for _, s := range g.spaces {
		if err := g.watch(s); err != nil {
			return err
		}
	}
	g.run()
	if g.crew != nil {
		g.running.Go(func() { g.crew.Renew(g.ctx) })
	}
	return nil
}

// run starts the goroutines: one for the control plane, two a worker.
func (g *Gateway) run() {
	g.isRunning = true
	g.running.Go(func() { g.loop.Run(g.ctx, g.core.Router()) })
	for w := range g.engine.Workers() {
		if g.threads != nil {
			g.running.Go(func() {
				if err := g.threads.run(g.ctx, w); err != nil {
					g.fail(err)
				}
			})
		}
		g.running.Go(func() {
			police := punt.NewPolice()
			take := func(p *fastpath.Punt) { g.punted(police, p) }
			if err := g.engine.Punts(g.ctx, w, take); err != nil && g.ctx.Err() == nil {
				g.fail(fmt.Errorf("punts of worker %d: %w", w, err))
			}
		})
	}
	g.running.Go(g.linux.run)
	g.running.Go(g.border.run)
	g.running.Go(g.watchTrust)
	g.running.Go(g.watchLoad)
	g.running.Go(g.watchSharing)
	g.running.Go(g.watchHardware)
}

// punted hands a punted packet to the control plane, if its kind has not come too often: a flood of one must not fill
// the inbox. What finds it full all the same is lost, as on any ring.
func (g *Gateway) punted(police *punt.Police, p *fastpath.Punt) {
	if !police.Allow(time.Now(), p.Reason) {
		g.refused[p.Reason].Add(1)
		return
	}
	q := *p
	q.Packet, q.Stack = slices.Clone(p.Packet), slices.Clone(p.Stack)
	if !g.loop.Try(func(now time.Time) { g.core.Router().At(now).Punt(&q) }) {
		g.linux.lost.Add(1)
	}
}

// tooBig hands a path MTU to the control plane.
func (g *Gateway) tooBig(s *space, t host.TooBig) {
	g.loop.Try(func(now time.Time) {
		if vrf, ok := s.id(); ok {
			g.core.Router().At(now).TooBig(vrf, slowpath.TooBig(t))
		}
	})
}

func (g *Gateway) fail(err error) {
	select {
	case g.failed <- err:
	default:
	}
}

// Failed reports the failure of something that a Gateway can't do without.
func (g *Gateway) Failed() <-chan error { return g.failed }

// Alive runs through the control plane's inbox and tells whether it answered in time: for a watchdog.
func (g *Gateway) Alive(within time.Duration) bool {
	answered := make(chan struct{})
	go g.loop.Do(func(time.Time) { close(answered) })
	select {
	case <-answered:
		return true
	case <-time.After(within):
		return false
	}
}

// Configure runs by another configuration: what differs is applied, the rest is not touched.
func (g *Gateway) Configure(tree *config.Config) error {
	err := errors.New("gateway: the control plane has stopped")
	g.loop.Call(func(now time.Time) { err = g.configure(now, tree) })
	return err
}

// configure is Configure in the control plane's goroutine, or before that runs.
func (g *Gateway) configure(now time.Time, tree *config.Config) error {
	if err := g.core.Configure(now, tree); err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	for _, p := range g.ports {
		p.failed = time.Time{}
	}
	if err := g.follow(); err != nil {
		return fmt.Errorf("%w: %w", ErrPartly, err)
	}
	return nil
}

// follow makes Linux agree with the configuration: namespaces, the ports in them, addresses, twins, DHCP clients, what is steered.
func (g *Gateway) follow() error {
	err := errors.Join(g.setSpaces(), g.setPorts(), g.setLinks(), g.setTwins(), g.setVLANs(), g.setLeases(), g.setLocals(), g.setIKE(), g.setLDP(), g.setEIGRP(), g.setKernel(), g.dropSpaces())
	g.linux.followRoutes()
	g.setBGP()
	return err
}

// Do runs f in the control plane's goroutine and waits. It returns false once the Gateway has stopped.
func (g *Gateway) Do(f func(now time.Time, c *Core)) bool {
	return g.loop.Call(func(now time.Time) { f(now, g.core) })
}

// Leave ends the Gateway as though it had died: worker processes go on with what is installed, and the next Gateway takes them over. Ports stay in the namespaces of their VRFs.
func (g *Gateway) Leave() {
	if g.crew == nil {
		g.Stop(false)
		return
	}
	g.cancel()
	g.running.Wait()
	g.closeLDP()
	g.border.close(true)
	for _, s := range g.spaces {
		s.closeSockets()
		s.closeEIGRP()
	}
	if g.cards != nil {
		g.cards.close(false)
	}
	g.crew.Leave()
	for _, p := range g.ports {
		if p.attached != nil {
			_ = p.attached.Leave() // only our descriptor; the pin holds the link
		}
	}
	if g.steering != nil {
		g.steering.Close()
	}
	g.closeSpaces()
	if g.unlock != nil {
		g.unlock()
	}
}

// closeSpaces lets go of the namespaces.
func (g *Gateway) closeSpaces() {
	for _, s := range g.spaces {
		s.cancel()
		if s.routes != nil {
			s.routes.Close()
		}
		s.host.Close()
	}
	clear(g.spaces)
	if g.namespaces != nil {
		g.namespaces.Close()
	}
}

// Stop ends the Gateway, worker processes included. The ports keep their steering, so the box forwards nothing, and at home their addresses, so that it answers; those of VRFs
// come home, and their namespaces go. release takes the steering off too, and the kernel is then as it was before nave.
func (g *Gateway) Stop(release bool) {
	if g.isRunning {
		g.border.close(false) // while packets still come back, or each session would wait for its last words to be heard
		g.leaveLDP()
		g.leaveEIGRP() // last: neighbors whose routes to us are gone take no more from us
	}
	g.cancel()
	g.running.Wait()
	g.closeLDP()
	g.border.close(false)
	g.closeIKE()
	for _, t := range g.twins {
		t.Close()
	}
	for _, s := range g.spaces {
		s.closeSockets()
		s.closeEIGRP()
		if s.last != nil {
			s.last.Close()
		}
	}
	g.readers.Wait()
	if g.cards != nil {
		g.cards.close(release)
	}
	if g.crew != nil { // before the steering, which a worker that is started again would be put into
		g.stopWorkers()
	}
	g.endRoutes()
	g.closePorts(release)
	g.endSpaces()
	if g.steering != nil {
		g.steering.Close()
	}
	if release {
		if err := bpf.RemovePins(g.opt.RunDir); err != nil {
			g.opt.Log.Warn("releasing the ports", "error", err)
		}
	}
	if g.threads != nil { // after their ports are closed
		g.stopWorkers()
	}
	g.closeSpaces()
	if g.unlock != nil {
		g.unlock()
	}
}

func (g *Gateway) stopWorkers() {
	if err := g.workers.Stop(); err != nil {
		g.opt.Log.Error("stopping the workers", "error", err)
	}
}
