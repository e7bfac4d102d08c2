package fastpath

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"

	"nave/fastpath/internal/arena"
)

// Adopt takes over the tables that another process made by New and wrote, and that ended: from now on this one writes them. Their workers go on meanwhile. cfg is what New
// would be called with; ErrLayout means that the arena is of another build or of other sizes, ErrDamaged that it contradicts itself; nothing was changed then. memfd belongs to the engine from then on, also on an error.
//
// The engine has a handle for each worker that the process before had made. Those that no process is any more have to be reported by WorkerDied, and all of them need
// UseWakeFDs, or new processes. Inherited says what is installed.
//
// A process can end between any two steps of a change. Adopt makes the tables whole, and finds the memory again that was waiting to be freed.
func Adopt(memfd int, cfg Config) (*Engine, error) {
	cfg.setDefaults()
	cfg.Processes = true
	e, err := open(memfd)
	if err != nil {
		return nil, err
	}
	if err := e.adopt(&cfg); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Engine) adopt(cfg *Config) error {
	cfg.ArenaBytes = wholePages(cfg.ArenaBytes)
	if diff := cfg.differs(&e.cfg); diff != "" {
		return fmt.Errorf("fastpath: take over: %w: %s", ErrLayout, diff)
	}
	e.cfg.Processes = true
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := 0; i < e.cfg.Workers && atomic.LoadUint64(&e.ofWorker(i)[wkrReady]) != 0; i++ {
		if _, err := e.newHandle(i); err != nil {
			return err
		}
	}
	e.tables.SetLimit(e.cfg.MaxRoutes)
	if _, err := e.arena.Recover(e.tables.Check, e.tables.Recover); err != nil {
		return fmt.Errorf("fastpath: take over: %w", err)
	}
	e.tables.Commit()
	writeCapture(e.capture, &CaptureRequest{}) // who asked is dead
	return nil
}

// wholePages is the size of a region that holds n bytes.
func wholePages(n int) int {
	page := os.Getpagesize()
	return (n + page - 1) / page * page
}

// differs says in which sizes two configurations differ.
func (c *Config) differs(found *Config) string {
	var words []string
	is := found.sizes()
	for i, s := range c.sizes() {
		if *s.v != *is[i].v {
			words = append(words, fmt.Sprintf("%d %s, want %d", *is[i].v, s.name, *s.v))
		}
	}
	if c.ArenaBytes != found.ArenaBytes {
		words = append(words, fmt.Sprintf("%d bytes, want %d", found.ArenaBytes, c.ArenaBytes))
	}
	if c.RedirectInterval != found.RedirectInterval || c.ResolveInterval != found.ResolveInterval {
		words = append(words, "other intervals")
	}
	return strings.Join(words, ", ")
}

// ErrDamaged means that what an arena says of itself cannot be.
var ErrDamaged = arena.ErrDamaged

// LayoutVersion is that of the arena: processes of another can't share it.
const LayoutVersion = arena.LayoutVersion
