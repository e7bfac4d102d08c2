package revision

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/ctl/config"
)

const text = `hostname hub
interface Ethernet0
 ip address 192.0.2.1 255.255.255.0
interface Tunnel0
 ip address 10.0.0.1 255.255.255.0
 ip mtu 1400
 ip nhrp authentication topkey
 ip nhrp network-id 7
 tunnel source Ethernet0
 tunnel mode gre multipoint
ip route 10.1.0.0 255.255.0.0 10.0.0.2
`

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func parse(t testing.TB, text string) *config.Config {
	t.Helper()
	c, diags := config.Parse("test", []byte(text))
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	return c
}

func newBook(t testing.TB) *Book { return New(start, "start", parse(t, text)) }

// line applies a line, which must be taken, and returns its findings.
func line(t *testing.T, b *Book, now time.Time, user, path, line string) *Line {
	t.Helper()
	var at []string
	if path != "" {
		at = strings.Split(path, "|")
	}
	l, err := b.Line(now, user, at, line)
	if err != nil || l.Refused {
		t.Fatalf("%s %q: %v, %v", path, line, err, l)
	}
	if l.Changes() {
		b.Ran(now, l.Plan, "changes")
	}
	return l
}

func edit(t *testing.T, b *Book, user, path, line string) {
	t.Helper()
	var at []string
	if path != "" {
		at = strings.Split(path, "|")
	}
	if l, err := b.CandidateLine(start, user, at, line); err != nil || l.Refused {
		t.Fatalf("%s %q: %v, %v", path, line, err, l)
	}
}

func running(t *testing.T, b *Book, want string) {
	t.Helper()
	if got, w := b.Running().Tree, parse(t, want); !got.Equal(w) {
		t.Errorf("what runs differs from what should:\n%s", config.DiffText(w, got))
	}
}

func with(old, new string) string { return strings.Replace(text, old, new, 1) }

func TestLines(t *testing.T) {
	b := newBook(t)
	if l := line(t, b, start, "ann", "", "int tu0"); l.Mode != "config-if" || !slices.Equal(l.Path, []string{"interface Tunnel0"}) || l.Changes() {
		t.Errorf("%+v", l)
	}
	if l := line(t, b, start, "ann", "interface Tunnel0", "ip mtu 1350"); !l.Changes() || l.Shown != "ip mtu 1350" {
		t.Errorf("%+v", l)
	}
	running(t, b, with("mtu 1400", "mtu 1350"))
	if l := line(t, b, start, "ann", "interface Tunnel0", "ip mtu 1350"); l.Changes() {
		t.Error("the same line again changes something")
	}
	if l := line(t, b, start, "ann", "interface Tunnel0", "exit"); l.Mode != "config" || len(l.Path) != 0 {
		t.Errorf("%+v", l)
	}
	for _, bad := range []struct {
		path, line, code string
		column           int
	}{
		{"interface Tunnel0", "ip mtu 5", config.CodeBadValue, 8},
		{"interface Tunnel0", "ip nat inside", "refused", 1},
		{"", "frobnicate", config.CodeUnknown, 1},
		{"interface Ethernet0", "ip address 10.0.0.1 255.255.255.0", "address-duplicate", 0},
		{"interface Ethernet0", "ip address 10.0.0.9 255.255.255.0", "address-overlap", 0},
		{"interface Tunnel1", "ip nhrp authentication ******", config.CodeMaskedKey, 1},
	} {
		var at []string
		if bad.path != "" {
			at = []string{bad.path}
		}
		l, err := b.Line(start, "ann", at, bad.line)
		if err != nil || !l.Refused || l.Changes() || !slices.ContainsFunc(l.Findings, func(d config.Diagnostic) bool { return d.Code == bad.code && d.Severity == config.Error && d.Line == 0 }) {
			t.Errorf("%q: %v %+v", bad.line, err, l)
			continue
		}
		if bad.column != 0 && l.Column != bad.column || !slices.Equal(l.Path, at) {
			t.Errorf("%q: column %d, path %v", bad.line, l.Column, l.Path)
		}
	}
	running(t, b, with("mtu 1400", "mtu 1350"))
	if _, err := b.Line(start, "ann", []string{"nowhere"}, "ip mtu 1300"); err == nil {
		t.Error("a mode that is none")
	}
	if _, err := b.Line(start, "ann", nil, "hostname a\nhostname b"); err == nil {
		t.Error("two lines are one")
	}
}

