package gateway

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"nave/ctl/config"
	"nave/ctl/show"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/ike"
)

// Core is a configuration, the facts of a box, and the Router that runs by them. It has no goroutine and no clock.
type Core struct {
	tree     *config.Config
	facts    Facts
	numbers  *numbers
	router   *slowpath.Router
	problems []show.Problem
	refused  []show.Problem // what BGP's speaker did not take
	current  slowpath.Config
	load     TrustLoader
	// farewell is called with what is about to be configured: neighbors can be told still what goes.
	farewell func(next *slowpath.Config)

	hardware   emulation
	configured bool // a tree was given
	presumed   presumed
}

// TrustLoader reads the files of a trustpoint. Its error names the file and says what to do.
type TrustLoader func(now time.Time, p *config.Trustpoint) (ike.Trustpoint, error)

// NewCore makes a Core without configuration.
func NewCore(e slowpath.Engine, l slowpath.Linux) *Core { return coreOf(slowpath.New(e, l)) }

// NewSeededCore is NewCore with jitter, nonces and keys that a test can repeat: never for use outside of one.
func NewSeededCore(e slowpath.Engine, l slowpath.Linux, seed uint64) *Core {
	return coreOf(slowpath.NewSeeded(e, l, seed))
}

func coreOf(r *slowpath.Router) *Core {
	return &Core{
		tree: &config.Config{}, numbers: newNumbers(), router: r,
		facts: Facts{Links: make(map[string]Link), Leases: make(map[string]Lease), Trust: make(map[string]Trust)},
		load: func(_ time.Time, p *config.Trustpoint) (ike.Trustpoint, error) {
			return ike.Trustpoint{}, fmt.Errorf("the files of trustpoint %s can't be read here", p.Name)
		},
	}
}

// Inherit has the Core begin with what is installed in the fast path, whose workers have forwarded on without a control plane: b is
// fastpath.Engine.Inherited. It comes right after NewCore, before everything else; the interfaces of the configuration then get the numbers that the fast path
// knows them by. What Router.Inherit says holds.
func (c *Core) Inherit(now time.Time, b fib.Batch) {
	c.numbers.inherit(&b)
	c.presumed.inherit(&b)
	c.router.At(now).Inherit(b)
}

// isComplete tells whether the links and leases are known that the configuration speaks of.
func (c *Core) isComplete() bool {
	for _, i := range c.tree.Interfaces {
		if i.Shutdown || !i.IsPort() || misplaced(c.tree, i) != "" {
			continue
		}
		if _, ok := c.facts.linkOf(i); !ok {
			return false
		}
		if _, ok := c.facts.Leases[i.Name]; i.DHCP && !ok {
			return false
		}
	}
	return true
}

// SetTrustLoader has the files of trustpoints read by f, with the next Configure.
func (c *Core) SetTrustLoader(f TrustLoader) { c.load = f }

// Router is the control plane.
func (c *Core) Router() *slowpath.Router { return c.router }

// Tree is the running configuration. It is not to be changed.
func (c *Core) Tree() *config.Config { return c.tree }

// Problems lists what is configured and not carried out.
func (c *Core) Problems() []show.Problem { return slices.Concat(c.problems, c.refused) }

// Facts are the links and leases that the Core knows of.
func (c *Core) Facts() Facts {
	return Facts{Links: maps.Clone(c.facts.Links), Leases: maps.Clone(c.facts.Leases), Trust: maps.Clone(c.facts.Trust)}
}

// Current is what the control plane was last told.
func (c *Core) Current() slowpath.Config { return c.current }

// Configure runs by another configuration. What it has in common with the one before stays as it is. One that names a hardware profile which can't be read changes nothing.
func (c *Core) Configure(now time.Time, tree *config.Config) error {
	if err := c.hardware.follow(now, tree); err != nil {
		return err
	}
	c.tree, c.configured = tree, true
	c.loadTrust(now)
	return c.applyAfter(now, c.farewell)
}

// Reload reads the files of trustpoints again: certificates and revocation lists are renewed while the configuration stays.
func (c *Core) Reload(now time.Time) error {
	c.loadTrust(now)
	return c.apply(now)
}

// loadTrust reads the files of all trustpoints. What can't be read stays as it was, and is a problem.
func (c *Core) loadTrust(now time.Time) {
	old := c.facts.Trust
	c.facts.Trust = make(map[string]Trust)
	for _, p := range c.tree.PKI.Trustpoints {
		point, err := c.load(now, p)
		t := Trust{Point: point}
		if err != nil {
			t = Trust{Point: old[p.Name].Point, Problem: err.Error()}
		}
		c.facts.Trust[p.Name] = t
	}
}

// SetLink says that a port is there, or has changed.
func (c *Core) SetLink(now time.Time, name string, l Link) error {
	if old, ok := c.facts.Links[name]; ok && old == l {
		return nil
	}
	c.facts.Links[name] = l
	return c.apply(now)
}

// SetLease says what DHCP gave on an interface; the zero Lease takes it away.
func (c *Core) SetLease(now time.Time, name string, l Lease) error {
	delete(c.presumed.names, name)
	if c.facts.Leases[name] == l {
		return nil
	}
	if l == (Lease{}) {
		delete(c.facts.Leases, name)
	} else {
		c.facts.Leases[name] = l
	}
	return c.apply(now)
}

func (c *Core) apply(now time.Time) error { return c.applyAfter(now, nil) }

// applyAfter is apply, once something was done that can't be done afterwards.
func (c *Core) applyAfter(now time.Time, before func(*slowpath.Config)) error {
	if _, _, until := c.router.Takeover(); until.IsZero() {
		c.numbers.disinherit()
	}
	c.presume()
	c.current, c.problems = translate(c.hardware.restrict(c.tree), c.facts, c.numbers)
	c.hardware.numbered(c.tree, c.current.Interfaces)
	c.problems = append(c.problems, c.hardware.report(c.tree)...)
	c.current.IKE.Admission.SetUp = c.hardware.setUp()
	c.hardware.placeHubs(c.tree, c.current.Sessions.Protections)
	c.current.Incomplete = !c.configured || !c.isComplete()
	if before != nil {
		before(&c.current)
	}
	return c.router.At(now).Configure(c.current)
}
