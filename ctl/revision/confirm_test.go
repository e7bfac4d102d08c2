package revision

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// confirmed commits ann's change of the MTU for some minutes.
func confirmed(t *testing.T, b *Book, now time.Time, minutes int) {
	t.Helper()
	edit(t, b, "ann", "interface Tunnel0", "ip mtu 1350")
	p, err := b.Commit(now, "ann", minutes)
	if err != nil || p.Refused {
		t.Fatalf("%v %v", err, p)
	}
	if !b.Brace(now, p) {
		t.Fatal("nothing to brace for")
	}
	b.Ran(now, p, "")
	running(t, b, with("mtu 1400", "mtu 1350"))
}

func TestNotConfirmed(t *testing.T) {
	b := newBook(t)
	confirmed(t, b, start, 5)
	if p := b.Pending(); p == nil || p.User != "ann" || p.Back != 1 || !p.Until.Equal(start.Add(5*time.Minute)) {
		t.Fatalf("%+v", p)
	}
	if p := b.Expired(start.Add(5*time.Minute - 1)); p != nil {
		t.Error("too early")
	}
	p := b.Expired(start.Add(5 * time.Minute))
	if p == nil || p.Refused {
		t.Fatalf("%+v", p)
	}
	if b.Pending() == nil {
		t.Error("a plan has taken the timer away")
	}
	b.Ran(start, p, "")
	running(t, b, text)
	if b.Pending() != nil || b.Expired(start.Add(time.Hour)) != nil || b.Running().N != 3 {
		t.Errorf("%+v", b.Running())
	}
	if c, err := b.Candidate("ann"); err != nil || c.Interface("Tunnel0").IPMTU != 1350 {
		t.Errorf("what ann has edited is lost: %v", err)
	}
	// It can be committed once more.
	if p, err := b.Commit(start, "ann", 0); err != nil || !p.Changes() || p.Tree.Interface("Tunnel0").IPMTU != 1350 {
		t.Errorf("%v %v", err, p)
	}
}

func TestConfirmed(t *testing.T) {
	for _, how := range []string{"confirm", "commit", "commit of bob"} {
		b := newBook(t)
		confirmed(t, b, start, 5)
		var p *Plan
		var err error
		switch how {
		case "confirm":
			p, err = b.Confirm("bob")
		case "commit":
			p, err = b.Commit(start, "ann", 0)
		default:
			p, err = b.Commit(start, "bob", 0)
		}
		if err != nil || p.Changes() {
			t.Fatalf("%s: %v %v", how, err, p)
		}
		b.Ran(start, p, "")
		if b.Pending() != nil || b.Expired(start.Add(time.Hour)) != nil || b.Running().N != 2 {
			t.Errorf("%s: still waits", how)
		}
		running(t, b, with("mtu 1400", "mtu 1350"))
	}
	if _, err := newBook(t).Confirm("ann"); err == nil {
		t.Error("nothing was to be confirmed")
	}
}

