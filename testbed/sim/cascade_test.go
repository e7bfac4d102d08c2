package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"nave/slowpath/dmvpn"
)

// Two spokes with the same private address and the same identity, each behind a NAT box of its own, and both of those behind one: nobody can tell one from the other that has begun anew.
// The newer one works with the hub, nobody fights, and the log says what there is to be done.
func TestSamePrivateAddressBehindOne(t *testing.T) {
	eachCrypto(t, func(t *testing.T, crypto string) {
		n := New(t, 77)
		n.AddInternet("internet")
		n.AddNAT("outer", patOutside, "192.88.99.254", NATConfig{})
		n.AddRouter("hub", patHub(crypto, 2))
		c := LinkConfig{Delay: 5 * time.Millisecond, Frames: 128}
		n.Connect("hub:Ethernet0", "internet:192.0.2.254/24", c)
		n.Connect("outer:"+patOutside+"/24", "internet:192.88.99.254/24", c)
		for i := 1; i <= 2; i++ {
			nat, outside := fmt.Sprint("nat", i), fmt.Sprintf("203.0.%d.9", i)
			n.AddNAT(nat, outside, fmt.Sprintf("203.0.%d.254", i), NATConfig{})
			text := strings.ReplaceAll(patSpoke(crypto, i), fmt.Sprintf(" ip address 198.51.100.%d ", i+10), " ip address 198.51.100.11 ")
			n.AddRouter(fmt.Sprint("spoke", i), text)
			n.Connect(fmt.Sprintf("%s:%s/24", nat, outside), fmt.Sprintf("outer:203.0.%d.254/24", i), c)
			n.Connect(fmt.Sprintf("spoke%d:Ethernet0", i), nat+":198.51.100.254/24", c)
		}
		n.Run(20 * time.Minute)
		twins := 0
		for _, e := range n.Router("hub").Events() {
			if l, ok := e.(dmvpn.Log); ok && l.Kind == dmvpn.LogTwin {
				if twins++; l.Inside != n.addr("198.51.100.11") || l.Peer == l.Was || l.Peer.Addr() != n.addr(patOutside) || l.Was.Addr() != l.Peer.Addr() {
					t.Errorf("%+v", l)
				}
			}
		}
		if twins < 1 || twins > 3 {
			t.Errorf("logged %d times in 20 minutes", twins)
		}
		if st := n.Router("hub").core.Router().Status(); st.IKE.Stats[1].Responded+st.IKE.Stats[2].Responded != 2 {
			t.Errorf("they fight: %+v", st.IKE.Stats)
		}
		if lost := hubPings(n, 2); len(lost) != 1 {
			t.Errorf("the hub has lost %v\n%s", lost, n.Show("hub", "show dmvpn"))
		}
	})
}
