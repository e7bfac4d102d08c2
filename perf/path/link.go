package path

import "nave/fastpath/port"

// link is a port that costs a worker next to nothing: Recv hands out frames that stand ready in the worker's memory, and Send counts. Frames stay the
// measurement's all the time; the pool has only those that it did not take. With back, what leaves goes there instead.
type link struct {
	next []port.Frame // what Recv hands out
	sent int
	back *port.Pool
	take func(fs []port.Frame) // looks at what leaves, before the frames are written again; nil while measuring
}

// Recv implements port.Port.
func (l *link) Recv(fs []port.Frame) int {
	n := copy(fs, l.next)
	l.next = l.next[n:]
	return n
}

// Send implements port.Port: it takes all.
func (l *link) Send(fs []port.Frame) int {
	l.sent += len(fs)
	if l.take != nil {
		l.take(fs)
	}
	if l.back != nil {
		for _, f := range fs {
			l.back.Put(f.Chunk)
		}
	}
	return len(fs)
}

// Flush implements port.Port.
func (l *link) Flush() {}

// FD implements port.Port.
func (l *link) FD() int { return -1 }

// Close implements port.Port.
func (l *link) Close() error { return nil }
