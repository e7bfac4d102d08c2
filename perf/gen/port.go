package gen

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"time"

	"nave/fastpath/port"
	"nave/perf/mix"
)

// Port sends by a port.Port, whose frames live in a pool that nobody else uses.
type Port struct {
	p     port.Port
	pool  *port.Pool
	train *mix.Train
	after func() error
	seq   uint64
	at    int
	// frames that the port did not take yet
	queue [batch]port.Frame
	n     int
}

// batch is how many packets are handed to a port at once.
const batch = 64

// NewPort makes a sender. after is called by Close, after the port's own; nil for none.
func NewPort(p port.Port, pool *port.Pool, t *mix.Train, after func() error) (*Port, error) {
	if room := pool.ChunkSize() - port.Headroom; t.MaxLen > room {
		return nil, fmt.Errorf("gen: mix %s has frames of %d bytes, and the port takes %d", t.Mix.Name, t.MaxLen, room)
	}
	return &Port{p: p, pool: pool, train: t, after: after, seq: FirstSeq()}, nil
}

// Close closes the port.
func (s *Port) Close() error {
	err := s.p.Close()
	if s.after != nil {
		err = errors.Join(err, s.after())
	}
	return err
}

// Send implements Sender. Packets that the port has no room for wait, so that what is counted has left for the wire.
func (s *Port) Send(ctx context.Context, l Load) (Sent, error) {
	begin := mix.Now()
	end, limit := int64(math.MaxInt64), uint64(math.MaxUint64)
	if l.Duration > 0 {
		end = begin + int64(l.Duration)
	}
	if l.Count > 0 {
		limit = l.Count
	}
	pace := newPacer(begin, l.Rate.Packets(s.train), s.train.Mix.Burst)
	sent := Sent{First: s.seq}
	var made uint64
	now := begin
	for ; now < end && sent.Packets < limit && ctx.Err() == nil; now = mix.Now() {
		room := min(uint64(batch-s.n), limit-made)
		made += uint64(s.make(pace.grant(now, int(room)), now, !l.NoStamps))
		if s.n == 0 {
			s.p.Flush()
			rest(pace.wait(now))
			continue
		}
		sent.Packets += s.push(&sent.Bytes)
	}
	s.drop()
	for k := 0; k < 1000 && pending(s.p); k++ {
		s.p.Flush()
		runtime.Gosched()
	}
	sent.Took = time.Duration(now - begin)
	return sent, nil
}

// make writes the next n packets into the queue, fewer where the pool is empty, and returns how many.
func (s *Port) make(n int, now int64, stamps bool) int {
	for k := range n {
		chunk, ok := s.pool.Get()
		if !ok {
			return k
		}
		f := port.Frame{Chunk: chunk, Start: port.Headroom, Len: s.train.Slots[s.at].Len}
		stamp := mix.Stamp{Seq: s.seq, Time: now}
		b := s.pool.Bytes(f)
		s.train.Write(b, s.at, stamp)
		if !stamps {
			s.train.Unstamp(b, s.at)
		}
		s.seq++
		if s.at++; s.at == len(s.train.Slots) {
			s.at = 0
		}
		s.queue[s.n] = f
		s.n++
	}
	return n
}

// push hands the queue to the port and keeps what it does not take.
func (s *Port) push(bytes *uint64) uint64 {
	n := s.p.Send(s.queue[:s.n])
	s.p.Flush()
	for _, f := range s.queue[:n] {
		*bytes += uint64(f.Len)
	}
	s.n = copy(s.queue[:], s.queue[n:s.n])
	if n == 0 {
		runtime.Gosched() // whoever empties the other end may need this CPU
	}
	return uint64(n)
}

// drop forgets the packets that were not sent, and their sequence numbers: the next run goes on with them.
func (s *Port) drop() {
	for _, f := range s.queue[:s.n] {
		s.pool.Put(f.Chunk)
	}
	s.seq -= uint64(s.n)
	s.at = ((s.at-s.n)%len(s.train.Slots) + len(s.train.Slots)) % len(s.train.Slots)
	s.n = 0
}

func pending(p port.Port) bool {
	q, ok := p.(port.Pender)
	return ok && q.Pending()
}

// rest passes d nanoseconds: the processor is given away for long ones only, as a sleep ends late.
func rest(d int64) {
	const late = 150 * time.Microsecond
	if time.Duration(d) > 2*late {
		time.Sleep(time.Duration(d) - late)
		return
	}
	runtime.Gosched()
}
