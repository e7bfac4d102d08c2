package gateway

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/host"
	"nave/slowpath/host/nic"
)

// cards are the network cards of the ports, and how they spread packets over their queues: by RSS, and by filter rules for what is installed in the fast path.
type cards struct {
	g *Gateway

	mu     sync.Mutex // a card is asked and programmed by one goroutine at a time
	byPort map[string]*card
	steers atomic.Bool // some card leads packets by rules
	rules  rules       // that what is installed asks for
}

// card is the network card of a port.
type card struct {
	dev    *nic.Netdev
	queues int
	before nic.Before // what nave changed; also in file, for the naved after this one
	file   string
	state  *nic.State
	rules  *nic.Steering // nil where there are none
	told   bool          // that a rule was refused
	kept   bool          // VLAN tags are to stay in frames
}

func newCards(g *Gateway) *cards {
	return &cards{g: g, byPort: make(map[string]*card), rules: newRules()}
}

// Ways of spreading (`fastpath spread`).
const (
	spreadRSS    = "rss"
	spreadNTuple = "ntuple"
	spreadOff    = "off"
)

// add programs the card of a port with so many queues, the way that is configured. What the driver refuses is shown by `show ports`.
func (c *cards) add(p *port, queues int, way string) error {
	var dev *nic.Netdev
	if err := p.within(func() (err error) { dev, err = nic.Open(p.netdev); return err }); err != nil {
		return fmt.Errorf("gateway: port %s: %w", p.name, err)
	}
	c.program(p, dev, queues, way)
	return nil
}

// program is add for a netdev that is open.
func (c *cards) program(p *port, dev *nic.Netdev, queues int, way string) {
	k := &card{dev: dev, queues: queues, file: filepath.Join(c.g.opt.RunDir, "card-"+filepath.Base(p.netdev)+".json")}
	k.remembered()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byPort[p.name] = k
	if way == spreadOff {
		if err := nic.Restore(dev, k.before); err != nil { // what a naved before had changed
			c.g.opt.Log.Warn("giving a network card back", "port", p.name, "error", err)
		}
		k.before, k.state = nic.Before{}, nic.Describe(dev)
	} else {
		k.state = nic.Spread(dev, queues, &k.before)
	}
	var zero bool
	err := p.within(func() (err error) { zero, err = nic.ZeroCopy(p.link.Index); return err })
	switch {
	case err != nil:
		k.state.ZeroCopy = "unknown: " + err.Error()
	case zero:
		k.state.ZeroCopy = "supported"
	default:
		k.state.ZeroCopy = "not supported by the driver"
	}
	if queues > 1 && (way == spreadNTuple || way != spreadOff && way != spreadRSS && !k.state.Spreads()) {
		if k.rules, err = nic.Steer(dev, &k.before); err == nil {
			k.state.NTuple = nic.Outcome{Done: true}
			c.steers.Store(true)
		} else {
			k.state.NTuple = nic.Outcome{Why: err.Error()}
		}
	}
	k.remember(c.g)
	c.log(p, k)
}

func (c *cards) log(p *port, k *card) {
	if k.queues < 2 {
		return
	}
	if k.state.RSS.Done {
		c.g.opt.Log.Info("the card spreads packets", "port", p.name, "rss", k.state.RSS.What, "esp_by_spi", k.state.BySPI)
		return
	}
	c.g.opt.Log.Info("the card's way of spreading packets was not changed", "port", p.name, "rss", k.state.RSS.Why, "filter_rules", k.state.NTuple.Why)
}

// within runs f in the network namespace of the port.
func (p *port) within(f func() error) error {
	if p.space == nil {
		return f()
	}
	return p.space.host.Within(f)
}

// keepTags has the card of a port leave VLAN tags in frames, or do with them what it did before.
func (c *cards) keepTags(p *port, keep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.byPort[p.name]
	if k == nil || keep && k.kept || !keep && !k.before.Tags {
		return
	}
	k.kept = keep
	change := nic.ReturnTags
	if keep {
		change = nic.KeepTags
	}
	if err := change(k.dev, &k.before); err != nil {
		c.g.opt.Log.Warn("the card takes VLAN tags off frames, so that subinterfaces get none", "port", p.name, "error", err)
	}
	k.remember(c.g)
}