// What is unfinished is taken with a warning, and said once.
func TestUnfinished(t *testing.T) {
	b := newBook(t)
	warned := func(l *Line, code string) bool {
		return slices.ContainsFunc(l.Findings, func(d config.Diagnostic) bool { return d.Code == code && d.Severity == config.Warning })
	}
	if l := line(t, b, start, "ann", "interface Tunnel0", "tunnel protection ipsec profile P"); !warned(l, "undefined") {
		t.Errorf("%v", l.Findings)
	}
	if l := line(t, b, start, "ann", "interface Tunnel0", "ip mtu 1390"); len(l.Findings) != 0 {
		t.Errorf("said again: %v", l.Findings)
	}
	if l := line(t, b, start, "ann", "", "interface Tunnel1"); !warned(l, "tunnel-no-source") {
		t.Errorf("%v", l.Findings)
	}
	// A second tunnel that can't be told from the first waits until it can be.
	line(t, b, start, "ann", "interface Tunnel1", "tunnel source Ethernet0")
	l := line(t, b, start, "ann", "interface Tunnel1", "tunnel mode gre multipoint")
	if !warned(l, "held") || b.Running().Tree.Interface("Tunnel1").Held == "" || b.Running().Tree.Interface("Tunnel0").Held != "" {
		t.Errorf("%v", l.Findings)
	}
	line(t, b, start, "ann", "interface Tunnel1", "tunnel key 9")
	if h := b.Running().Tree.Interface("Tunnel1").Held; h == "" { // one is protected, the other not
		t.Error("not held any more")
	}
	line(t, b, start, "ann", "interface Tunnel0", "no tunnel protection ipsec profile P")
	if h := b.Running().Tree.Interface("Tunnel1").Held; h != "" {
		t.Errorf("held: %s", h)
	}
}

func TestSeries(t *testing.T) {
	b := newBook(t)
	line(t, b, start, "ann", "", "hostname a")
	line(t, b, start.Add(9*time.Minute), "ann", "", "hostname b")
	if r := b.Running(); r.N != 2 || r.User != "ann" || r.Tree.Hostname != "b" {
		t.Errorf("%+v", r)
	}
	line(t, b, start.Add(9*time.Minute), "bob", "", "hostname c")
	line(t, b, start.Add(9*time.Minute), "ann", "", "hostname d")
	line(t, b, start.Add(20*time.Minute), "ann", "", "hostname e")
	var names []string
	for _, r := range b.Revisions() {
		names = append(names, r.Tree.Hostname)
	}
	if !slices.Equal(names, []string{"hub", "b", "c", "d", "e"}) {
		t.Errorf("%v", names)
	}
	for n := range 30 {
		line(t, b, start.Add(time.Duration(n+1)*time.Hour), "ann", "", "hostname h"+strings.Repeat("x", n))
	}
	if list := b.Revisions(); len(list) != Keep || list[0].N != 16 || list[Keep-1].N != 35 {
		t.Errorf("%d revisions from %d", len(list), list[0].N)
	}
	if _, err := b.Revision(15); err == nil || !strings.Contains(err.Error(), "16 to 35") {
		t.Errorf("%v", err)
	}
}

func TestCandidates(t *testing.T) {
	b := newBook(t)
	if _, err := b.Candidate("ann"); err == nil {
		t.Error("a candidate that nobody began")
	}
	if _, err := b.Commit(start, "ann", 0); err == nil {
		t.Error("a commit of no candidate")
	}
	b.Begin("ann")
	if _, err := b.Commit(start, "ann", 0); !errors.Is(err, ErrNothing) {
		t.Errorf("%v", err)
	}
	edit(t, b, "ann", "interface Tunnel0", "ip mtu 1350")
	edit(t, b, "bob", "", "hostname bobs")
	edit(t, b, "cat", "interface Tunnel0", "ip mtu 1300")
	running(t, b, text)
	p, err := b.Commit(start, "ann", 0)
	if err != nil || p.Refused {
		t.Fatalf("%v %v", err, p.Findings)
	}
	running(t, b, text) // it is a plan
	b.Ran(start, p, "")
	running(t, b, with("mtu 1400", "mtu 1350"))
	// bob's goes on top of that, cat's touches the same line.
	if p, err = b.Commit(start, "bob", 0); err != nil {
		t.Fatal(err)
	}
	b.Ran(start, p, "")
	running(t, b, strings.Replace(with("mtu 1400", "mtu 1350"), "hostname hub", "hostname bobs", 1))
	if _, err = b.Commit(start, "cat", 0); !errors.Is(err, config.ErrConflict) || !strings.Contains(err.Error(), "ip mtu 1300") || !strings.Contains(err.Error(), "interface Tunnel0") {
		t.Errorf("%v", err)
	}
	if c, _ := b.Candidate("cat"); c.Interface("Tunnel0").IPMTU != 1300 {
		t.Error("cat's candidate has gone")
	}
	if err := b.Take("cat", 0); err != nil {
		t.Error(err)
	}
	edit(t, b, "cat", "interface Tunnel0", "ip mtu 1300")
	if p, err = b.Commit(start, "cat", 0); err != nil {
		t.Fatal(err)
	}
	b.Ran(start, p, "")
	if b.Running().Tree.Interface("Tunnel0").IPMTU != 1300 || b.Running().N != 4 {
		t.Errorf("%+v", b.Running())
	}
	// One that does not check is refused and stays.
	edit(t, b, "ann", "interface Tunnel0", "tunnel protection ipsec profile P")
	if p, err = b.Commit(start, "ann", 0); err != nil || !p.Refused || p.Changes() || !p.Findings.HasErrors() || !strings.HasPrefix(p.Findings.Err().Error(), "config: candidate:") {
		t.Errorf("%v %v", err, p)
	}
	if err := b.Abandon("ann"); err != nil || b.Abandon("ann") == nil {
		t.Errorf("%v", err)
	}
	if e := b.Editors(); len(e) != 0 {
		t.Errorf("%v", e)
	}
}

