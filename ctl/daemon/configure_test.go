package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"nave/ctl/api"
	"nave/ctl/config"
	"nave/ctl/gateway"
	"nave/ctl/show"
)

const baseText = `hostname box
interface Ethernet0
 ip address 192.0.2.1 255.255.255.0
interface Tunnel0
 ip address 10.0.0.1 255.255.255.0
 ip nhrp authentication topkey
 ip nhrp network-id 7
 tunnel source Ethernet0
 tunnel mode gre multipoint
`

// fakeBox runs by any configuration.
type fakeBox struct {
	mu      sync.Mutex
	runs    *config.Config
	err     error
	once    error // of the next one
	told    []*config.Config
	list    []show.Problem
	notices []string
}

func (b *fakeBox) Configure(tree *config.Config) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, tree)
	if err := b.once; err != nil {
		b.once = nil
		return err
	}
	if b.err == nil || errors.Is(b.err, gateway.ErrPartly) {
		b.runs = tree
	}
	return b.err
}
func (b *fakeBox) problems() []show.Problem                    { return b.list }
func (b *fakeBox) findings(*config.Config, config.Diagnostics) {}
func (b *fakeBox) advice(tree *config.Config) (out config.Diagnostics) {
	if tree.Hostname == "slow" {
		out = append(out, config.Diagnostic{File: "x", Line: 7, Severity: config.Error, Code: "slow", Message: "the hardware is slow"})
	}
	return out
}
func (b *fakeBox) notify(state string)  { b.notices = append(b.notices, state) }
func (b *fakeBox) tree() *config.Config { b.mu.Lock(); defer b.mu.Unlock(); return b.runs }

// rig is a configurator in a folder of its own.
type rig struct {
	*testing.T
	*configurator
	box    *fakeBox
	logged *bytes.Buffer
	dir    string
}

var (
	root  = &api.Caller{Name: "root", Change: true}
	admin = &api.Caller{Name: "ann", UID: 1000, Change: true}
)

func newRig(t *testing.T) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{T: t, dir: dir, logged: new(bytes.Buffer)}
	r.write("nave.cfg", baseText)
	if err := r.begin(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) write(name, text string) string {
	r.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		r.Fatal(err)
	}
	return path
}

// begin is the start of a naved; what was before it has died, if it was not ended.
func (r *rig) begin() error {
	r.Helper()
	if r.configurator != nil {
		r.mu.Lock()
		r.disarm()
		r.mu.Unlock()
		r.close()
	}
	d := &Daemon{Options: Options{File: filepath.Join(r.dir, "nave.cfg"), RunDir: filepath.Join(r.dir, "run")}, log: slog.New(slog.NewTextHandler(r.logged, nil))}
	c := newConfigurator(d)
	r.box = &fakeBox{}
	c.box = r.box
	r.configurator = c
	r.Cleanup(func() { c.mu.Lock(); c.disarm(); c.mu.Unlock(); c.close() })
	tree, _, err := c.firstTree()
	r.box.runs = tree
	return err
}

func (r *rig) edit(line string, path ...string) api.Edited {
	r.Helper()
	e, err := r.Edit(admin, api.Edit{Path: path, Line: line})
	if err != nil {
		r.Fatalf("%v %s: %v", path, line, err)
	}
	return e
}

func (r *rig) act(a api.ConfigAction) api.ConfigDone {
	r.Helper()
	done, err := r.Act(admin, a)
	if err != nil || done.Refused {
		r.Fatalf("%s: %v %v", a, err, done.Findings)
	}
	return done
}

// runs asserts what runs, and that the box has it.
func (r *rig) runs(want string) {
	r.Helper()
	w, diags := config.Parse("want", []byte(want))
	if diags.HasErrors() {
		r.Fatal(diags.Err())
	}
	r.mu.Lock()
	got := r.book.Running().Tree
	r.mu.Unlock()
	if !got.Equal(w) || !r.box.tree().Equal(w) {
		r.Errorf("runs something else:\n%s\nthe box:\n%s", config.DiffText(w, got), config.DiffText(w, r.box.tree()))
	}
}

