package bgp

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"nave/slowpath/bgp/bgpmsg"
)

const (
	// patience is for how long a connection waits for GoBGP to take it, which after a lost session stays idle for 5 s.
	patience = 20 * time.Second
	// linger is for how long what was said last may be under way when a connection ends.
	linger = 2 * time.Second
	// writeLimit is for how long a neighbour may take nothing. The hold time ends a session sooner.
	writeLimit = 10 * time.Minute
)

// session passes on what comes by the link's connection until either end closes it.
func (l *link) session(ctx context.Context, outer *net.TCPConn) {
	defer outer.Close()
	cfg := l.config()
	defer func() {
		l.mu.Lock()
		l.outer, l.dial = nil, waiting
		l.mu.Unlock()
	}()
	l.rebuildRules()
	if raw, err := outer.SyscallConn(); err == nil {
		ttl, least := ttls(&cfg.Neighbour, cfg.external)
		if err := setsockopt(raw, func(fd int) error { return setTTL(fd, l.addr.Is4(), ttl, least) }); err != nil {
			l.s.log.Warn("bgp: socket", "vrf", l.in.vrf, "neighbour", l.addr, "error", err)
			return
		}
	}
	outer.SetKeepAlive(false) // BGP has its own
	outer.SetNoDelay(true)

	said := &opening{conn: outer}
	inner, first, err := l.attach(ctx, said)
	if err != nil {
		l.s.log.Debug("bgp: connection not taken", "vrf", l.in.vrf, "neighbour", l.addr, "error", err)
		return
	}
	defer inner.Close()
	if l.forwards.Load() { // what GoBGP says of itself alone
		bgpmsg.Preserve(first)
	}
	ended := context.AfterFunc(ctx, func() { // the neighbour is taken away: GoBGP has said so to it by now, or will at once
		if !l.quiet.Load() {
			time.Sleep(linger)
		}
		outer.Close()
		inner.Close()
	})
	defer ended()
	// Before anything of the neighbour's is heard: probe may say something from then on, and nothing comes before an OPEN.
	if err := l.write(outer, first); err != nil {
		return
	}
	up := make(chan struct{})
	go func() {
		defer close(up)
		l.upstream(inner, outer, said.head)
	}()
	err = l.downstream(outer, inner)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.ECONNRESET) {
		l.s.log.Debug("bgp: connection", "vrf", l.in.vrf, "neighbour", l.addr, "error", err)
	}
	// A close with unread bytes resets the connection, and a NOTIFICATION under way would be lost.
	outer.CloseWrite()
	inner.CloseRead()
	select {
	case <-up:
	case <-time.After(linger):
	}
}

// opening is what a neighbour says before GoBGP hears it.
type opening struct {
	conn *net.TCPConn
	head []byte // nothing, or an OPEN, maybe not all of it
}

// listen reads on until an OPEN is there, for so long; false if the connection has ended.
func (o *opening) listen(d time.Duration) (whole, ok bool) {
	end := time.Now().Add(d)
	o.conn.SetReadDeadline(end)
	defer o.conn.SetReadDeadline(time.Time{})
	for {
		want := bgpmsg.HeaderLen
		if len(o.head) >= want {
			n, err := bgpmsg.Length(o.head)
			if err != nil || n > longestOpen || len(o.head) >= n { // what is no OPEN is GoBGP's to refuse
				time.Sleep(time.Until(end))
				return true, true
			}
			want = n
		}
		at := len(o.head)
		o.head = append(o.head, make([]byte, want-at)...)
		n, err := o.conn.Read(o.head[at:])
		o.head = o.head[:at+n]
		if err != nil {
			return false, errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
}

// longestOpen is the longest message before the OPENs are exchanged (RFC 8654 section 4).
const longestOpen = 4096

// attach connects to GoBGP as the neighbour and returns with what it says first. GoBGP closes at once while it is idle; what the neighbour says meanwhile may make waiting needless.
func (l *link) attach(ctx context.Context, said *opening) (*net.TCPConn, []byte, error) {
	for end := time.Now().Add(patience); ; {
		c, msg, err := l.tryAttach(ctx)
		if err == nil {
			return c, msg, nil
		}
		if time.Now().After(end) {
			return nil, nil, err
		}
		whole, ok := said.listen(attachEvery)
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case !ok:
			return nil, nil, io.EOF
		}
		l.s.rouse(l, whole && !bgpmsg.Preserves(said.head))
	}
}

// attachEvery is the time between two tries to connect to GoBGP.
const attachEvery = 100 * time.Millisecond

func (l *link) tryAttach(ctx context.Context) (*net.TCPConn, []byte, error) {
	l.gate.Lock()
	defer l.gate.Unlock()
	if err := ctx.Err(); err != nil { // GoBGP does not know the neighbour any more
		return nil, nil, err
	}
	d := net.Dialer{
		LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(l.alias, 0)),
		KeepAlive: -1,
		Timeout:   linger,
		Control: func(_, _ string, c syscall.RawConn) error {
			if !l.s.signed {
				return nil
			}
			return signWith(c, netip.PrefixFrom(innerAddr, 32), l.s.innerKey)
		},
	}
	d.SetMultipathTCP(false)
	c, err := d.DialContext(ctx, "tcp4", netip.AddrPortFrom(innerAddr, l.in.port).String())
	if err != nil {
		return nil, nil, err
	}
	c.SetReadDeadline(time.Now().Add(linger))
	msg, err := bgpmsg.NewReader(c).Next()
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	c.SetReadDeadline(time.Time{})
	return c.(*net.TCPConn), msg, nil
}

// upstream passes on what the neighbour says, as it is. It has said head.
func (l *link) upstream(inner, outer *net.TCPConn, head []byte) {
	var err error
	if len(head) == 0 {
		head = make([]byte, 4096)
		var n int
		n, err = outer.Read(head)
		head = head[:n]
	}
	if len(head) > 0 {
		l.mu.Lock()
		l.opened = time.Now()
		l.mu.Unlock()
		if _, werr := inner.Write(head); werr == nil && err == nil {
			io.Copy(inner, outer) // by splice(2), without a copy in this process
		}
	}
	inner.CloseWrite()
}

// downstream passes on what GoBGP says after its OPEN, UPDATEs rewritten.
func (l *link) downstream(outer, inner *net.TCPConn) error {
	in := bufio.NewReaderSize(inner, 64<<10)
	r := bgpmsg.NewReader(in)
	out := make([]byte, 0, 64<<10)
	for {
		msg, err := r.Next()
		if err != nil {
			return err
		}
		if out, err = l.rules.Load().Rewrite(out, msg); err != nil {
			return err
		}
		// What has come already goes out together.
		if in.Buffered() >= bgpmsg.HeaderLen && len(out) < 48<<10 {
			continue
		}
		if err := l.write(outer, out); err != nil {
			return err
		}
		out = out[:0]
	}
}

// write sends whole messages.
func (l *link) write(outer *net.TCPConn, b []byte) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	outer.SetWriteDeadline(time.Now().Add(writeLimit))
	_, err := outer.Write(b)
	return err
}

// probe has the neighbour answer on a connection that it seems to have forgotten, as a router that has restarted does: with a reset, which ends it. Without that it would stand
// until the next keepalive, and the neighbour be turned away for as long. The caller holds l.mu.
func (l *link) probe() {
	outer := l.outer
	go func() {
		if l.writing.TryLock() { // else something is under way, which does the same
			defer l.writing.Unlock()
			outer.SetWriteDeadline(time.Now().Add(linger))
			outer.Write(bgpmsg.AppendKeepalive(nil)) // an error ends what reads
		}
	}()
}
