package nhrp

import (
	"math/rand/v2"
	"time"
)

// Machine is the NHRP of one box, with all of its interfaces.
type Machine struct {
	env Routes
	rng *rand.Rand
}

// New makes a machine without interfaces.
func New(env Routes) *Machine { return NewSeeded(env, rand.Uint64()) }

// NewSeeded is New with jitter that a test can repeat.
func NewSeeded(env Routes, seed uint64) *Machine {
	return &Machine{env: env, rng: rand.New(rand.NewPCG(seed, 0))}
}

// Configure makes cfg the configuration. Only what differs is touched: what is established survives.
func (m *Machine) Configure(now time.Time, cfg Config) []Effect { return nil }

// Handle takes an event in.
func (m *Machine) Handle(now time.Time, ev Event) []Effect { return nil }

// Deadline is when to give the next Tick; the zero Time means that nothing is due.
func (m *Machine) Deadline() time.Time { return time.Time{} }

// Status is a copy of the machine's state.
func (m *Machine) Status(now time.Time) Status { return Status{Time: now} }
