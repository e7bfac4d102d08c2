package ikev1

import (
	"time"

	"nave/slowpath/ike"
)

// Engine is IKEv1 of one box. It belongs to one goroutine.
type Engine struct {
	env *ike.Env
	cfg *ike.Config
}

// New makes an engine without configuration.
func New(env *ike.Env) *Engine { return &Engine{env: env, cfg: &ike.Config{}} }

// Configure makes the engine run by c.
func (e *Engine) Configure(_ time.Time, c *ike.Config) []ike.Effect {
	e.cfg = c
	return nil
}

// Handle takes an event in and returns what to do, in order.
func (e *Engine) Handle(time.Time, ike.Event) []ike.Effect { return nil }

// Deadline is when Tick is wanted.
func (e *Engine) Deadline() time.Time { return time.Time{} }

// AppendStatus adds what the engine knows to s.
func (e *Engine) AppendStatus(time.Time, *ike.Status) {}
