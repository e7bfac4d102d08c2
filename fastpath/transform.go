package fastpath

import (
	"nave/fastpath/fib"
	"nave/fastpath/internal/sa"
	"nave/fastpath/internal/table"
)

// What the keys of an association become, where no kernel works with the record alone, is an object of the process. An engine whose workers are of the same process makes
// it when the association is installed, and clears it once no worker can hold it. A process that joined makes it when it first meets the association, from the keys in
// the arena, and clears it when it finds the association gone; it has one worker, whose goroutine alone does both.

// lateTransforms is what a joined process has made, and how far it is in looking through it.
type lateTransforms struct {
	joined bool
	made   []uint32 // numbers of associations, each once
	seen   uint64   // generation of the tables at the last look
	next   int      // place in made where the look goes on; -1: none is under way
}

// lateTransform makes what is missing for an association. Only the worker of a joined process calls it, inside an epoch.
func (e *Engine) lateTransform(s *table.SA) *sa.Transform {
	if !e.late.joined {
		return nil
	}
	f := e.tables.SAEntry(s)
	t, err := sa.New(&f)
	if err != nil {
		return nil // the record was checked when it was installed: it is not what it was
	}
	t.Generation = s.Generation
	if old := e.transforms[s.ID].Swap(t); old != nil {
		old.Clear()
	} else {
		e.late.made = append(e.late.made, s.ID)
	}
	return t
}

// sweepStep is how many associations are looked at after a poll.
const sweepStep = 64

// sweepTransforms clears what belongs to associations that are gone: a few after each poll, from one change of the tables to the next. Run calls it between polls.
func (w *Worker) sweepTransforms() {
	e := w.e
	l := &e.late
	if !l.joined || len(l.made) == 0 {
		return
	}
	if l.next < 0 {
		if g := e.tables.Generation(); g != l.seen {
			l.seen, l.next = g, 0
		} else {
			return
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed.Load() {
		return
	}
	w.reader.Enter()
	defer w.reader.Exit()
	for range sweepStep {
		if l.next >= len(l.made) {
			l.next = -1
			return
		}
		id := l.made[l.next]
		s, t := e.tables.SA(id), e.transforms[id].Load()
		if s != nil && s.Generation == t.Generation {
			l.next++
			continue
		}
		e.transforms[id].Store(nil)
		t.Clear()
		last := len(l.made) - 1
		l.made[l.next] = l.made[last]
		l.made = l.made[:last]
	}
}

// keepTransform is for the workers of this process; those of others make their own.
func (e *Engine) keepTransform(id fib.SAID, t *sa.Transform) {
	if e.cfg.Processes {
		t.Clear()
		return
	}
	e.transforms[id].Store(t)
}
