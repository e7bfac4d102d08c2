package daemon

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"nave/ctl/api"
	"nave/ctl/config"
	"nave/ctl/gateway"
	"nave/ctl/show"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
)

var errStopping = errors.New("the daemon is stopping")

// Status implements api.Box.
func (d *Daemon) Status() (show.Status, bool) { return d.gw.Status() }

// Flows implements api.Box.
func (d *Daemon) Flows(most int) (show.FlowCache, bool) { return d.gw.Flows(most) }

// Query implements api.Box.
func (d *Daemon) Query(q show.Query) (show.Answer, error) { return d.gw.Query(q) }

// problems are the parts of the configuration that are not carried out.
func (d *Daemon) problems() (list []show.Problem) {
	d.gw.Do(func(_ time.Time, c *gateway.Core) { list = c.Problems() })
	return list
}

// Clear implements api.Box.
func (d *Daemon) Clear(c api.Clear) error {
	var protocol netip.Prefix
	if c.Tunnel.IsValid() {
		protocol = netip.PrefixFrom(c.Tunnel, c.Tunnel.BitLen())
	}
	var step func(now time.Time, core *gateway.Core)
	switch c.What {
	case api.ClearSessions, api.ClearNHRP:
		step = func(now time.Time, core *gateway.Core) {
			core.Router().At(now).Clear(nhrp.Clear{Iface: c.Iface, NBMA: c.NBMA, Protocol: protocol, Static: c.Static})
		}
	case api.ClearStatistics:
		step = func(now time.Time, core *gateway.Core) {
			core.Router().At(now).ClearStatistics(nhrp.ClearStatistics{Iface: c.Iface, NBMA: c.NBMA, Tunnel: c.Tunnel})
		}
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

// changes says in a few words what differs between two configurations.
func changes(before, after *config.Config) string {
	if before == nil {
		return "unknown"
	}
	d := config.Diff(before, after)
	if d.Empty() {
		return "none"
	}
	var words []string
	for _, v := range d.VRFs {
		words = append(words, "VRF "+v.Name)
	}
	for _, i := range d.Interfaces {
		words = append(words, i.Name)
	}
	if n := len(d.RoutesAdded) + len(d.RoutesRemoved); n > 0 {
		words = append(words, fmt.Sprintf("%d routes", n))
	}
	if d.MPLS {
		words = append(words, "labels")
	}
	if d.BGP || len(d.BGPNeighbors)+len(d.BGPFamilies) > 0 {
		words = append(words, "router bgp")
	}
	for _, list := range []struct {
		what    string
		changes []config.Change
	}{{"router eigrp", d.EIGRP}, {"key chain", d.KeyChains}, {"access list", d.AccessLists}, {"prefix list", d.PrefixLists}, {"route map", d.RouteMaps}} {
		for _, c := range list.changes {
			words = append(words, list.what+" "+c.Name)
		}
	}
	if d.KernelImport {
		words = append(words, "ip route import kernel")
	}
	if d.Platform {
		words = append(words, "platform hardware")
	}
	if d.Fastpath {
		words = append(words, "fastpath, from the next start on")
	}
	if len(words) == 0 {
		return "other settings"
	}
	return strings.Join(words, ", ")
}

// audit logs a change, with the name of who made it.
func (d *Daemon) audit(who *api.Caller, what string, err error) {
	if err != nil {
		d.log.Warn("a change was refused", "user", who.Name, "command", what, "error", err)
		return
	}
	d.log.Info("changed", "user", who.Name, "command", what)
}