func based(old, with string) string { return strings.Replace(baseText, old, with, 1) }

func TestEdit(t *testing.T) {
	r := newRig(t)
	r.runs(baseText)
	if e := r.edit("interface tu0"); e.Mode != "config-if" || len(e.Path) != 1 || e.Line != "interface Tunnel0" {
		t.Errorf("%+v", e)
	}
	if e := r.edit("ip mtu 1300", "interface Tunnel0"); e.Refused || len(e.Findings) != 0 {
		t.Errorf("%+v", e)
	}
	r.runs(based(" tunnel source", " ip mtu 1300\n tunnel source"))
	if e := r.edit("ip mtu 13", "interface Tunnel0"); !e.Refused || e.Column != 8 || !strings.Contains(e.Findings[0], "68 to 65535") && !strings.Contains(e.Findings[0], "number from") {
		t.Errorf("%+v", e)
	}
	r.box.list = []show.Problem{{What: "interface Tunnel0", Why: "no reason"}}
	if e := r.edit("hostname other"); len(e.Findings) != 0 { // it was there before
		t.Errorf("%+v", e)
	}
	if e := r.edit("hostname slow"); len(e.Findings) != 1 || e.Findings[0] != "warning: the hardware is slow" {
		t.Errorf("%+v", e)
	}
	r.box.err = fmt.Errorf("%w: UDP 500 is taken", gateway.ErrPartly)
	if e := r.edit("hostname third"); !strings.Contains(e.Partly, "UDP 500") {
		t.Errorf("%+v", e)
	}
	r.box.err = errors.New("no such profile")
	if _, err := r.Edit(admin, api.Edit{Line: "hostname fourth"}); err == nil || !strings.Contains(err.Error(), "the running configuration stands") {
		t.Errorf("%v", err)
	}
	r.box.err, r.box.once = nil, errors.New("the table is full")
	if _, err := r.Edit(admin, api.Edit{Line: "hostname fifth"}); err == nil || !strings.Contains(err.Error(), "the table is full") {
		t.Errorf("%v", err)
	}
	if told := r.box.told; told[len(told)-1].Hostname != "third" { // it is told to go back
		t.Errorf("told last: %s", told[len(told)-1].Hostname)
	}
	r.runs(strings.Replace(based(" tunnel source", " ip mtu 1300\n tunnel source"), "hostname box", "hostname third", 1))
	if log := r.logged.String(); !strings.Contains(log, "user=ann") || !strings.Contains(log, `command="interface Tunnel0 / ip mtu 1300"`) || !strings.Contains(log, "%SYS-5-CONFIG_I") {
		t.Errorf("log:\n%s", log)
	}
}

