package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/ctl/api"
	"nave/ctl/config"
	"nave/testbed/need"
)

func TestWriteMemory(t *testing.T) {
	r := newRig(t)
	path := filepath.Join(r.dir, "nave.cfg")
	r.edit("hostname saved")
	r.act(api.ConfigAction{What: api.ActWrite})
	text := string(must(os.ReadFile(path)))
	if c, diags := config.Parse("x", []byte(text)); diags.HasErrors() || c.Hostname != "saved" || c.Interface("Tunnel0").NHRP.Authentication != "topkey" {
		t.Errorf("%v\n%s", diags, text)
	}
	if info := must(os.Stat(path)); info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v", info.Mode())
	}
	if b := must(os.ReadFile(path + "~")); string(b) != baseText {
		t.Errorf("the file before:\n%s", b)
	}
	if d := must(r.Text(admin, api.ConfigText{What: api.TextDiffStartup})); d != "" {
		t.Errorf("differs:\n%s", d)
	}
	// Somebody else writes it.
	r.write("nave.cfg", text+"hostname theirs\n")
	r.edit("hostname ours")
	if _, err := r.Act(admin, api.ConfigAction{What: api.ActWrite}); err == nil || !strings.Contains(err.Error(), "was changed since") {
		t.Errorf("%v", err)
	}
	if _, err := r.Act(admin, api.ConfigAction{What: api.ActCopy, File: "nave.cfg"}); err == nil || !strings.Contains(err.Error(), "was changed since") {
		t.Errorf("%v", err)
	}
	r.act(api.ConfigAction{What: api.ActWrite, Force: true})
	if text := string(must(os.ReadFile(path))); !strings.Contains(text, "hostname ours") {
		t.Errorf("%s", text)
	}
	// What does not check is not saved.
	r.edit("tunnel protection ipsec profile P", "interface Tunnel0")
	done, err := r.Act(admin, api.ConfigAction{What: api.ActWrite})
	if err != nil || !done.Refused || !strings.Contains(strings.Join(done.Findings, "\n"), "running-config:") {
		t.Errorf("%v %+v", err, done)
	}
	if left, _ := filepath.Glob(filepath.Join(r.dir, ".nave*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if log := r.logged.String(); !strings.Contains(log, `command="write memory force"`) || !strings.Contains(log, "%NAVE-4-REFUSED: User:ann") {
		t.Errorf("%s", log)
	}
}

func TestWriteConfigKeepsOwnerAndLink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "real.cfg"), filepath.Join(dir, "link.cfg")
	if err := os.WriteFile(target, []byte("old\n"), 0o604); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.Chown(target, 12, 34); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeConfig(link, []byte("new\n")); err != nil {
		t.Fatal(err)
	}
	info := must(os.Lstat(target))
	s := info.Sys().(*syscall.Stat_t)
	if string(must(os.ReadFile(target))) != "new\n" || info.Mode().Perm() != 0o604 || os.Getuid() == 0 && (s.Uid != 12 || s.Gid != 34) {
		t.Errorf("%v %d %d", info.Mode(), s.Uid, s.Gid)
	}
	if must(os.Lstat(link)).Mode()&os.ModeSymlink == 0 {
		t.Error("the link is none any more")
	}
	if err := writeConfig(filepath.Join(dir, "fresh.cfg"), []byte("x")); err != nil || must(os.Stat(filepath.Join(dir, "fresh.cfg"))).Mode().Perm() != 0o600 {
		t.Errorf("%v", err)
	}
	if err := writeConfig(filepath.Join(dir, "none", "x.cfg"), []byte("x")); err == nil {
		t.Error("wrote into a folder that is not there")
	}
}

// asUser runs f with the file rights of another user, and of nobody else's.
func asUser(uid int, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and its rights with it
		if unix.Setfsgid(uid) == nil && unix.Setfsuid(uid) == nil {
			f()
		}
	}()
	<-done
}

