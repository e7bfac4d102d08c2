package labs

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"nave/testbed/need"
	"nave/testbed/topo"
)

// takeSteps takes the steps of a cloud's matrix. Each row must be as it should.
func takeSteps(t *testing.T, c Cloud, steps []NATStep) *NATLab {
	t.Helper()
	need.Command(t, "nft", "sysctl")
	var rows []NATRow
	l := topo.ForTest(t, c.Topology())
	n, err := NewNATLab(l, c, func(r NATRow) { rows = append(rows, r) })
	must(t, err)
	t.Cleanup(n.Close)
	for _, s := range steps {
		t.Run(s.Name, func(t *testing.T) {
			rows = nil
			must(t, s.Run(n))
			if len(rows) == 0 {
				t.Error("nothing was measured")
			}
			for _, r := range rows {
				t.Log(r.String())
				if r.Failed != "" {
					t.Errorf("case %s, %s, %s: %s", r.Case, r.What, r.Between, r.Failed)
				}
			}
		})
	}
	return n
}

// Spokes behind NAT of every kind, on real packets.
func TestNAT(t *testing.T) {
	t.Parallel()
	need.Command(t, "tshark")
	n := takeSteps(t, NATCloud(), NATSteps())
	t.Run("tshark", func(t *testing.T) { tsharkAgrees(t, n) })
}

// A hub behind static NAT, on real packets; IKEv1.
func TestNATHub(t *testing.T) {
	t.Parallel()
	takeSteps(t, NATHubCloud(), NATHubSteps())
}

// An SA that was begun before is none that was begun since, however often its first message is sent again.
func TestAttempts(t *testing.T) {
	a, b, c := addr("198.51.100.11"), addr("198.51.100.55"), addr("198.51.100.56")
	began := time.Unix(1000, 0)
	first := func(second int, from, to netip.Addr, spi uint64) Crossing {
		return Crossing{At: began.Add(time.Duration(second) * time.Second), From: netip.AddrPortFrom(from, 500), To: netip.AddrPortFrom(to, 500), Sort: SortIKE, First: spi}
	}
	all := []Crossing{first(0, a, b, 1), first(2, a, b, 1), first(30, a, b, 1), first(31, b, a, 2), first(33, b, a, 2), first(34, a, c, 3), first(34, a, b, 0)}
	for second, want := range map[int]int{0: 2, 1: 1, 31: 1, 32: 0} {
		if n := attempts(all, began.Add(time.Duration(second)*time.Second), a, b); n != want {
			t.Errorf("from second %d on %d SAs were begun, want %d", second, n, want)
		}
	}
}

// tsharkAgrees: to tshark, too, all ESP through NAT is in UDP with checksum zero, and none is where there is no NAT.
func tsharkAgrees(t *testing.T, n *NATLab) {
	file := t.TempDir() + "/outside.pcap"
	f, err := os.Create(file)
	must(t, err)
	must(t, n.Outside.Write(f))
	must(t, f.Close())
	args := []string{"-n", "-r", file}
	for _, port := range []int{20001, 21001, 22001, 30001, 40001, 50001} { // what PortMapped has for 4500
		args = append(args, "-d", fmt.Sprintf("udp.port==%d,udpencap", port))
	}
	var through []string
	for a := range n.translated {
		through = append(through, a.String())
	}
	nat := "ip.addr in {" + strings.Join(through, ", ") + "}"
	count := func(filter string) int {
		t.Helper()
		out, err := exec.Command("tshark", append(args, "-Y", filter, "-T", "fields", "-e", "frame.number")...).Output()
		if err != nil {
			t.Fatalf("tshark %s: %v", filter, err)
		}
		return len(strings.Fields(string(out)))
	}
	if n := count("esp && udp && udp.checksum == 0 && " + nat); n == 0 {
		t.Error("tshark sees no ESP in UDP through NAT")
	}
	if n := count("esp && !udp && !(" + nat + ")"); n == 0 {
		t.Error("tshark sees no ESP without UDP where there is no NAT")
	}
	if n := count("(esp && !udp && " + nat + ") || (esp && udp && udp.checksum != 0) || (esp && udp && !(" + nat + ")) || gre"); n > 0 {
		t.Errorf("tshark sees %d packets of ESP through NAT that are not in UDP, or have a checksum, or are in UDP without NAT, or are GRE", n)
	}
}
