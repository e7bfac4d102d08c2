package probe

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// Wire sends probes and receives all ICMP messages of a host.
type Wire interface {
	// Echo sends an ICMP message.
	Echo(to netip.Addr, b []byte) error
	// Datagram sends a UDP datagram with a TTL.
	Datagram(to netip.AddrPort, ttl int) error
	// Receive waits for the next ICMP message until a time, or until the Wire is interrupted: ErrLate. The message is valid until the next call.
	Receive(until time.Time) (from netip.Addr, b []byte, err error)
	// LocalPort is the UDP port that datagrams leave from.
	LocalPort() uint16
	// ID is what echo requests of this Wire have for an identifier.
	ID() uint16
}

// Errors of a Wire.
var (
	ErrLate   = errors.New("nothing came in time")
	ErrTooBig = errors.New("it does not fit and is not to be cut")
)

// pause is between a packet that could not be sent and the next, so that a missing route does not make a loop that only burns.
const pause = 200 * time.Millisecond

// Run sends what r, which is complete, asks for, and reports what came of each packet. gap is the least time from one packet to the next. It ends early with ctx, which is no error.
func Run(ctx context.Context, w Wire, r *Request, gap time.Duration, report func(Answer)) error {
	p := &prober{w: w, r: r, gap: gap, report: report}
	if r.Trace {
		return p.trace(ctx)
	}
	return p.ping(ctx)
}

type prober struct {
	w      Wire
	r      *Request
	gap    time.Duration
	report func(Answer)
	last   time.Time
}

func (p *prober) ping(ctx context.Context) error {
	for seq := 1; seq <= p.r.Repeat; seq++ {
		number := uint16(seq)
		b := echo(p.w.ID(), number, p.r.Size)
		mine := func(from netip.Addr, m *message) bool {
			if m.id != p.w.ID() || m.seq != number {
				return false
			}
			return m.kind == Reply && from == p.r.Target || m.kind != Reply && m.about.proto == protoICMP && m.about.dst == p.r.Target
		}
		a, err := p.one(ctx, func() error { return p.w.Echo(p.r.Target, b) }, mine)
		if err != nil || a == nil {
			return err
		}
		a.Seq = seq
		p.report(*a)
	}
	return nil
}

func (p *prober) trace(ctx context.Context) error {
	port := p.r.Port
	for ttl := p.r.FirstTTL; ttl <= p.r.LastTTL; ttl++ {
		end := false
		for seq := 1; seq <= p.r.Repeat; seq++ {
			to := netip.AddrPortFrom(p.r.Target, uint16(port))
			if port++; port > 65535 {
				port = p.r.Port
			}
			mine := func(_ netip.Addr, m *message) bool {
				return m.about.proto == protoUDP && m.about.dst == to.Addr() && m.about.dport == to.Port() && m.about.sport == p.w.LocalPort()
			}
			a, err := p.one(ctx, func() error { return p.w.Datagram(to, ttl) }, mine)
			if err != nil || a == nil {
				return err
			}
			a.Seq, a.TTL = seq, ttl
			if a.Kind == Unreachable && a.Code == codePort && a.From == p.r.Target {
				a.Kind, a.Code = Reply, 0
			}
			end = end || a.final()
			p.report(*a)
		}
		if end {
			return nil
		}
	}
	return nil
}

// one sends a packet and waits for what becomes of it. No answer: ctx has ended.
func (p *prober) one(ctx context.Context, send func() error, mine func(netip.Addr, *message) bool) (*Answer, error) {
	if !rest(ctx, time.Until(p.last.Add(p.gap))) {
		return nil, nil
	}
	sent := time.Now()
	p.last = sent
	switch err := send(); {
	case errors.Is(err, ErrTooBig):
		rest(ctx, pause)
		return &Answer{Kind: TooBig, Why: err.Error()}, nil
	case err != nil:
		if ctx.Err() != nil {
			return nil, nil
		}
		rest(ctx, pause)
		return &Answer{Kind: Unsent, Why: err.Error()}, nil
	}
	for {
		from, b, err := p.w.Receive(sent.Add(p.r.Timeout))
		now := time.Now()
		switch {
		case ctx.Err() != nil:
			return nil, nil
		case errors.Is(err, ErrLate):
			return &Answer{Kind: Timeout}, nil
		case err != nil:
			return nil, err
		}
		m, ok := understand(b)
		if !ok || !mine(from, &m) {
			if now.After(sent.Add(p.r.Timeout)) { // others' messages keep coming
				return &Answer{Kind: Timeout}, nil
			}
			continue
		}
		return &Answer{Kind: m.kind, Code: m.code, From: from, RTT: now.Sub(sent), MTU: m.mtu, Labels: m.labels}, nil
	}
}

// rest waits, and tells whether ctx goes on.
func rest(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
