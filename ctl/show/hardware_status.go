package show

import (
	"time"

	"nave/fastpath/fib"
	"nave/hwprofiles"
)

// Hardware is the hardware that is emulated, as it stands.
type Hardware struct {
	Profile *hwprofiles.Profile
	Since   time.Time // when it was loaded
	Usage   hwprofiles.Usage
	Meters  fib.Meters
	Loads   [fib.NumBudgets]Load
	// Limited are the rate limiters that are configured, in their order: the first ones have a register.
	Limited []Limiter
	// Restricted are lines of the configuration that this hardware refuses or that do nothing on it.
	Restricted []Restricted
	// Switched are the tunnels whose packets are the route processor's, by name.
	Switched []SwitchedTunnel
}

// Load is how fast a budget is spent.
type Load struct {
	PerSecond uint64    // units, in the last seconds
	Peak      uint64    // units a second
	PeakTime  time.Time // zero: never
}

// Limiter is one `mls rate-limit`.
type Limiter struct {
	Case     string // as in the configuration: "all ttl-failure"
	Rate     int    // packets a second
	Burst    int    // packets
	Place    string // what has its register: the case, or what it shares one with; empty: it has none of its own
	Layer2   bool   // it is a register of layer 2
	Register bool   // it found one
	Budget   fib.Budget
	Known    bool // Budget says which one it is: nave has such packets
}

// Restricted is a line that has not the effect here that it has elsewhere.
type Restricted struct {
	Interface string // "": of the box
	Command   string // its words: "ip nhrp redirect"
	Refused   bool   // or it has no effect
	Key       string // the profile's value that says so
}

// SwitchedTunnel is a tunnel whose packets the route processor forwards.
type SwitchedTunnel struct {
	Interface string
	Labelled  bool // only those with labels
	Way       fib.Way
	Key       string // the profile's value that makes it so
}
