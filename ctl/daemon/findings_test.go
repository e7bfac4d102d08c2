package daemon

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"nave/ctl/config"
	"nave/ctl/logs"
	"nave/ctl/show"
	"nave/fastpath/fib"
	"nave/hwprofiles"
)

const gatewayText = "interface Ethernet0\n ip address 192.0.2.1 255.255.255.0\ninterface Tunnel0\n ip address 10.0.0.1 255.255.255.0\n" +
	" ip tcp adjust-mss 1360\n ip nhrp network-id 1\n tunnel source Ethernet0\n tunnel mode gre multipoint\n tunnel key 7\n"

// The findings of the emulated hardware are logged with the others, and only what is new since the load before.
func TestFindings(t *testing.T) {
	set, err := hwprofiles.Load("")
	if err != nil {
		t.Fatal(err)
	}
	profile, err := set.Profile("sup720-3b")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	d := &Daemon{log: slog.New(slog.NewTextHandler(&out, nil))}
	load := func(text string) string {
		out.Reset()
		tree, diags := config.Parse("r.cfg", []byte(text))
		if diags = append(diags, config.Check(tree)...); diags.HasErrors() {
			t.Fatal(diags)
		}
		d.warn(tree, profile, diags)
		d.told, d.telling = d.telling, nil
		return out.String()
	}
	first := load(gatewayText)
	for _, want := range []string{"which has a tunnel key", "`ip tcp adjust-mss` is not supported on Tunnel0", "Tunnel0 sends its packets in clear"} {
		if strings.Count(first, want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, first)
		}
	}
	if again := load("hostname moved\n" + gatewayText); again != "" { // all lines have moved
		t.Errorf("said again: %s", again)
	}
	if more := load(gatewayText + " ip nhrp redirect\n"); strings.Count(more, "level=WARN") != 1 || !strings.Contains(more, "does not have `ip nhrp redirect`") {
		t.Errorf("what is new: %s", more)
	}
	load(strings.Replace(gatewayText, " tunnel key 7\n", "", 1))
	if back := load(gatewayText); strings.Count(back, "level=WARN") != 1 || !strings.Contains(back, "which has a tunnel key") {
		t.Errorf("what is there again: %s", back)
	}
}

// Emulated hardware is logged as IOS words it, with fields beside.
func TestHardwareEvents(t *testing.T) {
	for _, c := range []struct {
		e    show.HardwareLog
		want []string
	}{
		{show.HardwareLog{Kind: show.HardwareThreshold, Table: "IPv4 unicast"}, []string{"level=WARN", "%MLSCEF-SP-4-FIB_EXCEPTION_THRESHOLD: ", "95% capacity for IPv4 unicast protocol", "table=\"IPv4 unicast\""}},
		{show.HardwareLog{Kind: show.HardwareException, Table: "MPLS"}, []string{"level=DEBUG+2", "%MLSCEF-SP-7-FIB_EXCEPTION: ", "table=MPLS"}},
		{show.HardwareLog{Kind: show.HardwareSwitched, Tunnel: show.SwitchedTunnel{Interface: "Tunnel0", Way: fib.ByCEF, Key: "gre.unique_source"}},
			[]string{"level=WARN", "Tunnel0: packets are forwarded by the route processor", "the same tunnel source", "interface=Tunnel0", "key=gre.unique_source", "by=cef"}},
		{show.HardwareLog{Kind: show.HardwareCryptoFull, Count: 3, Most: 8000}, []string{"level=WARN", "no room beyond 8000 tunnels", "refused=3"}},
		{show.HardwareLog{Kind: show.HardwareMulticast, Count: 12}, []string{"level=WARN", "12 multicast packets", "packets=12"}},
	} {
		var out bytes.Buffer
		d := &Daemon{log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})), limit: logs.NewEvents()}
		d.event(c.e)
		for _, w := range c.want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%+v: %s\nwant %q", c.e, out.String(), w)
			}
		}
	}
}
