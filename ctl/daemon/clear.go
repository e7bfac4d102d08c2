package daemon

import (
	"fmt"
	"time"

	"nave/ctl/api"
	"nave/ctl/gateway"
	"nave/ctl/show"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
)

// Clear implements api.Box.
func (d *Daemon) Clear(c api.Clear) error {
	var step func(now time.Time, core *gateway.Core)
	switch c.What {
	case api.ClearSessions, api.ClearNHRP:
		what := nhrp.Clear{Which: whichPeers(&c), Protocol: c.Network, Static: c.Static && c.What == api.ClearSessions, Sessions: true}
		step = func(now time.Time, core *gateway.Core) { core.Router().At(now).Clear(what) }
	case api.ClearStatistics:
		what := nhrp.ClearStatistics{Which: whichPeers(&c)}
		step = func(now time.Time, core *gateway.Core) { core.Router().At(now).ClearStatistics(what) }
	case api.ClearCounters:
		return d.clearCounters(c.Iface)
	case api.ClearIPsec, api.ClearISAKMP, api.ClearIKEv2, api.ClearCrypto:
		what := clearIKE(c)
		step = func(now time.Time, core *gateway.Core) { core.Router().At(now).ClearIKE(what) }
	case api.ClearBGP:
		return d.gw.ClearBGP(gateway.ClearBGP{VRF: c.VRF, Neighbour: c.Neighbour, AS: c.AS, Soft: c.Soft, In: c.In, Out: c.Out})
	case api.ClearLDP:
		var err error
		if !d.gw.Do(func(now time.Time, core *gateway.Core) { err = core.ClearLDP(now, c.Neighbour) }) {
			return errStopping
		}
		return err
	case api.ClearEIGRP:
		var err error
		what := gateway.ClearEIGRP{VRF: c.VRF, AS: uint16(c.AS), Neighbor: c.Neighbour, Iface: c.Iface}
		if !d.gw.Do(func(now time.Time, core *gateway.Core) { err = core.ClearEIGRP(now, what) }) {
			return errStopping
		}
		return err
	default:
		return fmt.Errorf("nothing is called %q that could be cleared", c.What)
	}
	if !d.gw.Do(step) {
		return errStopping
	}
	return nil
}

// whichPeers are the peers, and interfaces, that are to be cleared.
func whichPeers(c *api.Clear) nhrp.Which {
	w := nhrp.Which{Iface: c.Iface, VRF: c.VRF, InVRF: c.VRF != "", NBMA: c.NBMA, Inside: c.Inside, Tunnel: c.Tunnel}
	if c.VRF == show.GlobalVRF {
		w.VRF = ""
	}
	return w
}

// clearIKE is what IKE is to take down.
func clearIKE(c api.Clear) ike.Clear {
	out := ike.Clear{SA: ike.SAID(c.SA), Remote: c.NBMA}
	switch c.What {
	case api.ClearIPsec:
		out.Children = true
	case api.ClearISAKMP:
		out.Version = 1
	case api.ClearIKEv2:
		out.Version = 2
	}
	return out
}
