package fastpath

import (
	"time"

	"nave/fastpath/fib"
)

// EndExpired ends security associations whose lifetime ended before that time: their packets are dropped as SAExpired from now on, in all workers. It is for a worker whose slow
// path is not there to do so; one that comes later finds them with HardBytes 1, and may give them limits again. It looks at n numbers, from one on, between two bursts. next is
// where to go on, 0 after the last.
func (w *Worker) EndExpired(before time.Time, from fib.SAID, n int) (next fib.SAID, ended int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed.Load() {
		return 0, 0
	}
	w.reader.Enter()
	defer w.reader.Exit()
	limit := before.Unix()
	end := min(int64(from)+int64(n), int64(w.e.cfg.MaxSAs))
	for id := int64(from); id < end; id++ {
		s := w.t.SA(uint32(id))
		if s == nil {
			continue
		}
		if until := int64(s.Expires.Load()); until != 0 && until < limit && s.End() {
			ended++
		}
	}
	if end < int64(w.e.cfg.MaxSAs) {
		next = fib.SAID(end)
	}
	return next, ended
}