// No key comes into the log, into what is shown, or into a file that others may read.
func TestKeysAreNotLogged(t *testing.T) {
	r := newRig(t)
	for _, l := range []struct {
		path []string
		line string
	}{
		{nil, "crypto isakmp key S3cret address 0.0.0.0"}, {nil, "no crypto isakmp key S3cret address 0.0.0.0"}, {nil, "crypto isakmp key S3cret adress 0.0.0.0"},
		{nil, "crypto isakmp key S3cret S3cret address 0.0.0.0"}, {nil, "enable secret S3cret"}, {nil, "username x password S3cret"}, {nil, "crypto isamkp key S3cret address 0.0.0.0"},
		{[]string{"interface Tunnel0"}, "ip nhrp authentication S3cret"}, {[]string{"interface Tunnel0"}, "ip nhrp authentication S3cret S3cret"},
		{[]string{"interface Tunnel0"}, "ip nhrp authenticatoin S3cret"}, {[]string{"key chain K", "key 1"}, "key-string S3cret S3cret"},
	} {
		r.edit(l.line, l.path...)
		if _, err := r.Edit(admin, api.Edit{Path: l.path, Line: l.line, Candidate: true}); err != nil {
			t.Error(err)
		}
	}
	for _, a := range []api.ConfigAction{{What: api.ActWrite}, {What: api.ActCommit}, {What: api.ActReload}, {What: api.ActCopy, File: "x.cfg"}} {
		if _, err := r.Act(admin, a); err != nil && strings.Contains(err.Error(), "S3cret") {
			t.Error(err)
		}
	}
	shown := r.logged.String()
	for _, what := range []string{api.TextRunning, api.TextStartup, api.TextCandidate, api.TextDiff, api.TextDiffStartup, api.TextRevision, api.TextRevisions} {
		text, err := r.Text(admin, api.ConfigText{What: what, N: 2 * map[bool]int{true: 1}[what == api.TextRevision]})
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		shown += text
	}
	if strings.Contains(shown, "S3cret") || strings.Contains(shown, "topkey") || !strings.Contains(shown, "crypto isakmp key ****** address 0.0.0.0") {
		t.Errorf("a key is shown:\n%s", shown)
	}
	for _, e := range must(os.ReadDir(filepath.Join(r.dir, "run", "revisions"))) {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", e.Name(), info.Mode(), err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestCommitConfirmed(t *testing.T) {
	r := newRig(t)
	edit := func(line string) {
		t.Helper()
		if e, err := r.Edit(admin, api.Edit{Line: line, Candidate: true}); err != nil || e.Refused {
			t.Fatalf("%v %v", err, e)
		}
	}
	edit("hostname new")
	if text, err := r.Text(admin, api.ConfigText{What: api.TextDiff}); err != nil || text != "-hostname box\n+hostname new\n" {
		t.Errorf("%q %v", text, err)
	}
	done := r.act(api.ConfigAction{What: api.ActCommit, Minutes: 5})
	if done.Until.IsZero() || done.Revision != 2 || done.Changes == "" {
		t.Errorf("%+v", done)
	}
	if _, err := r.Act(admin, api.ConfigAction{What: api.ActWrite}); err == nil || !strings.Contains(err.Error(), "is undone at") {
		t.Errorf("an unconfirmed configuration was saved: %v", err)
	}
	text, err := r.Text(admin, api.ConfigText{What: api.TextRevisions})
	if err != nil || !strings.Contains(text, "*    2") || !strings.Contains(text, "Revision 2 is undone at") {
		t.Errorf("%s %v", text, err)
	}
	if done = r.act(api.ConfigAction{What: api.ActConfirm}); !done.Until.IsZero() {
		t.Errorf("%+v", done)
	}
	// The next one nobody confirms: its timer is brought forward.
	edit("hostname newer")
	r.act(api.ConfigAction{What: api.ActCommit, Minutes: 1})
	if r.box.tree().Hostname != "newer" {
		t.Error("the commit does not run")
	}
	r.mu.Lock()
	r.book.Pending().Until = time.Now().Add(-time.Second)
	r.arm()
	r.mu.Unlock()
	soonOrFail(t, "the commit is undone", func() bool { return r.box.tree().Hostname == "new" })
	soonOrFail(t, "it is logged", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return strings.Contains(r.logged.String(), "%NAVE-4-UNCONFIRMED") && r.book.Pending() == nil
	})
	if _, err := r.Act(admin, api.ConfigAction{What: api.ActCommit, Minutes: 99999}); err == nil {
		t.Error("99999 minutes")
	}
}