// A naved that is not root keeps what it can of owner and mode, and opens a file to nobody whom it was not open to.
func TestWriteConfigAsUser(t *testing.T) {
	need.Root(t)
	const user = 4000
	dir := t.TempDir()
	for d := dir; strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	theirs, shut := filepath.Join(dir, "theirs"), filepath.Join(dir, "shut")
	for _, d := range []string{theirs, shut} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d, "x.cfg"), []byte("old\n"), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(theirs, user, user); err != nil {
		t.Fatal(err)
	}
	var ok, refused error
	ran := false
	asUser(user, func() {
		ok, refused = writeConfig(filepath.Join(theirs, "x.cfg"), []byte("new\n")), writeConfig(filepath.Join(shut, "x.cfg"), []byte("new\n"))
		ran = true
	})
	info := must(os.Stat(filepath.Join(theirs, "x.cfg")))
	if s := info.Sys().(*syscall.Stat_t); !ran || ok != nil || s.Uid != user || info.Mode().Perm() != 0o600 || string(must(os.ReadFile(filepath.Join(theirs, "x.cfg")))) != "new\n" {
		t.Errorf("in a folder of its own: ran %v, %v, %v of %d", ran, ok, info.Mode(), s.Uid)
	}
	if refused == nil || !strings.Contains(refused.Error(), "make files in "+shut) || string(must(os.ReadFile(filepath.Join(shut, "x.cfg")))) != "old\n" {
		t.Errorf("in a folder that is not its own: %v", refused)
	}
}

func TestFileOf(t *testing.T) {
	c := &configurator{file: "/etc/nave/nave.conf"}
	for _, tc := range []struct {
		who  *api.Caller
		name string
		want string // "": refused
	}{
		{admin, "", "/etc/nave/nave.conf"}, {admin, "nave.conf", "/etc/nave/nave.conf"}, {admin, "x.cfg", "/etc/nave/x.cfg"}, {admin, "/etc/nave/x.cfg", "/etc/nave/x.cfg"},
		{admin, "naved.env", ""}, {admin, "hub-key.pem", ""}, {admin, ".x.cfg", ""}, {admin, "../x.cfg", ""}, {admin, "/etc/nave/../shadow.cfg", ""}, {admin, "/etc/shadow", ""}, {admin, "sub/x.cfg", ""},
		{admin, "a\x1b[2J.cfg", ""}, {root, "/tmp/a\nb", ""},
		{admin, "/etc/nave/sub/x.cfg", ""},
		{root, "naved.env", "/etc/nave/naved.env"}, {root, "/tmp/x", "/tmp/x"}, {root, "../x", ""}, {root, "/tmp/a/../b", "/tmp/b"},
	} {
		got, err := c.fileOf(tc.who, tc.name)
		if (err == nil) != (tc.want != "") || got != tc.want {
			t.Errorf("%s %q: %q %v, want %q", tc.who.Name, tc.name, got, err, tc.want)
		}
	}
}

// Where anybody may write, anybody can have put a link or a file of its own: keys are not written there.
func TestCopyWhereAllMayWrite(t *testing.T) {
	r := newRig(t)
	open := filepath.Join(r.dir, "open")
	if err := errors.Join(os.Mkdir(open, 0o777), os.Chmod(open, 0o777|os.ModeSticky)); err != nil {
		t.Fatal(err)
	}
	mine := r.write("mine", "mine\n")
	if err := os.Symlink(mine, filepath.Join(open, "x.cfg")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"x.cfg", "new.cfg"} {
		if _, err := r.Act(root, api.ConfigAction{What: api.ActCopy, File: filepath.Join(open, name)}); err == nil || !strings.Contains(err.Error(), "anybody may write") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if string(must(os.ReadFile(mine))) != "mine\n" {
		t.Error("a link was followed")
	}
}

func TestReadConfig(t *testing.T) {
	dir := t.TempDir()
	secret, link, pipe := filepath.Join(dir, "secret"), filepath.Join(dir, "link.cfg"), filepath.Join(dir, "pipe.cfg")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, link); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := readConfig(root, link); err != nil || string(b) != "x" {
		t.Errorf("%q %v", b, err)
	}
	for _, tc := range []struct {
		who  *api.Caller
		path string
	}{{admin, link}, {root, pipe}, {root, dir}, {root, filepath.Join(dir, "none")}} {
		if _, err := readConfig(tc.who, tc.path); err == nil {
			t.Errorf("%s was read", tc.path)
		}
	}
}

