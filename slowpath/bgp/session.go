package bgp

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
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

// session passes on what comes by a connection until either end closes it.
func (l *link) session(ctx context.Context, outer *net.TCPConn) {
	defer outer.Close()
	cfg := l.config()
	l.mu.Lock()
	l.outer, l.opened = outer, time.Time{}
	l.local = outer.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().WithZone("")
	l.dial = connected
	l.mu.Unlock()
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

	inner, first, err := l.attach(ctx)
	if err != nil {
		l.s.log.Debug("bgp: connection not taken", "vrf", l.in.vrf, "neighbour", l.addr, "error", err)
		return
	}
	defer inner.Close()
	ended := context.AfterFunc(ctx, func() { // the neighbour is taken away: GoBGP has said so to it by now, or will at once
		if !l.quiet.Load() {
			time.Sleep(linger)
		}
		outer.Close()
		inner.Close()
	})
	defer ended()
	up := make(chan struct{})
	go func() {
		defer close(up)
		l.upstream(inner, outer)
	}()
	err = l.downstream(outer, inner, first)
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

// attach connects to GoBGP as the neighbour and returns with what it says first. GoBGP closes at once while it is idle.
func (l *link) attach(ctx context.Context) (*net.TCPConn, []byte, error) {
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
	for end := time.Now().Add(patience); ; {
		c, err := d.DialContext(ctx, "tcp4", netip.AddrPortFrom(innerAddr, l.in.port).String())
		if err == nil {
			c.SetReadDeadline(end)
			var msg []byte
			if msg, err = bgpmsg.NewReader(c).Next(); err == nil {
				c.SetReadDeadline(time.Time{})
				return c.(*net.TCPConn), msg, nil
			}
			c.Close()
		}
		if time.Now().After(end) {
			return nil, nil, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// upstream passes on what the neighbour says, as it is.
func (l *link) upstream(inner, outer *net.TCPConn) {
	var buf [4096]byte
	n, err := outer.Read(buf[:])
	if n > 0 {
		l.mu.Lock()
		l.opened = time.Now()
		l.mu.Unlock()
		if _, werr := inner.Write(buf[:n]); werr == nil && err == nil {
			io.Copy(inner, outer) // by splice(2), without a copy in this process
		}
	}
	inner.CloseWrite()
}

// downstream passes on what GoBGP says, UPDATEs rewritten.
func (l *link) downstream(outer, inner *net.TCPConn, first []byte) error {
	if _, err := outer.Write(first); err != nil {
		return err
	}
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
		outer.SetWriteDeadline(time.Now().Add(writeLimit))
		if _, err := outer.Write(out); err != nil {
			return err
		}
		out = out[:0]
	}
}