// While a change waits nothing else changes; a file and a rollback end the waiting.
func TestWhileItWaits(t *testing.T) {
	b := newBook(t)
	confirmed(t, b, start, 5)
	refused := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "revision 2 of ann is undone at ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := b.Line(start, "bob", nil, "hostname x")
	refused("a line", err)
	if l, err := b.Line(start, "bob", nil, "interface Tunnel0"); err != nil || l.Refused {
		t.Errorf("looking around is refused: %v", err)
	}
	edit(t, b, "bob", "", "hostname x")
	_, err = b.Commit(start, "bob", 0)
	refused("a commit", err)
	_, err = b.Commit(start, "ann", 5)
	refused("a commit for minutes", err)
	_, err = b.Merge(start, "bob", "copy", "x", []byte("hostname x\n"))
	refused("a merge", err)
	_, err = b.Rollback(start, "bob", 1, 5)
	refused("a rollback for minutes", err)
	running(t, b, with("mtu 1400", "mtu 1350"))

	p, err := b.Rollback(start, "bob", 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	b.Ran(start, p, "")
	running(t, b, text)
	if b.Pending() != nil {
		t.Error("still waits")
	}
	p, err = b.Commit(start, "ann", 3)
	if err != nil || !b.Brace(start, p) {
		t.Fatalf("%v", err)
	}
	b.Ran(start, p, "")
	b.Ran(start, b.Replace(start, "naved", "reload", "x.cfg", []byte(text)), "")
	running(t, b, text)
	if b.Pending() != nil {
		t.Error("still waits")
	}
}

// A commit that the box refused waits for nothing.
func TestUnbrace(t *testing.T) {
	b := newBook(t)
	edit(t, b, "ann", "", "hostname x")
	p, err := b.Commit(start, "ann", 5)
	if err != nil || !b.Brace(start, p) || b.Pending() == nil {
		t.Fatalf("%v", err)
	}
	b.Unbrace(p)
	if b.Pending() != nil || b.Running().N != 1 {
		t.Error("it waits")
	}
	p, _ = b.Commit(start, "ann", 0)
	if b.Brace(start, p) {
		t.Error("there was nothing to brace for")
	}
	b.Unbrace(p)
}

func TestMinutes(t *testing.T) {
	for n, ok := range map[int]bool{-1: false, 0: true, 1: true, MostMinutes: true, MostMinutes + 1: false} {
		if (Minutes(n) == nil) != ok {
			t.Errorf("%d: %v", n, Minutes(n))
		}
	}
}

// again is a book after a restart of the process.
func again(t *testing.T, b *Book) *Book {
	t.Helper()
	j, err := json.Marshal(b.Save())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range b.Revisions() {
		if i := r.Tree.Interface("Tunnel0"); i != nil && i.NHRP.Authentication != "" && strings.Contains(string(j), i.NHRP.Authentication.Reveal()) {
			t.Errorf("a key is in %s", j)
		}
	}
	var s Saved
	if err := json.Unmarshal(j, &s); err != nil {
		t.Fatal(err)
	}
	out, err := Open(s, func(n int) ([]byte, error) {
		r, err := b.Revision(n)
		if err != nil {
			return nil, err
		}
		return []byte(r.Tree.Running()), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSaved(t *testing.T) {
	b := newBook(t)
	line(t, b, start, "ann", "", "hostname a")
	line(t, b, start.Add(time.Hour), "bob", "interface Tunnel1", "tunnel source Ethernet0")
	line(t, b, start.Add(time.Hour), "bob", "interface Tunnel1", "tunnel mode gre multipoint")
	o := again(t, b)
	if len(o.Revisions()) != 3 || o.Running().Tree.Interface("Tunnel1").Held == "" {
		t.Errorf("%+v", o.Running())
	}
	for k, r := range b.Revisions() {
		got := o.Revisions()[k]
		if !got.Tree.Equal(r.Tree) || got.N != r.N || got.User != r.User || got.How != r.How || !got.Time.Equal(r.Time) {
			t.Errorf("%+v, was %+v", got, r)
		}
	}
	if p := o.Resume(); !p.Tree.Equal(b.Running().Tree) {
		t.Error("it goes on by something else")
	}
	// What waits is undone by the one that comes after.
	p, err := b.Rollback(start, "ann", 1, 5)
	if err != nil {
		t.Fatal(err)
	}
	b.Brace(start, p)
	half := again(t, b) // the process died while it changed over
	b.Ran(start, p, "")
	for _, o := range []*Book{half, again(t, b)} {
		p := o.Resume()
		if p.Tree.Hostname != "a" || p.Tree.Interface("Tunnel1") == nil {
			t.Errorf("it goes on by\n%s", p.Tree.Masked())
		}
		o.Ran(start, p, "")
		if o.Pending() != nil {
			t.Error("still waits")
		}
	}
}

func TestSavedBadly(t *testing.T) {
	b := newBook(t)
	line(t, b, start, "ann", "", "hostname a")
	s := b.Save()
	lost := errors.New("lost")
	texts := func(n int) ([]byte, error) {
		if n == 2 {
			return []byte("frobnicate\n"), nil
		}
		return []byte(text), nil
	}
	o, err := Open(s, texts)
	if err != nil || o.Running().N != 1 {
		t.Errorf("%v", err)
	}
	if _, err := Open(s, func(int) ([]byte, error) { return nil, lost }); err == nil {
		t.Error("a book of nothing")
	}
	s.Version = 99
	if _, err := Open(s, texts); err == nil || !strings.Contains(err.Error(), "99") {
		t.Errorf("%v", err)
	}
	for _, bad := range []Saved{{}, {Version: 1}, {Version: 1, Revisions: []SavedRevision{{N: 0}, {N: -1}}}} {
		if _, err := Open(bad, texts); err == nil {
			t.Errorf("%+v", bad)
		}
	}
	odd := Saved{Version: 1, Revisions: []SavedRevision{{N: 3}, {N: 3}, {N: 1}, {N: 4}}, Pending: &Pending{Back: 9}}
	if o, err = Open(odd, func(int) ([]byte, error) { return []byte(text), nil }); err != nil || len(o.Revisions()) != 2 || o.Pending() != nil || o.Running().N != 4 {
		t.Errorf("%v %+v", err, o)
	}
}

// The revision that may have to come back is not forgotten, however many come after it.
func TestBackIsKept(t *testing.T) {
	b := newBook(t)
	for n := range Keep {
		line(t, b, start.Add(time.Duration(n)*time.Hour), "ann", "", fmt.Sprintf("hostname h%d", n))
	}
	p, _ := b.Rollback(start, "ann", 3, 5)
	b.Brace(start, p)
	b.Ran(start, p, "")
	if _, err := b.Revision(b.Pending().Back); err != nil || len(b.Revisions()) != Keep {
		t.Errorf("%v, %d revisions", err, len(b.Revisions()))
	}
}

func TestStarted(t *testing.T) {
	b := newBook(t)
	same := parse(t, text)
	if b.Started(start, "start", "none", same); b.Running().N != 1 || b.Running().Tree != same {
		t.Error("the same is another revision")
	}
	if b.Started(start, "start", "x", parse(t, with("hub", "x"))); b.Running().N != 2 {
		t.Error("another is no revision")
	}
}
