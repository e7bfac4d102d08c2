package iketest

import (
	"net/netip"
	"time"

	"nave/slowpath/ike"
)

// Node is one engine, and what has come of what it said.
type Node[E ike.Engine] struct {
	Wire       *Wire[E]
	Name       string // "a" or "b"
	Addr       netip.Addr
	Env        *ike.Env
	Engine     E
	Config     ike.Config
	Children   map[ike.ChildID]*ike.Child // installed
	Active     ike.ChildID                // sent by; 0: none
	Removed    map[ike.ChildID]ike.Why
	Logs       []ike.Log
	Traces     []ike.Trace
	Failed     []ike.Failed
	Keepalives int
	Stopped    bool // hears nothing, and its time stands still

	activated map[ike.ChildID]bool // ever
	heard     map[ike.ChildID]bool // a packet of the traffic has come by it
}

func newNode[E ike.Engine](w *Wire[E], name, addr string, seed uint64) *Node[E] {
	n := &Node[E]{
		Wire: w, Name: name, Addr: netip.MustParseAddr(addr), Env: ike.NewEnv(Random(seed), seed), Removed: make(map[ike.ChildID]ike.Why),
		Children: make(map[ike.ChildID]*ike.Child), activated: make(map[ike.ChildID]bool), heard: make(map[ike.ChildID]bool),
	}
	n.Engine = w.version.New(n.Env)
	n.Config = w.version.Config(n.Addr)
	return n
}

// Configure has the engine run by Config.
func (n *Node[E]) Configure() { n.Do(n.Engine.Configure(n.Wire.Now, &n.Config)) }

// Restart puts an engine in the place of the node's that knows nothing of before, and has no children.
func (n *Node[E]) Restart(seed uint64) {
	n.Env = ike.NewEnv(Random(seed), seed)
	n.Engine = n.Wire.version.New(n.Env)
	clear(n.Children)
	clear(n.activated)
	clear(n.heard)
	n.Active = 0
	n.Configure()
}

// Do carries out effects.
func (n *Node[E]) Do(effects []ike.Effect) {
	w := n.Wire
	for _, f := range effects {
		switch f := f.(type) {
		case ike.Send:
			w.send(n, f)
		case ike.NATKeepalive:
			n.Keepalives++
		case ike.Install:
			w.changed = true
			c := f.Child
			n.Children[c.ID] = &c
		case ike.Activate:
			if n.Children[f.Child] == nil {
				w.T.Errorf("%s: a child is activated that is not installed", n.Name)
			}
			w.changed = true
			n.Active, n.activated[f.Child] = f.Child, true
		case ike.Remove:
			w.changed = true
			n.remove(f)
		case ike.Rehomed:
			if c := n.Children[f.Child]; c != nil {
				c.Path = f.Path
			}
		case ike.Failed:
			n.Failed = append(n.Failed, f)
		case ike.Log:
			n.Logs = append(n.Logs, f)
		case ike.Trace:
			n.Traces = append(n.Traces, f)
		}
	}
}

func (n *Node[E]) remove(f ike.Remove) {
	delete(n.Children, f.Child)
	n.Removed[f.Child] = f.Why
	if n.Active != f.Child {
		return
	}
	n.Active = 0
	if !n.Wire.version.Others {
		return
	}
	for id := range n.Children {
		if n.activated[id] {
			n.Active = max(n.Active, id)
		}
	}
}

// Event is something that happens to the node.
func (n *Node[E]) Event(ev ike.Event) {
	n.Do(n.Engine.Handle(n.Wire.Now, ev))
	if check := n.Wire.version.Check; check != nil {
		check(n)
	}
}

// Initiate has the node want a child with the other one.
func (n *Node[E]) Initiate() {
	n.Event(ike.Initiate{Protection: 1, Remote: netip.AddrPortFrom(n.Wire.Other(n).Addr, 0)})
}

// Release has the node want nothing of the other one any more.
func (n *Node[E]) Release() {
	n.Event(ike.Release{Protection: 1, Remote: netip.AddrPortFrom(n.Wire.Other(n).Addr, 0)})
}

// opens has the node begin on port 4500, with who is behind NAT at remote, and give up after a second.
func (n *Node[E]) opens(remote netip.AddrPort) {
	n.Event(ike.Initiate{Protection: 1, Remote: remote, Within: time.Second})
}

// Rekey has the node rekey the child that it sends by, as if that had carried its soft limit.
func (n *Node[E]) Rekey() { n.Event(ike.Volume{Child: n.Active}) }

// Logged tells whether the engine has logged something of a kind, for a reason.
func (n *Node[E]) Logged(k ike.LogKind, why ike.Why) bool {
	for _, l := range n.Logs {
		if l.Kind == k && l.Why == why {
			return true
		}
	}
	return false
}

// SAs is how many IKE SAs the engine holds.
func (n *Node[E]) SAs() int { return n.Wire.version.SAs(n.Engine) }
