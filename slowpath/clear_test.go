package slowpath

import (
	"net/netip"
	"testing"

	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
)

// Sessions of configured peers begin again in the VRF, and with the peer, that were said.
func TestClearSelected(t *testing.T) {
	release := ike.Release{Protection: 3, Remote: netip.AddrPortFrom(ip(nhsNBMA), 0)}
	for name, c := range map[string]struct {
		which nhrp.Which
		gone  bool
	}{
		"all":                   {nhrp.Which{}, true},
		"the global table":      {nhrp.Which{InVRF: true}, true},
		"another VRF":           {nhrp.Which{InVRF: true, VRF: "red"}, false},
		"another tunnel":        {nhrp.Which{Iface: "Tunnel9"}, false},
		"another peer":          {nhrp.Which{NBMA: ip("203.0.113.200")}, false},
		"one behind NAT":        {nhrp.Which{NBMA: ip(nhsNBMA), Inside: ip("172.16.0.1")}, false},
		"the peer":              {nhrp.Which{NBMA: ip(nhsNBMA)}, true},
		"another tunnel's peer": {nhrp.Which{Tunnel: ip("203.0.113.200")}, false},
	} {
		r, f := protectedRig(t, nil)
		_ = r.step(func() { r.carryOutIKE([]ike.Effect{ike.Install{Child: testChild(1)}, ike.Activate{Child: 1}}) })
		if len(r.engine.sas) == 0 {
			t.Fatal("there is no session")
		}
		f.got = nil
		r.At(r.now).Clear(nhrp.Clear{Which: c.which})
		if f.has(release) || len(r.engine.sas) == 0 {
			t.Errorf("%s: without static, IKE was told %v", name, f.got)
		}
		r.At(r.now).Clear(nhrp.Clear{Which: c.which, Static: true})
		if gone := f.has(release) && len(r.engine.sas) == 0; gone != c.gone {
			t.Errorf("%s: gone %v, IKE was told %v", name, gone, f.got)
		}
	}
}
