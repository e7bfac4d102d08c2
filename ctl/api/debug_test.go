package api

import (
	"errors"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"nave/ctl/debug"
)

// debugger is a Debugger for tests.
type debugger struct {
	state   debug.State
	changes []debug.Change
	err     error
}

func (d *debugger) Debugging() debug.State { return d.state }
func (d *debugger) Debug(c debug.Change) (debug.State, error) {
	d.changes = append(d.changes, c)
	return d.state, d.err
}

func TestDebug(t *testing.T) {
	cond := debug.Condition{Tunnel: netip.MustParsePrefix("10.0.0.0/24")}
	d := &debugger{state: debug.State{Set: debug.Set{
		Flags: []debug.Flag{"nhrp packet"}, NHRP: debug.Conditions{List: []debug.Condition{{NBMA: netip.MustParsePrefix("192.0.2.1/32")}, {VRF: "blue"}}},
		DMVPN: debug.Conditions{List: []debug.Condition{{Iface: "Tunnel0"}, cond}, Unmatched: true},
	}, Told: 1 << 60, LeftOut: 3}}
	var audited []string
	socket := filepath.Join(t.TempDir(), "nave.sock")
	s, err := Serve(socket, Services{Box: &box{}, Debug: d, Audit: func(_ *Caller, what string, err error) { audited = append(audited, what) }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := NewClient(socket)
	if got, err := c.Debugging(); err != nil || !reflect.DeepEqual(got, d.state) {
		t.Errorf("%+v, %v", got, err)
	}
	changes := []debug.Change{
		{Flags: []debug.Flag{"nhrp", "dmvpn error crypto"}}, {Off: true, All: true}, {Family: debug.DMVPN, Condition: &cond}, {Off: true, Family: debug.NHRP, Unmatched: true},
	}
	for _, ch := range changes {
		if got, err := c.Debug(ch); err != nil || !reflect.DeepEqual(got, d.state) {
			t.Errorf("%+v: %+v, %v", ch, got, err)
		}
	}
	if !reflect.DeepEqual(d.changes, changes) {
		t.Errorf("came as %+v", d.changes)
	}
	want := []string{"debug nhrp + dmvpn error crypto", "undebug all", "debug dmvpn condition peer tunnel 10.0.0.0 255.255.255.0", "undebug nhrp condition unmatched"}
	if !reflect.DeepEqual(audited, want) {
		t.Errorf("audited %q, want %q", audited, want)
	}
	d.err = errors.New("no such thing")
	if _, err := c.Debug(changes[0]); err == nil || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("%v", err)
	}
}

func TestNoDebugger(t *testing.T) {
	socket, s := serve(t, &box{})
	defer s.Close()
	c := NewClient(socket)
	if _, err := c.Debugging(); err == nil || !strings.Contains(err.Error(), "debugging is not to be had") {
		t.Errorf("%v", err)
	}
	if _, err := c.Debug(debug.Change{}); err == nil {
		t.Error("changed all the same")
	}
}
