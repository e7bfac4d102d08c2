package label

import (
	"sync"
	"time"
)

// Tables is a Pool that also has one label for each of several tables, which many prefixes use at once. Its methods may be called from any goroutine.
type Tables struct {
	pool *Pool

	mu     sync.Mutex
	whole  map[string]bool   // tables whose prefixes all have the table's label
	tables map[string]*table // by name: those that have a label
	shared map[uint32]*table // the same, and those that are forgotten while prefixes have their labels
}

// table is the label of a table.
type table struct {
	label uint32
	users int // the table itself, until it is forgotten, and each prefix that Take gave it to
}

// NewTables takes its labels from a pool.
func NewTables(p *Pool) *Tables {
	return &Tables{pool: p, tables: make(map[string]*table), shared: make(map[uint32]*table)}
}

// Configure says of which tables all prefixes have the table's label.
func (s *Tables) Configure(whole map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whole = whole
}

// Of is the label of a table, the same until Forget.
func (s *Tables) Of(name string, now time.Time) (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.of(name, now)
	if err != nil {
		return 0, err
	}
	return t.label, nil
}

func (s *Tables) of(name string, now time.Time) (*table, error) {
	if t := s.tables[name]; t != nil {
		return t, nil
	}
	n, err := s.pool.Take(now)
	if err != nil {
		return nil, err
	}
	t := &table{label: n, users: 1}
	s.tables[name], s.shared[n] = t, t
	return t, nil
}

// Forget drops the label of a table; ok is false if it has none. It is given back when no prefix has it any more.
func (s *Tables) Forget(name string, now time.Time) (label uint32, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[name]
	if t == nil {
		return 0, false
	}
	delete(s.tables, name)
	s.leave(t, now)
	return t.label, true
}

func (s *Tables) leave(t *table, now time.Time) {
	if t.users--; t.users == 0 {
		delete(s.shared, t.label)
		s.pool.Release(t.label, now)
	}
}

// Use tells whether a label is a table's, or was; and whether it is that of this one.
func (s *Tables) Use(label uint32, name string) (shared, of bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.shared[label]
	return t != nil, t != nil && s.tables[name] == t
}

// Take gives a label for a prefix of a table: the table's where Configure said so. An empty name is no table's.
func (s *Tables) Take(name string, now time.Time) (uint32, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name == "" || !s.whole[name] {
		return s.pool.Take(now)
	}
	t, err := s.of(name, now)
	if err != nil {
		return 0, err
	}
	t.users++
	return t.label, nil
}

// Release takes back what Take gave.
func (s *Tables) Release(label uint32, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.shared[label]; t != nil {
		s.leave(t, now)
		return
	}
	s.pool.Release(label, now)
}
