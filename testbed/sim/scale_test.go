package sim

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// fewer is a number of spokes, or a quarter of it under the race detector, which has nothing to find in one goroutine that more spokes would show.
func fewer(spokes int) int {
	if raceEnabled {
		return spokes / 4
	}
	return spokes
}

func TestHundredSpokes(t *testing.T) { star(t, 100) }

func TestThousandSpokes(t *testing.T) { star(t, 1000) }

// star has all spokes register, and then each ping the network behind another: a spoke to its neighbour.
func star(t *testing.T, spokes int) {
	began := time.Now()
	n := Star(t, 71, spokes, "")
	n.Until(30*time.Second, "all spokes are registered", func() bool {
		return strings.Count(n.Show("hub", "show dmvpn"), " UP ") == spokes
	})
	t.Logf("%d spokes registered by %v of simulated time, %v of real time", spokes, n.Now().Sub(epoch), time.Since(began))
	var from []string
	var source, to []netip.Addr
	for i := 1; i <= spokes; i++ {
		a, b := StarOf(i), StarOf(i%spokes+1)
		from, source, to = append(from, a.Name), append(source, a.LAN), append(to, b.LAN)
	}
	if got := n.PingAll(from, source, to, 5*time.Second); got != spokes {
		t.Errorf("%d of %d answered by the hub", got, spokes)
	}
	byHub := 0
	n.Tap(func(c Crossing) {
		if ip, tunnel := Inner(c.Frame); tunnel && ip.Proto() == protoICMP && c.To == "hub" {
			byHub++
		}
	})
	// The hub redirects so many at once and no more (its rate limit); who was not told is told with later packets.
	for range 4 {
		n.Run(10 * time.Second)
		byHub = 0
		if got := n.PingAll(from, source, to, 5*time.Second); got != spokes {
			t.Errorf("%d of %d answered", got, spokes)
		}
		if byHub == 0 {
			break
		}
	}
	if byHub != 0 {
		t.Errorf("%d packets still take the hub", byHub)
	}
	t.Logf("done after %v of real time", time.Since(began))
}
