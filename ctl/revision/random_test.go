package revision

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"nave/ctl/config"
)

// lines are what is typed at random: good, bad, unfinished, harmful.
var lines = []struct {
	path []string
	line string
}{
	{nil, "hostname a"}, {nil, "hostname b"}, {nil, "no hostname"}, {nil, "ip route 10.2.0.0 255.255.0.0 10.0.0.3"}, {nil, "no ip route 10.1.0.0 255.255.0.0 10.0.0.2"},
	{nil, "frobnicate"}, {nil, "no interface Tunnel1"}, {nil, "no interface Tunnel0"}, {nil, "ip vrf red"}, {nil, "no ip vrf red"}, {nil, "crypto ipsec profile P"},
	{nil, "crypto ipsec transform-set T esp-gcm"}, {nil, "no crypto ipsec profile P"}, {nil, "crypto isakmp key topsecret address 0.0.0.0"},
	{nil, "crypto isakmp key ****** address 0.0.0.0"}, {nil, "router bgp 1"}, {nil, "no router bgp 1"}, {nil, "router eigrp 5"}, {nil, "router eigrp X"},
	{[]string{"router bgp 1"}, "neighbor 10.0.0.9 remote-as 7"}, {[]string{"router bgp 1"}, "no neighbor 10.0.0.9"}, {[]string{"router eigrp 5"}, "network 10.0.0.0"},
	{[]string{"router eigrp X", "address-family ipv4 autonomous-system 5"}, "shutdown"},
	{[]string{"crypto ipsec profile P"}, "set transform-set T"}, {[]string{"interface Tunnel0"}, "ip mtu 1300"}, {[]string{"interface Tunnel0"}, "ip mtu 1200"},
	{[]string{"interface Tunnel0"}, "ip mtu 12"}, {[]string{"interface Tunnel0"}, "tunnel protection ipsec profile P"}, {[]string{"interface Tunnel0"}, "no tunnel protection ipsec profile P"},
	{[]string{"interface Tunnel0"}, "tunnel key 5"}, {[]string{"interface Tunnel0"}, "ip vrf forwarding red"}, {[]string{"interface Tunnel0"}, "ip nhrp authentication ******"},
	{[]string{"interface Tunnel1"}, "tunnel source Ethernet0"}, {[]string{"interface Tunnel1"}, "tunnel mode gre multipoint"}, {[]string{"interface Tunnel1"}, "tunnel key 5"},
	{[]string{"interface Tunnel1"}, "tunnel key 6"}, {[]string{"interface Tunnel1"}, "ip address 10.0.0.1 255.255.255.0"}, {[]string{"interface Tunnel1"}, "ip address 10.9.0.1 255.255.255.0"},
	{[]string{"interface Tunnel1"}, "tunnel protection ipsec profile P"}, {[]string{"interface Ethernet0"}, "ip address 192.0.2.7 255.255.255.0"}, {[]string{"interface Ethernet0"}, "no ip address"},
}

// random does one thing at random and asserts what holds whatever is done.
type random struct {
	*testing.T
	rng   *rand.Rand
	book  *Book
	now   time.Time
	texts map[int]string // of revisions that are over
}

func (r *random) step() {
	r.Helper()
	user := []string{"ann", "bob"}[r.rng.IntN(2)]
	l := lines[r.rng.IntN(len(lines))]
	before, pending := r.book.Running(), r.book.Pending()
	var plan *Plan
	var err error
	whole := false
	switch op := r.rng.IntN(24); {
	case op < 9:
		var line *Line
		if line, err = r.book.Line(r.now, user, l.path, l.line); err == nil {
			plan = line.Plan
		}
	case op < 15:
		_, err = r.book.CandidateLine(r.now, user, l.path, l.line)
	case op < 18:
		plan, err = r.book.Commit(r.now, user, r.rng.IntN(2)*(1+r.rng.IntN(3)))
		whole = true
	case op == 18:
		plan, err = r.book.Confirm(user)
	case op == 19:
		list := r.book.Revisions()
		n := list[r.rng.IntN(len(list))].N
		plan, err = r.book.Rollback(r.now, user, n, r.rng.IntN(2)*2)
		if was, e := r.book.Revision(n); err == nil && (e != nil || !plan.Tree.Equal(was.Tree)) {
			r.Fatalf("rollback %d is another configuration: %v", n, e)
		}
	case op == 20:
		err = r.book.Take(user, 0)
	case op == 21:
		plan, err = r.book.Merge(r.now, user, "copy", "f", []byte(l.line+"\n"))
	case op == 22:
		plan = r.book.Expired(r.now)
	default:
		r.restart()
		return
	}
	r.judge(before, pending, plan, err, whole)
	r.now = r.now.Add(time.Duration(r.rng.IntN(4)) * 30 * time.Second)
}