// In a candidate an address may move before it is taken away where it was; what runs never has it twice.
func TestCandidateInAnyOrder(t *testing.T) {
	b := newBook(t)
	edit(t, b, "ann", "interface Loopback0", "ip address 10.0.0.1 255.255.255.0")
	if p, err := b.Commit(start, "ann", 0); err != nil || !p.Refused {
		t.Errorf("%v", err)
	}
	edit(t, b, "ann", "interface Tunnel0", "ip address 10.0.9.1 255.255.255.0")
	if p, err := b.Commit(start, "ann", 0); err != nil || p.Refused {
		t.Errorf("%v %v", err, p)
	}
	if l, err := b.Line(start, "ann", []string{"interface Loopback0"}, "ip address 10.0.0.1 255.255.255.0"); err != nil || !l.Refused {
		t.Errorf("%v", err)
	}
}

func TestRollback(t *testing.T) {
	b := newBook(t)
	line(t, b, start, "ann", "", "no ip route 10.1.0.0 255.255.0.0 10.0.0.2")
	line(t, b, start.Add(time.Hour), "ann", "interface Tunnel0", "tunnel protection ipsec profile P") // accepted, though it does not check
	p, err := b.Rollback(start, "bob", 1, 0)
	if err != nil || p.Refused {
		t.Fatalf("%v %v", err, p)
	}
	b.Ran(start, p, "")
	running(t, b, text)
	if r := b.Running(); r.N != 4 || r.How != "rollback 1" {
		t.Errorf("%+v", r)
	}
	if p, err = b.Rollback(start, "bob", 3, 0); err != nil || p.Refused || p.Findings.HasErrors() || len(p.Findings) == 0 {
		t.Fatalf("%v %v", err, p)
	}
	b.Ran(start, p, "")
	if b.Running().Tree.Interface("Tunnel0").Tunnel.Protection.Profile != "P" {
		t.Error("revision 3 does not run")
	}
	if _, err := b.Rollback(start, "bob", 77, 0); err == nil {
		t.Error("there is no revision 77")
	}
	if err := b.Take("bob", 1); err != nil {
		t.Fatal(err)
	}
	if c, _ := b.Candidate("bob"); !c.Equal(parse(t, text)) {
		t.Error("the candidate is not revision 1")
	}
}

func TestReplace(t *testing.T) {
	b := newBook(t)
	p := b.Replace(start, "ann", "reload", "x.cfg", []byte(with("mtu 1400", "mtu 13")))
	if !p.Refused || p.Changes() || !strings.Contains(p.Findings.Err().Error(), "x.cfg:6:") {
		t.Errorf("%v", p.Findings)
	}
	p = b.Replace(start, "ann", "reload", "x.cfg", []byte(with("mtu 1400", "mtu 1300")))
	if p.Refused {
		t.Fatalf("%v", p.Findings)
	}
	b.Ran(start, p, "")
	running(t, b, with("mtu 1400", "mtu 1300"))
	p, err := b.Merge(start, "ann", "copy", "y.cfg", []byte("hostname y\ninterface Tunnel0\n ip nhrp authentication ******\n bandwidth 99\n"))
	if err != nil || p.Refused {
		t.Fatalf("%v %v", err, p)
	}
	b.Ran(start, p, "")
	if c := b.Running().Tree; c.Hostname != "y" || c.Interface("Tunnel0").NHRP.Authentication != "topkey" || c.Interface("Tunnel0").Bandwidth != 99 {
		t.Errorf("%s", c.Masked())
	}
	line(t, b, start, "ann", "interface Tunnel2", "tunnel mode gre multipoint") // unfinished, and that is not the file's fault
	if p, err = b.Merge(start, "ann", "copy", "y.cfg", []byte("hostname y2\n")); err != nil || p.Refused {
		t.Errorf("%v %v", err, p)
	}
	if p, err = b.Merge(start, "ann", "copy", "y.cfg", []byte("hostname z\nfrobnicate\n")); err != nil || !p.Refused {
		t.Errorf("%v %v", err, p)
	}
	if p, err = b.Merge(start, "ann", "copy", "y.cfg", []byte("interface Tunnel0\n tunnel protection ipsec profile P\n")); err != nil || !p.Refused {
		t.Errorf("%v %v", err, p)
	}
}
