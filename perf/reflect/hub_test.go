package reflect

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/bgp"
	"nave/slowpath/eigrp"
	"nave/slowpath/ike"
	"nave/slowpath/ldp"
	"nave/slowpath/rib"
)

// Addresses of the reflector, of whoever announces and of whoever listens.
var (
	hubAddr  = netip.MustParseAddr("127.0.1.1")
	fromAddr = netip.MustParseAddr("127.0.2.1")
	toAddr   = netip.MustParseAddr("127.0.3.1")
)

// hub is a reflector: a Router with the fast path's tables, and a speaker.
type hub struct {
	mu      sync.Mutex // whoever has it turns the crank
	router  *slowpath.Router
	engine  *fastpath.Engine
	speaker *bgp.Speaker
	labels  int // installed, less those that were taken away
	failed  error
}

// counting is an engine that counts labels.
type counting struct {
	*fastpath.Engine
	h *hub
}

func (c counting) Apply(b *fib.Batch) ([]fib.Refusal, error) {
	c.h.labels += len(b.Labels) - len(b.DelLabels)
	refused, err := c.Engine.Apply(b)
	if len(refused) > 0 && c.h.failed == nil {
		c.h.failed = refused[0].Err
	}
	return refused, err
}

// silent is a Linux that has nothing to do here: nothing is forwarded, and nothing announced by the reflector itself.
type silent struct{}

func (silent) Want(string, netip.Addr)          {}
func (silent) Unwant(string, netip.Addr)        {}
func (silent) Resolve(string, netip.Addr)       {}
func (silent) Deliver(fib.VRF, string, []byte)  {}
func (silent) DeliverFrame(string, []byte)      {}
func (silent) LDP(ldp.Effect)                   {}
func (silent) Originate([]bgp.Local, []bgp.Key) {}
func (silent) EIGRP(fib.VRF, eigrp.Send)        {}
func (silent) Routes([]rib.Change)              {}
func (silent) SendIKE(ike.Path, []byte)         {}
func (silent) SendNATKeepalive(ike.Path)        {}
func (silent) Log(slowpath.Event)               {}

// runHub is the reflector's process: it says how many labels it has for each line that comes in, until there are no more. swap: it makes itself the next hop.
func runHub(port uint16, swap bool, in io.Reader, out io.Writer) error {
	h := &hub{}
	var err error
	if h.engine, err = fastpath.New(fastpath.Config{MaxLabels: 1 << 18, MaxAdjacencies: 1 << 18}); err != nil {
		return err
	}
	h.router = slowpath.New(counting{h.engine, h}, silent{})
	c := slowpath.Config{
		Interfaces: []slowpath.Interface{{Interface: rib.Interface{
			Name: "Ethernet0", Addrs: []netip.Prefix{netip.PrefixFrom(hubAddr, 16)}, Up: true, Port: 1, MAC: [6]byte{2, 0, 0, 0, 0, 1}, MTU: 1500, MPLS: true,
		}}},
		BGP: slowpath.BGP{On: true, Speaker: bgp.Config{AS: 1, RouterID: netip.MustParseAddr("10.0.0.1"), Port: port, Listen: []netip.Addr{hubAddr}}},
	}
	s := &c.BGP.Speaker
	if s.RouteMaps = map[string]bgp.RouteMap{"NEXTHOP": {{NextHop: hubAddr}}}; swap {
		s.Neighbours = []bgp.Neighbour{neighbour(hubAddr, fromAddr, "NEXTHOP"), neighbour(hubAddr, toAddr, "NEXTHOP")}
	} else {
		s.Neighbours = []bgp.Neighbour{neighbour(hubAddr, fromAddr, ""), neighbour(hubAddr, toAddr, "")}
	}
	for i := range s.Neighbours {
		s.Neighbours[i].Client = true
	}
	if err := h.router.At(time.Now()).Configure(c); err != nil {
		return err
	}
	h.router.At(time.Now()).Neighbour("Ethernet0", fromAddr, [6]byte{2, 0, 0, 0, 0, 2}, true)
	h.router.At(time.Now()).Neighbour("Ethernet0", toAddr, [6]byte{2, 0, 0, 0, 0, 3}, true)
	h.speaker = bgp.New(bgp.Env{Deliver: h.deliver, Labels: h.router.Labels(time.Now)})
	defer h.speaker.Close()
	if err := h.speaker.Configure(*s); err != nil {
		return err
	}
	for lines := bufio.NewScanner(in); lines.Scan(); {
		h.mu.Lock()
		n, err := h.labels, h.failed
		h.mu.Unlock()
		if err != nil {
			return err
		}
		fmt.Fprintln(out, n)
	}
	return nil
}

// deliver takes what the speaker says in the portions that the gateway has.
func (h *hub) deliver(e bgp.Effects) {
	for w := range slices.Chunk(e.Swaps, 1000) {
		h.turn(bgp.Effects{Swaps: w})
	}
	for r := range slices.Chunk(e.Routes, 1000) {
		h.turn(bgp.Effects{Routes: r})
	}
}

func (h *hub) turn(e bgp.Effects) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.router.At(time.Now()).BGP(e)
}

func neighbour(own, addr netip.Addr, out string) bgp.Neighbour {
	return bgp.Neighbour{
		Address: addr, RemoteAS: 1, UpdateSource: own, ConnectRetry: time.Second,
		Families: []bgp.Activation{{Family: bgp.VPNv4, Out: out}},
	}
}