// judge carries a plan out, or has the box refuse it, and asserts what holds.
func (r *random) judge(before Revision, pending *Pending, plan *Plan, err error, whole bool) {
	r.Helper()
	if now := r.book.Running(); now.N != before.N || now.Tree != before.Tree {
		r.Fatalf("a plan has changed what runs")
	}
	if err != nil || plan == nil {
		return
	}
	if plan.Refused && (plan.Tree != nil || !plan.Findings.HasErrors()) {
		r.Fatalf("refused, and runs: %v", plan.Findings)
	}
	if plan.Tree == nil && plan.Refused {
		return
	}
	if whole && plan.Tree != nil && (config.CheckAt(r.now, plan.Tree).HasErrors()) {
		r.Fatalf("what does not check was taken: %v", config.CheckAt(r.now, plan.Tree).Err())
	}
	r.book.Brace(r.now, plan)
	if plan.Tree != nil && r.rng.IntN(10) == 0 { // the box refuses it
		r.book.Unbrace(plan)
		if p := r.book.Pending(); (p == nil) != (pending == nil) {
			r.Fatalf("what waits is %+v, and was %+v", p, pending)
		}
		return
	}
	was := r.book.Running()
	r.book.Ran(r.now, plan, "x")
	run := r.book.Running()
	if plan.Tree != nil && run.Tree != plan.Tree {
		r.Fatal("what ran is not what was planned")
	}
	if run.N != was.N {
		r.texts[was.N] = was.Tree.Running()
	}
	if again, diags := config.Parse("again", []byte(run.Tree.Running())); diags.HasErrors() || !again.Equal(run.Tree) {
		r.Fatalf("what runs does not print and parse back: %v", diags.Err())
	}
	for _, d := range config.CheckAt(r.now, run.Tree) {
		if d.Severity == config.Error && taking[d.Code] {
			r.Fatalf("one part takes from another: %v", d)
		}
	}
	r.pairs(run.Tree)
}

// pairs asserts that of tunnels that can't run beside each other one is held.
func (r *random) pairs(tree *config.Config) {
	r.Helper()
	c := tree.Clone()
	for _, i := range c.Tunnels() {
		if i.Held != "" {
			c.Interfaces = remove(c.Interfaces, i)
		}
	}
	if held := c.Hold(nil); len(held) != 0 {
		r.Fatalf("%v run beside others that they can't run beside:\n%s", held, tree.Masked())
	}
}

func remove(list []*config.Interface, i *config.Interface) (out []*config.Interface) {
	for _, o := range list {
		if o != i {
			out = append(out, o)
		}
	}
	return out
}

// restart has the next process begin with what the one before has left.
func (r *random) restart() {
	r.Helper()
	was := r.book.Running().Tree
	if p := r.book.Pending(); p != nil {
		back, err := r.book.Revision(p.Back)
		if err != nil {
			r.Fatal(err)
		}
		was = back.Tree
	}
	r.book = again(r.T, r.book)
	p := r.book.Resume()
	if !p.Tree.Equal(was) {
		r.Fatal("another configuration after a restart")
	}
	if p.Tree != r.book.Running().Tree {
		old := r.book.Running()
		r.texts[old.N] = old.Tree.Running()
		r.book.Ran(r.now, p, "x")
	}
	if r.book.Pending() != nil {
		r.Fatal("something waits after a restart")
	}
}

func TestRandom(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { play(t, seed, 120) })
	}
}

func play(t *testing.T, seed uint64, steps int) {
	t.Helper()
	r := &random{T: t, rng: rand.New(rand.NewPCG(seed, 1)), book: newBook(t), now: start, texts: make(map[int]string)}
	for range steps {
		r.step()
		for _, old := range r.book.Revisions() {
			if text, ok := r.texts[old.N]; ok && old.N != r.book.Running().N && text != old.Tree.Running() {
				t.Fatalf("revision %d has changed since it ran", old.N)
			}
		}
	}
}

// FuzzLines types any two lines in any mode: no panic, and what runs is what it was or what was planned.
func FuzzLines(f *testing.F) {
	for _, l := range lines {
		at := ""
		if len(l.path) > 0 {
			at = l.path[0]
		}
		f.Add(at, l.line, "exit")
	}
	f.Add("interface Tunnel0", "ip nhrp authentication ******", "no ip nhrp authentication")
	f.Fuzz(func(t *testing.T, path, one, two string) {
		b := newBook(t)
		var at []string
		if path != "" {
			at = []string{path}
		}
		for _, line := range []string{one, two} {
			before := b.Running()
			l, err := b.Line(start, "ann", at, line)
			if now := b.Running(); now.Tree != before.Tree {
				t.Fatal("a plan has changed what runs")
			}
			if err != nil {
				continue
			}
			at = l.Path
			if l.Tree != nil {
				b.Ran(start, l.Plan, "")
				if again, diags := config.Parse("again", []byte(l.Tree.Running())); diags.HasErrors() || !again.Equal(l.Tree) {
					t.Fatalf("what runs does not print and parse back: %v\n%s", diags.Err(), config.DiffText(again, l.Tree))
				}
			}
			if _, err := b.CandidateLine(start, "bob", at, line); err != nil {
				t.Fatalf("what runs takes the line, a candidate does not: %v", err)
			}
		}
		if p, err := b.Commit(start, "bob", 0); err == nil && p.Tree != nil && config.CheckAt(start, p.Tree).HasErrors() {
			t.Fatal("what does not check was committed")
		} else if err != nil && !errors.Is(err, ErrNothing) && !errors.Is(err, config.ErrConflict) && b.candidates["bob"] != nil {
			t.Fatal(err)
		}
	})
}
