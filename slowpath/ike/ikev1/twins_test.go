package ikev1

import (
	"testing"
	"time"

	"nave/slowpath/ike"
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
	e := f.e
	e.begin(f.w.now)
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
					if child == f.active || f.sendsBy(c) {
						f.taken = append(f.taken, f.w.now.Sub(start))
					}
					c.end(ike.WhyNone)
				}
			}
		}
	}
	f.active = 0
	for _, c := range e.childList() {
		if f.homes[c.ID] == 0 {
			f.homes[c.ID] = c.made
		}
		c.old, c.lostTie = false, false
		e.timers.stop(&c.burial)
		if c.state == childActive {
			f.active = c.ID
		}
	}
	f.do(e.end())
}

// sendsBy tells whether the other side sends by a child.
func (f *foreign) sendsBy(c *child) bool {
	a := f.w.other(f.node)
	o := a.children[a.active]
	return o != nil && o.ESP.OutSPI == c.ESP.InSPI
}

// ping is a packet to the foreign node and its answer, as far as they come.
func (f *foreign) ping() bool {
	a := f.w.other(f.node)
	sends, takes := a.children[a.active], f.children[f.active]
	if sends == nil || takes == nil || takes.ESP.InSPI != sends.ESP.OutSPI {
		return false
	}
	a.event(ike.Heard{Child: a.active})
	return true
}

// hello is a packet that the foreign node sends by itself.
func (f *foreign) hello() {
	a := f.w.other(f.node)
	if c := f.children[f.active]; c != nil {
		for id, o := range a.children {
			if o.ESP.InSPI == c.ESP.OutSPI {
				a.event(ike.Heard{Child: id})
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
		f := newForeign(w.b)
		first, second := w.a, w.b
		if seed%2 == 1 {
			first, second = w.b, w.a
		}
		first.initiate()
		limit := w.now.Add(time.Duration(seed) * time.Millisecond)
		for w.step(limit) {
			f.be()
		}
		second.initiate()
		began, passing, met := w.now, time.Duration(-1), false
		talks := seed%4 < 2 // whether the other make sends anything by itself
		for end := w.now.Add(12 * time.Hour); w.now.Before(end); {
			for limit := w.now.Add(time.Second); w.step(limit); {
				f.be()
			}
			for _, s := range w.a.e.saList() {
				met = met || s.collided
			}
			if talks {
				f.hello()
			}
			switch ok := f.ping(); {
			case ok && passing < 0:
				passing = w.now.Sub(began)
			case !ok && passing >= 0 && w.a.removed[w.a.active] == ike.WhyNone && w.paired(w.a) != nil:
				t.Fatalf("seed %d: after %v a sends by a child that the other side does not have\n%v\n%+v", seed, w.now.Sub(began), w.ladder[max(0, len(w.ladder)-30):], w.a.logs)
			}
			if passing < 0 && w.now.Sub(began) > 15*time.Second {
				t.Fatalf("seed %d: nothing passes: %v\n%+v\n%+v", seed, w.ladder, w.a.logs, w.b.logs)
			}
			if len(w.ladder) > 200 {
				w.ladder = w.ladder[100:]
			}
		}
		if met {
			collided++
		}
		longest = max(longest, passing)
		if len(f.taken) > 0 {
			t.Errorf("seed %d: children went with an SA that a ended, after %v", seed, f.taken)
		}
		if len(w.a.e.sas) > 2 || len(w.a.children) > 2 {
			t.Errorf("seed %d: %d SAs and %d children stay", seed, len(w.a.e.sas), len(w.a.children))
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
		w.a.initiate()
		w.run(time.Duration(20+seed) * time.Millisecond)
		w.b.initiate()
		w.run(5 * time.Minute)
		for _, n := range []*node{w.a, w.b} {
			c := n.e.children[n.active]
			if c == nil || n.e.sas[c.made] == nil {
				t.Fatalf("seed %d: %s sends by a child whose SA is gone: %v", seed, n.name, w.ladder)
			}
			if n.e.sas[c.made].retired {
				kept++
			}
		}
		w.a.event(ike.Volume{Child: w.a.active})
		w.busy(5 * time.Minute)
		w.wantUp()
		for _, n := range []*node{w.a, w.b} {
			if len(n.e.sas) != 1 || len(n.children) != 1 || n.e.saList()[0].retired {
				t.Fatalf("seed %d: %s has %d SAs and %d children", seed, n.name, len(n.e.sas), len(n.children))
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
		w.a.initiate()
		w.run(time.Duration(seed) * time.Millisecond)
		w.b.initiate()
		w.run(5 * time.Second)
		if len(w.b.e.sas) != 2 {
			t.Fatalf("seed %d: %d SAs", seed, len(w.b.e.sas))
		}
		w.b.e.begin(w.now)
		for _, s := range w.b.e.saList() {
			if !s.retired {
				s.end(ike.WhyReplaced, true)
			}
		}
		w.b.do(w.b.e.end())
		w.run(time.Second)
		list := w.a.e.saList()
		if len(list) != 1 || list[0].retired || list[0].gone.index != 0 || list[0].dpd.index == 0 {
			t.Fatalf("seed %d: %d SAs, the first %+v", seed, len(list), list[0])
		}
		w.traffic(5 * time.Minute)
		w.wantUp()
		w.b.stopped = true
		w.run(2 * time.Minute)
		if len(w.a.e.sas)+len(w.a.children) != 0 {
			t.Fatalf("seed %d: a dead peer is not noticed", seed)
		}
	}
}
