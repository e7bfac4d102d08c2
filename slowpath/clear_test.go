package slowpath

import (
	"net/netip"
	"slices"
	"testing"

	"nave/fastpath"
	"nave/fastpath/fib"
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

// The sessions of dynamic peers that are cleared end at once, though their peers use them: they would not know otherwise that they have to register again.
func TestClearEndsSessions(t *testing.T) {
	const spoke = "198.51.100.9"
	release := ike.Release{Protection: 3, Remote: netip.AddrPortFrom(ip(spoke), 0)}
	for name, c := range map[string]struct {
		clear nhrp.Clear
		ends  bool
	}{
		"all":                    {nhrp.Clear{Sessions: true}, true},
		"static ones, too":       {nhrp.Clear{Sessions: true, Static: true}, true},
		"the peer":               {nhrp.Clear{Which: nhrp.Which{NBMA: ip(spoke)}, Sessions: true}, true},
		"another peer":           {nhrp.Clear{Which: nhrp.Which{NBMA: ip(nhsNBMA)}, Sessions: true}, false},
		"the tunnel's peer":      {nhrp.Clear{Which: nhrp.Which{Tunnel: ip("10.0.0.9")}, Sessions: true}, true},
		"another tunnel address": {nhrp.Clear{Which: nhrp.Which{Tunnel: ip("10.0.0.8")}, Sessions: true}, false},
		"the global table":       {nhrp.Clear{Which: nhrp.Which{InVRF: true}, Sessions: true}, true},
		"another VRF":            {nhrp.Clear{Which: nhrp.Which{InVRF: true, VRF: "red"}, Sessions: true}, false},
		"another tunnel":         {nhrp.Clear{Which: nhrp.Which{Iface: "Tunnel9"}, Sessions: true}, false},
		"the cache alone":        {nhrp.Clear{}, false},
	} {
		r, f := protectedRig(t, nil)
		server, client := testChild(1), testChild(2)
		client.SA, client.Path.Remote = 2, netip.AddrPortFrom(ip(spoke), 500)
		client.Peer.Value = "spoke"
		_ = r.step(func() {
			r.carryOutIKE([]ike.Effect{ike.Install{Child: server}, ike.Activate{Child: 1}, ike.Install{Child: client}, ike.Activate{Child: 2}})
		})
		var in fib.SAID
		for id, sa := range r.engine.sas {
			if sa.Inbound && sa.SPI == 0x1002 {
				in = id
			}
		}
		both := len(r.engine.sas)
		m := registration("10.0.0.9", spoke)
		packet, err := m.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		r.punt(fastpath.Punt{
			Reason: fastpath.NHRP, Port: wanPort, Tunnel: tunnelID, SA: in, OuterSrc: ip(spoke), OuterDst: ip("192.0.2.1"), Packet: packet,
		})
		if !slices.ContainsFunc(r.Status().NHRP.Interfaces[0].Peers, func(p nhrp.PeerStatus) bool { return p.NBMA == ip(spoke) && p.Stage == nhrp.StageUp }) {
			t.Fatalf("%s: it has not registered: %+v", name, r.Status().NHRP.Interfaces[0].Peers)
		}
		f.got = nil
		r.At(r.now).Clear(c.clear)
		left := both
		if c.ends {
			left = both / 2
		}
		if c.clear.Static {
			left = 0
		}
		if f.has(release) != c.ends || len(r.engine.sas) != left {
			t.Errorf("%s: %d of %d associations are left, IKE was told %v", name, len(r.engine.sas), both, f.got)
		}
	}
}
