package show

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
)

// How a path through NAT came about is told of the sessions that have such a one, and of no other.
func TestOpeningShown(t *testing.T) {
	s := cryptoSample()
	if text := DMVPNDetail(s, Select{}); strings.Contains(text, "Path through NAT") {
		t.Errorf("of a session as any:\n%s", text)
	}
	at := netip.MustParseAddrPort("203.0.113.9:20001")
	for _, c := range []struct {
		name string
		set  func(*dmvpn.SessionStatus)
		want string
	}{
		{"opened", func(f *dmvpn.SessionStatus) { f.Opened = true }, "opened from both sides; the next hop server sees the peer at 203.0.113.9:20001\n"},
		{"opening", func(f *dmvpn.SessionStatus) { f.Opening, f.Children = true, nil }, "is being opened from both sides; the next hop server"},
		{"did not open", func(f *dmvpn.SessionStatus) { f.Children = nil }, "did not open, traffic stays with the next hop server; "},
		{"up by another path", func(*dmvpn.SessionStatus) {}, ""},
	} {
		s := cryptoSample()
		f := &s.Router.Sessions.Sessions[0]
		f.Endpoint = at
		c.set(f)
		text := DMVPNDetail(s, Select{})
		if got := strings.Contains(text, "  Path through NAT: "+c.want); got != (c.want != "") || c.want == "" && strings.Contains(text, "Path through NAT") {
			t.Errorf("%s:\n%s", c.name, text)
		}
	}
	s = sample()
	k := slices.IndexFunc(s.Router.NHRP.Entries, func(e nhrp.EntryStatus) bool { return e.Type == nhrp.TypeNegative })
	if strings.Contains(NHRP(s, Select{}), "through NAT") {
		t.Error("an entry as any is one that did not open")
	}
	s.Router.NHRP.Entries[k].Flags |= nhrp.FlagUnopened
	if strings.Count(NHRP(s, Select{}), "\n    (no path could be opened through NAT)\n") != 1 {
		t.Errorf("an entry that did not open:\n%s", NHRP(s, Select{}))
	}
	text, severity := Log(dmvpn.Log{Kind: dmvpn.LogUnopened, Ifaces: []string{"Tunnel0"}, Peer: at, Why: ike.WhyTimeout})
	if severity != severityNotice || !strings.HasPrefix(text, "%DMVPN-5-NAT_UNOPENED: Tunnel0: no path to 203.0.113.9:20001 could be opened through NAT: the peer did not answer; ") {
		t.Errorf("%d %q", severity, text)
	}
}
