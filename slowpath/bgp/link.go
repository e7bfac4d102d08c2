package bgp

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"nave/slowpath/bgp/bgpmsg"
)

// linkConfig is what a link goes by. It is never written to.
type linkConfig struct {
	Neighbour
	port     uint16
	external bool
	restart  bool // graceful restart: a new connection replaces one that seems to stand (RFC 4724 section 5)
}

// link holds the connection to one neighbour and passes on what comes by it: on one side the network, on the other GoBGP.
type link struct {
	s      *Speaker
	in     *instance
	addr   netip.Addr
	alias  netip.Addr // what GoBGP takes for the neighbour's address
	cfg    atomic.Pointer[linkConfig]
	out    atomic.Pointer[outbound]
	rules  atomic.Pointer[bgpmsg.Rules]
	quiet  atomic.Bool // the end is not announced
	proved atomic.Bool // a session stood since run looked last
	// forwards: what the neighbour was told is forwarded by still, if this connection is lost and another made.
	forwards atomic.Bool
	gate     sync.Mutex // connecting to GoBGP, which takes anybody for a neighbour while it does not know this one
	writing  sync.Mutex // to outer
	stop     context.CancelFunc
	done     chan struct{}
	kick     chan struct{}     // the configuration changed: end what waits, and the connection
	inbound  chan *net.TCPConn // accepted, not yet taken

	mu     sync.Mutex
	dial   dialState
	outer  *net.TCPConn // nil: none
	opened time.Time    // when the neighbour first said something on outer
	local  netip.Addr   // of outer, or of the last

	// Of the speaker, under its lock. template is the range that the neighbour came out of; nil if it was configured.
	template *Range
	peer     peerState
	rulesOf  string // what the policies said, to find changes
	stale    bool   // GoBGP keeps the neighbour's routes while it restarts
}

// dialState is what a link without a connection does.
type dialState uint8

const (
	waiting dialState = iota // for the next try, or to be called
	dialling
	connected
)

// collisionTime is for how long a second connection is one that was dialled at the same time, and not a neighbour that has restarted.
const collisionTime = 10 * time.Second

func newLink(in *instance, addr, alias netip.Addr, cfg *linkConfig) *link {
	l := &link{s: in.s, in: in, addr: addr, alias: alias, done: make(chan struct{}), kick: make(chan struct{}, 1), inbound: make(chan *net.TCPConn, 1)}
	l.cfg.Store(cfg)
	l.out.Store(&outbound{})
	l.rules.Store(&bgpmsg.Rules{})
	return l
}

func (l *link) config() *linkConfig { return l.cfg.Load() }

func (l *link) start() {
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	go l.run(ctx)
}

// offer gives the link a connection that the neighbour made; false if it is not wanted. The caller holds the speaker's lock.
func (l *link) offer(c *net.TCPConn) bool {
	cfg := l.config()
	local := localOf(c)
	if cfg.Shutdown || cfg.UpdateSource.IsValid() && cfg.UpdateSource != local {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.outer != nil {
		switch {
		case l.opened.IsZero():
			// Both dialled at a time: the connection that the higher address made stays, so that both ends keep the same one.
			if l.addr.Less(local) {
				return false
			}
		case !cfg.restart || time.Since(l.opened) < collisionTime:
			l.probe()
			return false
		}
	}
	select {
	case l.inbound <- c:
	default:
		return false
	}
	if l.outer != nil {
		l.outer.Close()
	}
	return true
}

// run keeps the neighbour connected until ctx ends.
func (l *link) run(ctx context.Context) {
	defer close(l.done)
	tries, wait := 0, time.Duration(0)
	for ctx.Err() == nil {
		c, ours, changed := l.connect(ctx, wait)
		began := time.Now()
		switch {
		case c != nil:
			l.session(ctx, l.adopt(c, ours))
		case changed:
			tries = 0
		}
		if l.proved.Swap(false) && time.Since(began) > steady {
			tries = 0
		}
		tries++
		wait = l.pause(tries)
	}
	select {
	case c := <-l.inbound:
		c.Close()
	default:
	}
}

// Times of connecting.
const (
	// quickRetry is the first pause. A neighbour that has restarted is there again soon; one that stays away is dialled ever more rarely.
	quickRetry = time.Second
	// steady is for how long a session must have stood to begin with the first pause again: two routers that end what they agree on must not do so as fast as they can.
	steady = 5 * time.Second
)

// pause is the time before a try, with jitter (RFC 4271 section 10): a second, and twice as much for each that failed, up to the configured time.
func (l *link) pause(tries int) time.Duration {
	retry := orDefault(l.config().ConnectRetry, defaultRetry)
	if quick := quickRetry << min(tries-1, 16); quick < retry {
		retry = quick
	}
	return time.Duration((0.75 + rand.Float64()/4) * float64(retry))
}

// adopt makes a connection the link's. Ours may have been made in the same moment as one of the neighbour's that waits here to be taken: each end has both then, and both ends keep
// the one that the higher address made, as offer does. Else each could keep its own, and wait for the other to say something until the hold time of an OPEN is over.
func (l *link) adopt(c *net.TCPConn, ours bool) *net.TCPConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	local := localOf(c)
	select {
	case theirs := <-l.inbound:
		if ours && l.addr.Less(local) {
			theirs.Close()
			break
		}
		c.Close()
		c, local = theirs, localOf(theirs)
	default:
	}
	l.outer, l.opened, l.local, l.dial = c, time.Time{}, local, connected
	return c
}

