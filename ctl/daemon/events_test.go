package daemon

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"nave/ctl/api"
	"nave/ctl/gateway"
	"nave/ctl/logs"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
)

// Events of all protocols are written in the words of IOS, with fields beside them.
func TestEvents(t *testing.T) {
	peer := netip.MustParseAddrPort("198.51.100.1:500")
	for _, c := range []struct {
		e    gateway.Event
		want []string
	}{
		{nhrp.Log{Kind: nhrp.LogNHSUp, Iface: "Tunnel0", Protocol: netip.MustParseAddr("10.0.0.1")}, []string{"level=INFO+2", "%DMVPN-5-NHRP_NHS: Tunnel0 10.0.0.1 is UP", "interface=Tunnel0", "address=10.0.0.1"}},
		{ike.Log{Kind: ike.LogFailed, Version: 2, Path: ike.Path{Remote: peer}, Why: ike.WhyAuthentication, Code: 24, Peer: ike.Identity{Kind: ike.IDFQDN, Value: "r1"}},
			[]string{"level=ERROR", "%IKEV2-3-NEG_ABORT", "AUTHENTICATION-FAILED", "peer=198.51.100.1:500", "reason=authentication-failed", "notify=24", "identity=r1", "version=2"}},
		{ike.Log{Kind: ike.LogUnprotected, Version: 1, Path: ike.Path{Remote: peer}, Child: 7}, []string{"level=WARN", "%CRYPTO-4-NO_AUTHENTICATION", "child=7"}},
		{dmvpn.Log{Kind: dmvpn.LogSocketOpen, Ifaces: []string{"Tunnel0"}, Profile: "vpn", Peer: peer}, []string{"level=DEBUG+2", "%DMVPN-7-CRYPTO_SS: Tunnel0-198.51.100.1 socket is UP", "profile=vpn", "interfaces=[Tunnel0]"}},
		{dmvpn.Log{Kind: dmvpn.LogSessionDown, Ifaces: []string{"Tunnel0"}, Peer: peer, Why: ike.WhyDeadPeer}, []string{"%CRYPTO-5-SESSION_STATUS: Crypto tunnel is DOWN.  Peer 198.51.100.1:500", "reason=dead-peer"}},
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
	var out bytes.Buffer
	d := &Daemon{log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})), limit: logs.NewEvents()}
	if d.event(nhrp.Log{Kind: 200}); out.Len() > 0 {
		t.Errorf("an unknown kind: %s", out.String())
	}
}

func TestClearIKE(t *testing.T) {
	a := netip.MustParseAddr("192.0.2.1")
	for _, c := range []struct {
		in   api.Clear
		want ike.Clear
	}{
		{api.Clear{What: api.ClearIPsec, NBMA: a}, ike.Clear{Remote: a, Children: true}}, {api.Clear{What: api.ClearISAKMP, SA: 7}, ike.Clear{SA: 7, Version: 1}},
		{api.Clear{What: api.ClearIKEv2}, ike.Clear{Version: 2}}, {api.Clear{What: api.ClearCrypto, NBMA: a}, ike.Clear{Remote: a}}, {api.Clear{What: api.ClearCrypto}, ike.Clear{}},
	} {
		if got := clearIKE(c.in); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.in, got, c.want)
		}
	}
}