// A naved that died is followed by one that goes on by what ran; one that was stopped by one that starts by the file.
func TestNextStart(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(r *rig)
		want string // hostname
		fail bool
	}{
		{"died", func(*rig) {}, "typed", false},
		{"stopped", func(r *rig) { r.ended() }, "box", false},
		{"died, and the file was edited", func(r *rig) { r.write("nave.cfg", based("box", "edited")) }, "edited", false},
		{"died, and the file is broken", func(r *rig) { r.write("nave.cfg", "frobnicate\n") }, "typed", false},
		{"stopped, and the file is broken", func(r *rig) { r.ended(); r.write("nave.cfg", "frobnicate\n") }, "", true},
		{"died once more at once", func(r *rig) { r.begin() }, "box", false},
		{"died long after", func(r *rig) { r.begin(); r.kept.state.Started = time.Now().Add(-time.Hour); r.keep() }, "typed", false},
		{"another machine", func(r *rig) { r.kept.state.Boot = "x"; r.keep() }, "box", false},
		{"saved and died", func(r *rig) { r.act(api.ConfigAction{What: api.ActWrite}) }, "typed", false},
		{"a state that is none", func(r *rig) {
			os.WriteFile(filepath.Join(r.dir, "run", "revisions", "state.json"), []byte("{"), 0o600)
		}, "box", false},
		{"no texts", func(r *rig) {
			os.Remove(r.kept.file(1))
			os.Remove(r.kept.file(2))
		}, "box", false},
		{"died while it waited for a confirmation", func(r *rig) {
			r.edit("hostname kept")
			if _, err := r.Edit(admin, api.Edit{Line: "hostname unconfirmed", Candidate: true}); err != nil {
				r.Fatal(err)
			}
			r.act(api.ConfigAction{What: api.ActCommit, Minutes: 5})
		}, "kept", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t)
			r.edit("hostname typed")
			tc.do(r)
			err := r.begin()
			if (err != nil) != tc.fail {
				t.Fatalf("%v", err)
			}
			if tc.fail {
				return
			}
			if got := r.box.tree().Hostname; got != tc.want || r.book.Running().Tree.Hostname != tc.want || r.book.Pending() != nil {
				t.Errorf("%s runs, want %s\n%s", got, tc.want, r.logged)
			}
			r.edit("hostname on")
			if err := r.begin(); err != nil {
				t.Error(err)
			}
			if n := len(r.book.Revisions()); n < 2 && !strings.HasPrefix(tc.name, "no texts") && !strings.HasPrefix(tc.name, "a state") {
				t.Errorf("%d revisions", n)
			}
		})
	}
}

// A second naved in the run directory of one that lives keeps its hands off what that has there.
func TestTwoDaemons(t *testing.T) {
	r := newRig(t)
	r.edit("hostname typed")
	other := &rig{T: t, dir: r.dir, logged: r.logged}
	if err := other.begin(); err != nil {
		t.Fatal(err)
	}
	if other.kept != nil {
		t.Error("both keep revisions in one folder")
	}
	other.edit("hostname stranger")
	if err := r.begin(); err != nil || r.box.tree().Hostname != "typed" {
		t.Errorf("%v %s", err, r.box.tree().Hostname)
	}
}
