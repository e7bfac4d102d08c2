package main

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nave/ctl/api"
	"nave/ctl/show"
)

type box struct {
	cleared api.Clear
	reloads int
}

func (b *box) Status() (show.Status, bool) {
	return show.Status{Hostname: "box", Running: "hostname box\nend\n", Interfaces: map[string]show.Configured{"Tunnel0": {}}}, true
}
func (b *box) Query(show.Query) (show.Answer, error) { return show.Answer{}, nil }
func (b *box) Flows(int) (show.FlowCache, bool)      { return show.FlowCache{}, true }
func (b *box) Clear(c api.Clear) error               { b.cleared = c; return nil }
func (b *box) Reload() error                         { b.reloads++; return nil }

// nave runs the tool, and returns its output, its exit status, and an error of what it says beside.
func nave(t *testing.T, args ...string) (out string, status int, err error) {
	t.Helper()
	return naveWith(t, "", args...)
}

// naveWith is nave with an input.
func naveWith(t *testing.T, input string, args ...string) (out string, status int, err error) {
	t.Helper()
	dir := t.TempDir()
	open := func(name, text string) *os.File {
		f := filepath.Join(dir, name)
		if e := os.WriteFile(f, []byte(text), 0o600); e != nil {
			t.Fatal(e)
		}
		file, e := os.OpenFile(f, os.O_RDWR, 0)
		if e != nil {
			t.Fatal(e)
		}
		t.Cleanup(func() { file.Close() })
		return file
	}
	in, stdout, stderr := open("in", input), open("out", ""), open("err", "")
	status = run(args, in, stdout, stderr)
	read := func(f *os.File) string {
		b, e := os.ReadFile(f.Name())
		if e != nil {
			t.Fatal(e)
		}
		return string(b)
	}
	if text := read(stderr); text != "" {
		err = errors.New(text)
	}
	return read(stdout), status, err
}

func TestCommandsOverTheSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "nave.sock")
	b := &box{}
	s, err := api.Serve(socket, api.Services{Box: b})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, words := range [][]string{{"show", "running-config"}, {"sh", "run"}, {"sho", "running"}} {
		if out, _, err := nave(t, append([]string{"--socket", socket}, words...)...); err != nil || !strings.HasSuffix(out, "hostname box\nend\n") {
			t.Errorf("%v: %q, %v", words, out, err)
		}
	}
	if out, _, err := nave(t, "show", "version", "--json", "--socket", socket); err != nil || !strings.Contains(out, `"hostname": "box"`) {
		t.Errorf("show version --json: %q, %v", out, err)
	}
	if _, _, err := nave(t, "--socket", socket, "cle", "dm", "se", "pe", "nb", "1.2.3.4"); err != nil || b.cleared != (api.Clear{What: api.ClearSessions, NBMA: netip.MustParseAddr("1.2.3.4")}) {
		t.Errorf("clear: %+v, %v", b.cleared, err)
	}
	if _, _, err := nave(t, "--socket", socket, "reload"); err != nil || b.reloads != 1 {
		t.Errorf("reload: %d, %v", b.reloads, err)
	}
	if _, _, err := nave(t, "--socket", socket, "show", "clocks"); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("show clocks: %v", err)
	}
	if _, _, err := nave(t, "--socket", filepath.Join(t.TempDir(), "none"), "show", "version"); err == nil || !strings.Contains(err.Error(), "no naved answers") {
		t.Errorf("no daemon: %v", err)
	}
	if _, _, err := nave(t, "frobnicate"); err == nil {
		t.Error("frobnicate is a command")
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		f := filepath.Join(dir, name)
		if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return f
	}
	good := write("good.cfg", "hostname good\ninterface Ethernet0\n ip address 192.0.2.1 255.255.255.0\n")
	unknown := write("unknown.cfg", "frobnicate\n")
	undefined := write("undefined.cfg", "interface Tunnel0\n tunnel source Ethernet9\n tunnel mode gre multipoint\n tunnel protection ipsec profile NONE\n")
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"check", good}, 0, ""},
		{[]string{"check", unknown}, 2, unknown + ":1:1: error: "},
		{[]string{"check", undefined}, 1, undefined + ":4:"},
		{[]string{"check", good, unknown, undefined}, 2, undefined + ":4:"},
		{[]string{"check", "--json", undefined}, 1, `"severity":`},
		{[]string{"check", filepath.Join(dir, "none.cfg")}, 2, ""},
	} {
		out, status, err := nave(t, c.args...)
		if status != c.status || !strings.Contains(out, c.want) || out == "" && c.status != 0 && err == nil {
			t.Errorf("%v: status %d, %v\n%s\nwant status %d and %q", c.args, status, err, out, c.status, c.want)
		}
		if status == 1 && err != nil {
			t.Errorf("%v: %v is printed beside the findings", c.args, err)
		}
	}
	profiles := filepath.Join(dir, "profiles")
	if err := os.Mkdir(profiles, 0o700); err != nil {
		t.Fatal(err)
	}
	write(filepath.Join("profiles", "iron.yaml"), "name: iron\nextends: sup720-3b\nplatform: A box\n")
	write(filepath.Join("profiles", "wood.yaml"), "name: wood\nplatfrom: A box\n")
	tunnel := write("tunnel.cfg", "interface Ethernet0\n ip address 192.0.2.1 255.255.255.0\ninterface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n tunnel source Ethernet0\n tunnel destination 192.0.2.9\n tunnel key 1\n")
	if _, _, err := nave(t, "check", "--profile", "iron", "--profile-dir", profiles, tunnel); err == nil || !strings.Contains(err.Error(), `wood.yaml:2:1: unknown key "platfrom" (did you mean platform?)`) {
		t.Errorf("a file that is wrong: %v", err)
	}
	if err := os.Remove(filepath.Join(profiles, "wood.yaml")); err != nil {
		t.Fatal(err)
	}
	out, status, err := nave(t, "check", "--profile", "iron", "--profile-dir", profiles, tunnel)
	if err != nil || status != 0 || !strings.Contains(out, "tunnel.cfg:7:2: warning: ") || !strings.Contains(out, "[iron: software-switched; DMVPN guide 12.2SR, pages 2-3, Tunnel Key") {
		t.Errorf("with a profile: status %d, %v\n%s", status, err, out)
	}
	if _, status, err := nave(t, "check", "--profile", "iron", tunnel); err == nil || status != 2 || !strings.Contains(err.Error(), "sup720-3bxl") {
		t.Errorf("a profile that is not there: status %d, %v", status, err)
	}
	if out, _, err := nave(t, "--profile-dir", profiles, "--socket", filepath.Join(dir, "none"), "show", "hwprofiles"); err != nil || !strings.Contains(out, "iron") {
		t.Errorf("show hwprofiles without a daemon: %v\n%s", err, out)
	}
	if _, _, err := nave(t, "check"); err == nil {
		t.Error("check without a file")
	}
}
