package ikev1

import (
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/iketest"
)

// foreign is a node as strongSwan on Linux would be: it has each child on an SA, which takes it along when it ends; an SA that it answers takes over the children
// of the others when it comes up; of two children and two SAs it ends none by itself; and it lets in only what comes by the child that came up last.
type foreign struct {
	*node
	homes map[ike.ChildID]ike.SAID
	sas   map[ike.SAID]bool
	taken []time.Duration // when children went with their SA
}

func newForeign(n *node) *foreign {
	return &foreign{node: n, homes: make(map[ike.ChildID]ike.SAID), sas: make(map[ike.SAID]bool)}
}

// be makes the node's engine so, after each step.
func (f *foreign) be() {
	e := f.Engine
	e.begin(f.Wire.Now)
	for _, s := range e.saList() {
		s.retired = false
		e.timers.stop(&s.gone)
		if s.state == established && !f.sas[s.id] {
			f.sas[s.id] = true
			for id, home := range f.homes {
				if !s.initiator || home == s.replaces {
					f.homes[id] = s.id
				}
			}
		}
	}
	for id := range f.sas {
		if e.sas[id] == nil {
			delete(f.sas, id)
			for child, home := range f.homes {
				if c := e.children[child]; home == id && c != nil {
					if child == f.Active || f.sendsBy(c) {
						f.taken = append(f.taken, f.Wire.Now.Sub(iketest.Start))
					}
					c.end(ike.WhyNone)
				}
			}
		}
	}
	f.Active = 0
	for _, c := range e.childList() {
		if f.homes[c.ID] == 0 {
			f.homes[c.ID] = c.made
		}
		c.old, c.lostTie = false, false
		e.timers.stop(&c.burial)
		if c.state == childActive {
			f.Active = c.ID
		}
	}
	f.Do(e.end())
}

// sendsBy tells whether the other side sends by a child.
func (f *foreign) sendsBy(c *child) bool {
	a := f.Wire.Other(f.node)
	o := a.Children[a.Active]
	return o != nil && o.ESP.OutSPI == c.ESP.InSPI
}

// ping is a packet to the foreign node and its answer, as far as they come.
func (f *foreign) ping() bool {
	a := f.Wire.Other(f.node)
	sends, takes := a.Children[a.Active], f.Children[f.Active]
	if sends == nil || takes == nil || takes.ESP.InSPI != sends.ESP.OutSPI {
		return false
	}
	a.Event(ike.Heard{Child: a.Active})
	return true
}

// hello is a packet that the foreign node sends by itself.
func (f *foreign) hello() {
	a := f.Wire.Other(f.node)
	if c := f.Children[f.Active]; c != nil {
		for id, o := range a.Children {
			if o.ESP.InSPI == c.ESP.OutSPI {
				a.Event(ike.Heard{Child: id})
			}
		}
	}
}

