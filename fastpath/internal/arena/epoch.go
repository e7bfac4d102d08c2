package arena

import (
	"fmt"
	"sync/atomic"
)

// Reader is a reader's place in the region.
type Reader struct {
	epoch *atomic.Uint64
	slot  *atomic.Uint64
}

// Reader gives slot i, which only one reader may use.
func (a *Arena) Reader(i int) (*Reader, error) {
	if i < 0 || i >= MaxReaders {
		return nil, fmt.Errorf("arena: reader %d: there are %d slots", i, MaxReaders)
	}
	return &Reader{&a.h.epoch, &a.h.readers[i].epoch}, nil
}

// Enter announces that the reader looks at the tables from now on, as they are or newer. To enter again announces anew,
// and gives up what was found before.
func (r *Reader) Enter() {
	left()
	r.slot.Store(r.epoch.Load())
}

// Exit goes offline: nothing found before may be used any more.
func (r *Reader) Exit() {
	left()
	r.slot.Store(0)
}

// Online tells whether the reader holds anything up.
func (r *Reader) Online() bool { return r.slot.Load() != 0 }

// ClearReader takes slot i offline for a reader that died with it.
func (a *Arena) ClearReader(i int) { a.h.readers[i].epoch.Store(0) }

// Retire hands over a block of n bytes that the writer has unlinked, and that readers may still hold.
func (a *Arena) Retire(r Ref, n int) {
	a.retired = append(a.retired, retired{r, class(n), false, a.h.epoch.Load()})
}

// RetireSecret is Retire for what nobody may find in the memory afterwards: it is overwritten when it is freed.
func (a *Arena) RetireSecret(r Ref, n int) {
	a.retired = append(a.retired, retired{r, class(n), true, a.h.epoch.Load()})
}

// Quiet tells whether no reader can hold what was unlinked in an epoch.
func (a *Arena) Quiet(epoch uint64) bool { return epoch < a.oldest() }

// oldest is the earliest epoch that a reader may still be in.
func (a *Arena) oldest() uint64 {
	oldest := a.h.epoch.Load()
	for i := range a.h.readers {
		if e := a.h.readers[i].epoch.Load(); e != 0 && e < oldest {
			oldest = e
		}
	}
	seen()
	return oldest
}

// Advance starts the next epoch. The writer calls it after it has unlinked and retired what it had to.
func (a *Arena) Advance() { a.h.epoch.Add(1) }

// Epoch is the current one.
func (a *Arena) Epoch() uint64 { return a.h.epoch.Load() }

// Reclaim frees the retired blocks that no reader can hold any more, and returns how many still wait.
func (a *Arena) Reclaim() int {
	if len(a.retired) == 0 {
		return 0
	}
	oldest := a.oldest()
	n := 0
	for n < len(a.retired) && a.retired[n].epoch < oldest {
		d := a.retired[n]
		if d.secret {
			clear(a.Bytes(d.ref, int(classSize(d.class))))
		}
		a.free(d.ref, d.class)
		n++
	}
	a.retired = append(a.retired[:0], a.retired[n:]...)
	return len(a.retired)
}