// soonOrFail waits until something holds.
func soonOrFail(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// An undoing that fails is tried again.
func TestUndoFails(t *testing.T) {
	r := newRig(t)
	if _, err := r.Edit(admin, api.Edit{Line: "hostname new", Candidate: true}); err != nil {
		t.Fatal(err)
	}
	r.act(api.ConfigAction{What: api.ActCommit, Minutes: 1})
	r.box.err = errors.New("busy")
	r.mu.Lock()
	r.book.Pending().Until = time.Now().Add(-time.Second)
	r.mu.Unlock()
	r.expire()
	r.mu.Lock()
	waits, armed := r.book.Pending() != nil, r.undo != nil
	r.mu.Unlock()
	if !waits || !armed || r.box.tree().Hostname != "new" {
		t.Errorf("waits %v, armed %v", waits, armed)
	}
	r.box.err = nil
	r.expire()
	r.runs(baseText)
}

func TestRollbackAndReload(t *testing.T) {
	r := newRig(t)
	r.edit("hostname b", "interface Tunnel0")
	if !strings.Contains(r.logged.String(), `command="hostname b"`) { // it is not the tunnel's
		t.Errorf("%s", r.logged)
	}
	r.edit("hostname a")
	if _, err := r.Act(admin, api.ConfigAction{What: api.ActRollback, N: 1}); err != nil {
		t.Error(err)
	}
	if c := must(r.Text(admin, api.ConfigText{What: api.TextDiff})); c != "-hostname a\n+hostname box\n" {
		t.Errorf("%q", c)
	}
	r.act(api.ConfigAction{What: api.ActRollback, N: 1, Now: true})
	r.runs(baseText)
	r.write("nave.cfg", based("hostname box", "hostname filed"))
	if err := r.Reload(); err != nil {
		t.Error(err)
	}
	r.runs(based("hostname box", "hostname filed"))
	r.write("nave.cfg", based("hostname box", "hostnme box\nfrobnicate"))
	if err := r.Reload(); err == nil || !strings.Contains(err.Error(), "has 2 errors") || !strings.Contains(err.Error(), "stands") {
		t.Errorf("%v", err)
	}
	if done, err := r.Act(root, api.ConfigAction{What: api.ActReload}); err != nil || !done.Refused || len(done.Findings) < 2 {
		t.Errorf("%v %+v", err, done)
	}
	r.runs(based("hostname box", "hostname filed"))
	r.write("other.cfg", based("hostname box", "hostname other"))
	if done := r.act(api.ConfigAction{What: api.ActReload, File: "other.cfg"}); done.Changes != "hostname" {
		t.Errorf("%+v", done)
	}
	r.runs(based("hostname box", "hostname other"))
	r.write("more.cfg", "interface Tunnel0\n ip mtu 1300\n")
	r.act(api.ConfigAction{What: api.ActMerge, File: "more.cfg"})
	r.runs(strings.Replace(based("hostname box", "hostname other"), " tunnel source", " ip mtu 1300\n tunnel source", 1))
	if n := r.box.notices; len(n) == 0 || len(n)%2 != 0 {
		t.Errorf("the service manager is told %q", n)
	}
	for k, n := range r.box.notices { // each time that it is over
		if want := []string{daemon.SdNotifyReloading, daemon.SdNotifyReady}[k%2]; n != want {
			t.Errorf("told %q, want %q", n, want)
		}
	}
	for _, refused := range []func(){func() { r.box.once = errors.New("full") }, func() { os.Remove(filepath.Join(r.dir, "nave.cfg")) }} {
		refused()
		if err := r.Reload(); err == nil || strings.Count(err.Error(), "the running configuration stands") != 1 {
			t.Errorf("%v", err)
		}
	}
	if _, err := r.Act(admin, api.ConfigAction{What: "sing"}); err == nil {
		t.Error("it sings")
	}
}

// What comes after naved has begun to end changes nothing: neither what runs nor what the next naved begins with.
func TestNothingAfterTheEnd(t *testing.T) {
	r := newRig(t)
	r.edit("hostname new")
	r.write("nave.cfg", based("hostname box", "hostname file"))
	r.ended()
	if _, err := r.Edit(admin, api.Edit{Line: "hostname late"}); !errors.Is(err, errStopping) {
		t.Errorf("a line: %v", err)
	}
	for _, a := range []api.ConfigAction{{What: api.ActWrite, Force: true}, {What: api.ActReload}, {What: api.ActRollback, N: 1, Now: true}} {
		if _, err := r.Act(admin, a); !errors.Is(err, errStopping) {
			t.Errorf("%s: %v", a, err)
		}
	}
	if err := r.Reload(); !errors.Is(err, errStopping) {
		t.Errorf("a reload: %v", err)
	}
	if got := r.box.tree().Hostname; got != "new" {
		t.Errorf("%s runs", got)
	}
}
