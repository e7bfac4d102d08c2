package bgp

import (
	"testing"

	gobgp "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"nave/slowpath/bgp/bgpmsg"
)

// What a neighbour says goes to GoBGP as it is, in goroutines of GoBGP's where a panic ends the process: so its parser is fuzzed
// here, too, with what a session with VPNs takes.
func FuzzGoBGP(f *testing.F) {
	const rt, vpn = "c0 10 08 0002 0001 00000001", "80 0e 20 0001 80 0c 0000000000000000 0a000001 00 70 0004d1 0000000100000006 c0a80c"
	update := func(attrs, nlri string) []byte {
		a, n := hexBytes(attrs), hexBytes(nlri)
		return wire(bgpmsg.Update, append(append([]byte{0, 0, byte(len(a) >> 8), byte(len(a))}, a...), n...))
	}
	f.Add(update(good, "10 0a07"))
	f.Add(update(good+rt+vpn+"c0 08 04 fde80001 80 09 04 0a000001 80 0a 04 0a000001 80 04 04 00000001", ""))
	f.Add(update("80 0f 12 0001 80 70 800000 0000000100000001 c0a80b", ""))
	f.Add(update("80 0e 2d 0002 80 18 0000000000000000 00000000000000000000ffff0a000001 00 78 000121 0000000100000001 20010db8", ""))
	f.Add(wire(bgpmsg.Open, hexBytes("04 fde8 005a 0a000001 14 02 12 0104 0001 0001 0104 0001 0080 4104 0000fde8")))
	f.Add(wire(bgpmsg.RouteRefresh, hexBytes("0001 00 80")))
	f.Add(wire(bgpmsg.Notification, hexBytes("06 04 00")))
	families := map[gobgp.Family]gobgp.BGPAddPathMode{gobgp.RF_IPv4_UC: 0, gobgp.RF_IPv4_VPN: 0, gobgp.RF_IPv6_VPN: 0}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := gobgp.ParseBGPMessage(b)
		if err != nil || m == nil {
			return
		}
		u, ok := m.Body.(*gobgp.BGPUpdate)
		if !ok {
			return
		}
		gobgp.ValidateUpdateMsg(u, families, false, false, true)
		for _, a := range u.PathAttributes {
			_ = a.String()
			if mp, ok := a.(*gobgp.PathAttributeMpReachNLRI); ok {
				for _, n := range mp.Value {
					readNLRI(n.NLRI)
				}
			}
		}
	})
}