func localOf(c *net.TCPConn) netip.Addr {
	return c.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().WithZone("")
}

// connect waits and dials, unless the neighbour calls first; ours tells which. Without a connection it is to be tried again; changed says that the configuration is another.
func (l *link) connect(ctx context.Context, wait time.Duration) (c *net.TCPConn, ours, changed bool) {
	cfg := l.config()
	var timer <-chan time.Time
	if !cfg.Passive && !cfg.Shutdown {
		timer = time.After(wait)
	}
	select {
	case <-ctx.Done():
		return nil, false, false
	case <-l.kick:
		return nil, false, true
	case c := <-l.inbound:
		return c, false, false
	case <-timer:
	}
	l.setDial(dialling)
	defer l.setDial(waiting)
	dialCtx, cancel := context.WithTimeout(ctx, max(orDefault(cfg.ConnectRetry, defaultRetry), 5*time.Second))
	defer cancel()
	result := make(chan *net.TCPConn, 1)
	go func() { result <- l.dialOut(dialCtx, cfg) }()
	select {
	case c := <-result:
		return c, true, false
	case c := <-l.inbound: // ours is given up
		cancel()
		go closeLate(result)
		return c, false, false
	case <-l.kick:
		changed = true
	case <-ctx.Done():
	}
	cancel()
	go closeLate(result)
	return nil, false, changed
}

func closeLate(result chan *net.TCPConn) {
	if c := <-result; c != nil {
		c.Close()
	}
}

func (l *link) setDial(d dialState) {
	l.mu.Lock()
	l.dial = d
	l.mu.Unlock()
}

// dialOut makes a connection in the VRF's namespace; nil if there is none to be had.
func (l *link) dialOut(ctx context.Context, cfg *linkConfig) *net.TCPConn {
	ttl, least := ttls(&cfg.Neighbour, cfg.external)
	d := net.Dialer{KeepAlive: -1, Control: func(_, _ string, c syscall.RawConn) error {
		if cfg.Password != "" {
			if err := signWith(c, netip.PrefixFrom(l.addr, l.addr.BitLen()), cfg.Password); err != nil {
				return err
			}
		}
		return setsockopt(c, func(fd int) error { return setTTL(fd, l.addr.Is4(), ttl, least) })
	}}
	d.SetMultipathTCP(false)
	if cfg.UpdateSource.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(cfg.UpdateSource, 0))
	}
	var conn net.Conn
	err := l.s.within(l.in.vrf, func() error {
		var err error
		conn, err = d.DialContext(ctx, "tcp", netip.AddrPortFrom(l.addr, cfg.port).String())
		return err
	})
	if err != nil {
		l.mu.Lock()
		l.peer.noteDial(err)
		l.mu.Unlock()
		l.s.log.Debug("bgp: connect", "vrf", l.in.vrf, "neighbour", l.addr, "error", err)
		return nil
	}
	return conn.(*net.TCPConn)
}

// reset ends the connection and what waits for one.
func (l *link) reset() {
	l.mu.Lock()
	if l.outer != nil {
		l.outer.Close()
	}
	l.mu.Unlock()
	select {
	case l.kick <- struct{}{}:
	default:
	}
}
