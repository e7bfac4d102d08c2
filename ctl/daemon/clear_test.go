package daemon

import (
	"net/netip"
	"testing"
	"time"

	"nave/ctl/api"
	"nave/ctl/show"
	"nave/ctl/usage"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
)

func TestWhichPeers(t *testing.T) {
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("10.0.0.1")
	for _, c := range []struct {
		clear api.Clear
		want  nhrp.Which
	}{
		{api.Clear{}, nhrp.Which{}},
		{api.Clear{Iface: "Tunnel0", NBMA: a, Inside: b, Tunnel: b}, nhrp.Which{Iface: "Tunnel0", NBMA: a, Inside: b, Tunnel: b}},
		{api.Clear{VRF: "red"}, nhrp.Which{InVRF: true, VRF: "red"}},
		{api.Clear{VRF: show.GlobalVRF}, nhrp.Which{InVRF: true}},
	} {
		if got := whichPeers(&c.clear); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.clear, got, c.want)
		}
	}
	for what, want := range map[string]ike.Clear{
		api.ClearIPsec: {Children: true, Remote: a}, api.ClearISAKMP: {Version: 1, Remote: a}, api.ClearIKEv2: {Version: 2, Remote: a}, api.ClearCrypto: {Remote: a},
	} {
		if got := clearIKE(api.Clear{What: what, NBMA: a}); got != want {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	if err := (&Daemon{}).Clear(api.Clear{What: "everything"}); err == nil {
		t.Error("something is cleared that there is not")
	}
}

// What is measured comes with a status, which nobody else can change.
func TestDescribe(t *testing.T) {
	var m measured
	m.system.Kernel = "6.1"
	m.meter.Add(usage.Sample{At: time.Now(), CPUs: 2, Processes: []usage.Process{{PID: 1, Name: "naved"}}})
	m.cleared = map[string]show.ClearedCount{"Tunnel0": {At: time.Now()}}
	var s show.Status
	m.describe(&s)
	if s.System.Kernel != "6.1" || s.Usage.CPUs != 2 || len(s.Usage.Processes) != 1 || s.Cleared["Tunnel0"].At.IsZero() {
		t.Errorf("%+v %+v %+v", s.System, s.Usage, s.Cleared)
	}
	delete(s.Cleared, "Tunnel0")
	if len(m.cleared) != 1 {
		t.Error("a status shares what it tells")
	}
	if allocated, freed := heap(); allocated == 0 || freed > allocated {
		t.Errorf("the heap was given %d, and gave back %d", allocated, freed)
	}
}
