package show

import (
	"net/netip"
	"strings"
	"testing"

	"nave/slowpath/ldp"
)

func TestLogLDP(t *testing.T) {
	nb := ldp.ID{LSR: netip.MustParseAddr("10.9.9.2")}
	hello := ldp.Code(0x09) // Hold Timer Expired, RFC 5036 section 3.9
	for want, l := range map[string]ldp.Log{
		"%LDP-5-NBRCHG: LDP Neighbor 10.9.9.2:0 is UP":                                                                          {Kind: ldp.LogNeighborUp, Neighbor: nb},
		"%LDP-5-NBRCHG: LDP Neighbor 10.9.9.2:0 is DOWN (TCP connection closed)":                                                {Kind: ldp.LogNeighborDown, Neighbor: nb},
		"%LDP-5-NBRCHG: LDP Neighbor 10.9.9.2:0 is DOWN (" + hello.String() + ")":                                               {Kind: ldp.LogNeighborDown, Neighbor: nb, Code: hello},
		"%LDP-5-NBRCHG: LDP Neighbor 10.9.9.2:0 is DOWN (Received error notification from peer: " + ldp.Code(10).String() + ")": {Kind: ldp.LogNeighborDown, Neighbor: nb, Code: 10, Received: true},
		"%LDP-3-NO_LABELS: no label for 10.1.0.0/16: all 2 of":                                                                  {Kind: ldp.LogNoLabels, Prefix: netip.MustParsePrefix("10.1.0.0/16"), Count: 2},
	} {
		if text, _ := Log(l); text == "" || !strings.HasPrefix(text, want) {
			t.Errorf("%q, not %q", text, want)
		}
	}
	// Every kind that there is has a message with a severity that fits.
	for k := ldp.LogNeighborUp; k <= ldp.LogNoLabels; k++ {
		text, severity := Log(ldp.Log{Kind: k, Neighbor: nb, Iface: "Tunnel1", Address: nb.LSR, Prefix: netip.MustParsePrefix("10.1.0.0/16"), Count: 7, Code: 1})
		if text == "" || !strings.HasPrefix(text, "%") || text[strings.IndexByte(text, '-')+1] != byte('0'+severity) || strings.Contains(text, "%!") {
			t.Errorf("%s: %q, severity %d", k, text, severity)
		}
	}
	if text, _ := Log(ldp.Log{Kind: ldp.LogNoLabels + 1}); text != "" {
		t.Errorf("a message of a kind that does not exist: %q", text)
	}
}