// steerAgain gives a card that was added anew all rules that there are.
func (c *cards) steerAgain() {
	if c.steers.Load() {
		all := slices.Collect(maps.Keys(c.rules.users))
		c.g.linux.do(func() { c.steer(all, nil) })
	}
}

// drop lets go of the card of a port that leaves its network namespace. What was changed stays changed, and known.
func (c *cards) drop(port string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.byPort[port]
	if k == nil {
		return
	}
	k.remember(c.g)
	k.dev.Close()
	delete(c.byPort, port)
}

// lacksZeroCopy names a port whose driver says that it has no zero-copy, where others have: all of a worker's must. "" where all or none has, or the kernel
// can't say: then trying tells. within runs a function in the network namespace of a port.
func lacksZeroCopy(links map[string]host.Link, within func(name string, f func() error) error) string {
	lacking, have := "", false
	for _, name := range slices.Sorted(maps.Keys(links)) {
		ok := false
		switch err := within(name, func() (err error) { ok, err = nic.ZeroCopy(links[name].Index); return err }); {
		case err != nil:
		case ok:
			have = true
		case lacking == "":
			lacking = name
		}
	}
	if !have {
		return ""
	}
	return lacking
}

// spreads tells whether the card of a port spreads by a table that nave has seen.
func (c *cards) spreads(port string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.byPort[port]
	return k != nil && k.state.Spreads()
}

// status is how the card of a port is now; nil without one.
func (c *cards) status(port string) *nic.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.byPort[port]
	if k == nil {
		return nil
	}
	s := *k.state
	if k.rules != nil {
		s.Rules, s.Refused = k.rules.Rules(), k.rules.Refused
	}
	return &s
}

// close lets go of the cards; release gives them back as they were before nave.
func (c *cards) close(release bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, k := range c.byPort {
		if release {
			if err := nic.Restore(k.dev, k.before); err != nil {
				c.g.opt.Log.Warn("giving a network card back", "port", name, "error", err)
			}
			os.Remove(k.file)
		} else {
			k.remember(c.g)
		}
		k.dev.Close()
	}
	c.byPort = make(map[string]*card)
}

// remembered reads what an earlier naved changed. A file that can't be read is as good as none.
func (k *card) remembered() {
	text, err := os.ReadFile(k.file)
	if err == nil && json.Unmarshal(text, &k.before) != nil {
		k.before = nic.Before{}
	}
}

// remember writes down what was changed, for who releases the port one day.
func (k *card) remember(g *Gateway) {
	text, err := json.Marshal(k.before)
	if err == nil {
		err = os.WriteFile(k.file+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(k.file+".new", k.file)
	}
	if err != nil {
		g.opt.Log.Warn("what was changed of a network card can't be written down, so it stays when nave is released", "error", err)
	}
}

// steered is the fast path as the control plane sees it: what it installs is also told to the cards that lead packets by rules.
type steered struct {
	slowpath.Engine
	cards *cards
}

// Apply implements slowpath.Engine.
func (s steered) Apply(b *fib.Batch) ([]fib.Refusal, error) {
	refused, err := s.Engine.Apply(b)
	s.cards.follow(b)
	return refused, err
}

// follow has the cards follow a batch, later: a driver may take milliseconds for a rule.
func (c *cards) follow(b *fib.Batch) {
	if !c.steers.Load() || len(b.SAs)+len(b.DelSAs)+len(b.Adjacencies)+len(b.DelAdjacencies) == 0 {
		return
	}
	add, remove := c.rules.follow(b)
	if len(add)+len(remove) > 0 {
		c.g.linux.do(func() { c.steer(add, remove) })
	}
}

// steer carries out what follow found.
func (c *cards) steer(add, remove []nic.Rule) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, k := range c.byPort {
		if k.rules == nil {
			continue
		}
		for _, r := range remove {
			k.rules.Remove(r)
		}
		for _, r := range add {
			r.Queue = queueOf(r, k.queues)
			if err := k.rules.Add(r); err != nil && !k.told {
				k.told = true
				c.g.opt.Log.Warn("the card did not take a filter rule: these packets come as it spreads them itself", "port", name, "error", err)
			}
		}
		k.remember(c.g)
	}
}
