package labs

import (
	"encoding/json"
	"strings"
	"testing"

	"nave/testbed/topo"
)

// explains: naved, whose workers are processes, says what they would do with a packet: on the direct path, by the hub, and where it is dropped. Asking uses no sequence number.
func explains(t *testing.T, l *topo.Lab) {
	ask := func(node, question string, want ...string) {
		t.Helper()
		says(t, "explain "+question+" of "+node, func() (string, error) {
			return l.Nave(node, append([]string{"explain"}, strings.Fields(question)...)...)
		}, want)
	}
	ask("spoke1", "10.1.0.7 10.2.0.7", "Ethernet1, the way back to 10.1.0.7", "10.2.0.0/24 in the global table, nhrp shortcut", "next hop 10.255.0.12", "AES-GCM-256, transport mode", "Forwarded by Tunnel0 to 203.0.113.1.")
	ask("spoke1", "10.1.0.7 10.99.0.7", "10.0.0.0/8 in the global table, static", "next hop 10.255.0.1:", "NHRP: 10.255.0.1/32, static", "the session with 192.0.2.1 is UP", "Forwarded by Tunnel0 to 192.0.2.1.")
	ask("hub", "10.1.0.7 10.2.0.7", "out of GRE from 198.51.100.1, opened by security association", "Forwarded by Tunnel0 to 203.0.113.1.", "(redirect)")
	ask("spoke1", "10.1.0.7 10.2.0.7 size 1500 df-bit", "1400 would fit", "(frag-needed)")
	ask("spoke1", "10.1.0.7 10.2.0.7 label 99", "Dropped (mpls-off)")
	ask("spoke1", "10.1.0.7 10.255.0.77", "which is not resolved yet", "(glean)")
	if out, err := l.Nave("spoke1", "explain", "10.1.0.7", "10.2.0.7", "in", "Loopback7"); err == nil || !strings.Contains(out, "no interface Loopback7") {
		t.Errorf("explain by an interface that is not there: %v: %s", err, out)
	}
	before := sealedBy(t, l, "spoke1", "10.1.0.7", "10.2.0.7")
	for range 50 {
		if out, err := l.Nave("spoke1", "explain", "10.1.0.7", "10.2.0.7"); err != nil {
			t.Fatalf("explain: %v: %s", err, out)
		}
	}
	for id, n := range sealedBy(t, l, "spoke1", "10.1.0.7", "10.2.0.7") {
		if was, ok := before[id]; ok && n >= was+50 {
			t.Errorf("association %d has sealed %d packets, and %d after 50 explanations", id, was, n)
		}
	}
}

// sealedBy is the packets that each association has sealed that a packet would leave by.
func sealedBy(t *testing.T, l *topo.Lab, node, src, dst string) map[int]int {
	t.Helper()
	out, err := l.Nave(node, "--json", "explain", src, dst)
	must(t, err)
	var x struct {
		Fate string
		Ways []struct{ Associations []struct{ ID, Packets int } }
	}
	if err := json.Unmarshal([]byte(out), &x); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if x.Fate != "forwarded" || len(x.Ways) != 1 || len(x.Ways[0].Associations) != 1 {
		t.Fatalf("explained as %+v", x)
	}
	packets := map[int]int{}
	for _, a := range x.Ways[0].Associations {
		packets[a.ID] = a.Packets
	}
	return packets
}