// Both sides begin at once, one of them of another make: whoever is first, packets pass soon, and do so for hours, through rekeys of the children and of the SAs.
func TestStartAtOnceWithAnotherMake(t *testing.T) {
	collided, longest := 0, time.Duration(0)
	for seed := range uint64(60) {
		w := join(t, 7000+seed, func(a, b *ike.Config) {
			a.V1.Policies[0].Lifetime, b.V1.Policies[0].Lifetime = 4*time.Hour, 5*time.Hour
		})
		f := newForeign(w.B)
		first, second := w.A, w.B
		if seed%2 == 1 {
			first, second = w.B, w.A
		}
		first.Initiate()
		limit := w.Now.Add(time.Duration(seed) * time.Millisecond)
		for w.Step(limit) {
			f.be()
		}
		second.Initiate()
		began, passing, met := w.Now, time.Duration(-1), false
		talks := seed%4 < 2 // whether the other make sends anything by itself
		for end := w.Now.Add(12 * time.Hour); w.Now.Before(end); {
			for limit := w.Now.Add(time.Second); w.Step(limit); {
				f.be()
			}
			for _, s := range w.A.Engine.saList() {
				met = met || s.collided
			}
			if talks {
				f.hello()
			}
			switch ok := f.ping(); {
			case ok && passing < 0:
				passing = w.Now.Sub(began)
			case !ok && passing >= 0 && w.A.Removed[w.A.Active] == ike.WhyNone && w.Paired(w.A) != nil:
				t.Fatalf("seed %d: after %v a sends by a child that the other side does not have\n%v\n%+v", seed, w.Now.Sub(began), w.Ladder[max(0, len(w.Ladder)-30):], w.A.Logs)
			}
			if passing < 0 && w.Now.Sub(began) > 15*time.Second {
				t.Fatalf("seed %d: nothing passes: %v\n%+v\n%+v", seed, w.Ladder, w.A.Logs, w.B.Logs)
			}
			if len(w.Ladder) > 200 {
				w.Ladder = w.Ladder[100:]
			}
		}
		if met {
			collided++
		}
		longest = max(longest, passing)
		if len(f.taken) > 0 {
			t.Errorf("seed %d: children went with an SA that a ended, after %v", seed, f.taken)
		}
		if len(w.A.Engine.sas) > 2 || len(w.A.Children) > 2 {
			t.Errorf("seed %d: %d SAs and %d children stay", seed, len(w.A.Engine.sas), len(w.A.Children))
		}
	}
	if collided < 20 {
		t.Errorf("only %d of 60 began at once", collided)
	}
	t.Logf("%d of 60 began at once; packets passed after %v at the latest", collided, longest)
}

// An SA that was to go stays for what was made on it, and goes when that has been replaced.
func TestTwinStaysForItsChild(t *testing.T) {
	kept := 0
	for seed := range uint64(40) {
		w := join(t, 7100+seed, nil)
		w.A.Initiate()
		w.Run(time.Duration(20+seed) * time.Millisecond)
		w.B.Initiate()
		w.Run(5 * time.Minute)
		for _, n := range []*node{w.A, w.B} {
			c := n.Engine.children[n.Active]
			if c == nil || n.Engine.sas[c.made] == nil {
				t.Fatalf("seed %d: %s sends by a child whose SA is gone: %v", seed, n.Name, w.Ladder)
			}
			if n.Engine.sas[c.made].retired {
				kept++
			}
		}
		w.A.Event(ike.Volume{Child: w.A.Active})
		busy(w, 5*time.Minute)
		w.WantUp()
		for _, n := range []*node{w.A, w.B} {
			if len(n.Engine.sas) != 1 || len(n.Children) != 1 || n.Engine.saList()[0].retired {
				t.Fatalf("seed %d: %s has %d SAs and %d children", seed, n.Name, len(n.Engine.sas), len(n.Children))
			}
		}
	}
	if kept == 0 {
		t.Error("no SA was there only for its child")
	}
	t.Logf("%d SAs stayed for a child", kept)
}

// The peer keeps the other SA of two: the one that was to go is used again, watched over and renewed.
func TestTwinComesBack(t *testing.T) {
	for seed := range uint64(20) {
		w := join(t, 7200+seed, func(a, b *ike.Config) { a.V1.Keepalive = ike.Keepalive{Interval: 10 * time.Second} })
		w.A.Initiate()
		w.Run(time.Duration(seed) * time.Millisecond)
		w.B.Initiate()
		w.Run(5 * time.Second)
		if len(w.B.Engine.sas) != 2 {
			t.Fatalf("seed %d: %d SAs", seed, len(w.B.Engine.sas))
		}
		w.B.Engine.begin(w.Now)
		for _, s := range w.B.Engine.saList() {
			if !s.retired {
				s.end(ike.WhyReplaced, true)
			}
		}
		w.B.Do(w.B.Engine.end())
		w.Run(time.Second)
		list := w.A.Engine.saList()
		if len(list) != 1 || list[0].retired || list[0].gone.index != 0 || list[0].dpd.index == 0 {
			t.Fatalf("seed %d: %d SAs, the first %+v", seed, len(list), list[0])
		}
		traffic(w, 5*time.Minute)
		w.WantUp()
		w.B.Stopped = true
		w.Run(2 * time.Minute)
		if len(w.A.Engine.sas)+len(w.A.Children) != 0 {
			t.Fatalf("seed %d: a dead peer is not noticed", seed)
		}
	}
}
