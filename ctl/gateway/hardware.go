package gateway

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"nave/ctl/config"
	"nave/ctl/hardware"
	"nave/ctl/show"
	"nave/fastpath/fib"
	"nave/hwprofiles"
	"nave/slowpath"
	"nave/slowpath/dmvpn"
)

// Profiles finds the hardware that a box is to be like. The file of a profile is read when its name is first spoken of, and not again while that is the one.
type Profiles struct {
	Name string // `naved --profile`: counts instead of what the configuration says; hwprofiles.None is none
	Dir  string // of the user's profiles; "": there are none

	chosen string
	last   *hwprofiles.Profile
}

// Choose returns the profile that a box with this configuration is to be like; nil is none. The error says that there is none of that name, or what is wrong with a file.
func (p *Profiles) Choose(tree *config.Config) (*hwprofiles.Profile, error) {
	name := p.Name
	if name == "" {
		name = tree.Platform.HardwareProfile
	}
	switch name {
	case p.chosen:
		return p.last, nil
	case "", hwprofiles.None:
		p.chosen, p.last = name, nil
		return nil, nil
	}
	set, err := hwprofiles.Load(p.Dir)
	if err != nil {
		return nil, err
	}
	found, err := set.Profile(name)
	if err != nil {
		return nil, err
	}
	p.chosen, p.last = name, found
	return found, nil
}

// check reads the user's profiles, whichever is chosen.
func (p *Profiles) check() error {
	if p.Dir == "" {
		return nil
	}
	_, err := hwprofiles.Load(p.Dir)
	return err
}

// chooseHardware reads the profile that the start is by, before anything is touched.
func (g *Gateway) chooseHardware(tree *config.Config) error {
	if g.opt.Profiles == nil {
		g.opt.Profiles = &Profiles{}
	}
	if err := g.opt.Profiles.check(); err != nil {
		return err
	}
	_, err := g.opt.Profiles.Choose(tree)
	return err
}

// Priced is a fast path that can be told prices: fastpath.Engine.
type Priced interface {
	SetPricer(fib.Pricer) error
	Remeter()
	Reprice() error
}

// emulation is the hardware that a Core is like. Without a profile nothing is emulated.
type emulation struct {
	profiles   *Profiles
	engine     Priced
	profile    *hwprofiles.Profile
	priced     bool // the engine was told, if only that there is none
	pricer     *hwprofiles.Pricer
	options    hwprofiles.Options
	since      time.Time
	limited    []show.Limiter
	restricted []hardware.Restriction
	problems   []show.Problem
	meter      meter
}

// Emulate has the Core be like the hardware of a profile, from the next Configure on: of the one that profiles chooses. Without it there is none, whatever the
// configuration says.
func (c *Core) Emulate(profiles *Profiles, engine Priced) {
	c.hardware.profiles, c.hardware.engine = profiles, engine
}

// Hardware is the profile of the hardware that the Core is like; nil is none.
func (c *Core) Hardware() *hwprofiles.Profile { return c.hardware.profile }

// follow makes the fast path that of the profile that a configuration chooses. Where the error says that there is none such, nothing has changed. The pricer stays while profile
// and limits do: what its tables have gone through stays with it.
func (h *emulation) follow(now time.Time, tree *config.Config) error {
	if h.engine == nil {
		return nil
	}
	profile, err := h.profiles.Choose(tree)
	if err != nil {
		return fmt.Errorf("hardware profile: %w", err)
	}
	options, limited := optionsOf(tree, profile)
	options.ModuleGRE = h.options.ModuleGRE // until it is known anew: numbered
	fresh := !h.priced || profile != h.profile
	split := maps.Equal(options.Routes, h.options.Routes)
	if !fresh { // `mls cef maximum-routes` waits for a start, as there
		options.Routes = h.options.Routes
	}
	h.problems = nil
	if profile != nil && !fresh && !split {
		h.problems = append(h.problems, show.Problem{What: "mls cef maximum-routes", Why: "the split of the FIB TCAM stays as it is until naved is started again, or another profile is chosen"})
	}
	switch {
	case fresh:
		if err := h.price(profile, options); err != nil {
			h.problems = append(h.problems, show.Problem{What: "platform hardware profile", Why: err.Error()})
		}
		h.priced, h.profile, h.since, h.meter = true, profile, now, meter{}
	case h.pricer != nil && !maps.Equal(options.Limits, h.options.Limits):
		h.pricer.SetLimits(options.Limits)
		h.engine.Remeter()
	}
	h.options = options
	h.limited = limited
	return nil
}

// price gives the fast path a pricer that knows of nothing yet.
func (h *emulation) price(profile *hwprofiles.Profile, o hwprofiles.Options) error {
	if profile == nil {
		h.pricer = nil
		return h.engine.SetPricer(nil)
	}
	h.pricer = hwprofiles.NewPricer(profile, o)
	return h.engine.SetPricer(h.pricer)
}

// numbered tells the pricer what depends on the numbers that interfaces have.
func (h *emulation) numbered(tree *config.Config, interfaces []slowpath.Interface) {
	if h.pricer == nil {
		return
	}
	var module map[fib.TunnelID]bool
	names := hardware.ModuleGRE(tree, h.profile)
	for k := range interfaces {
		if i := &interfaces[k]; i.Tunnel != nil && slices.Contains(names, i.Name) {
			if module == nil {
				module = make(map[fib.TunnelID]bool)
			}
			module[i.Tunnel.ID] = true
		}
	}
	if maps.Equal(module, h.options.ModuleGRE) {
		return
	}
	h.options.ModuleGRE = module
	h.pricer.SetModuleGRE(module)
	if err := h.engine.Reprice(); err != nil {
		h.problems = append(h.problems, show.Problem{What: "crypto engine gre vpnblade", Why: err.Error()})
	}
}

// restrict returns what this hardware makes of a configuration, and notes what it takes away.
func (h *emulation) restrict(tree *config.Config) *config.Config {
	out, list := hardware.Restrict(tree, h.profile)
	h.restricted = list
	return out
}

// report lists what the hardware keeps from being carried out altogether.
func (h *emulation) report(tree *config.Config) []show.Problem {
	list := slices.Clone(h.problems)
	workers := max(1, tree.Fastpath.Count, len(tree.Fastpath.CPUs)) // that are sure to be
	if p := h.profile; p != nil && p.NetFlow.Effective.Over(workers*tree.Fastpath.Flows) {
		list = append(list, show.Problem{What: "fastpath flows", Why: fmt.Sprintf("the table of flows of %s takes %d in all: no more are remembered", p.Name, p.NetFlow.Effective.Int())})
	}
	for _, r := range h.restricted {
		if r.Down != "" {
			list = append(list, show.Problem{What: "interface " + r.Interface, Why: r.Down + ": it stays down"})
		}
	}
	return list
}

// setUp is how many tunnels the crypto module sets up in a second; 0 has no end.
func (h *emulation) setUp() float64 {
	if h.profile == nil || !h.profile.Crypto.SetUp.Known {
		return 0
	}
	return h.profile.Crypto.SetUp.Value
}

// placeHubs tells protections where there may be NAT. Only the tunnels of DMVPNs have hubs.
func (h *emulation) placeHubs(tree *config.Config, list []dmvpn.Protection) {
	if !hardware.NoHubBehindNAT(h.profile) {
		return
	}
	for n := range list {
		p := &list[n]
		p.NoHubBehindNAT = true
		for _, name := range p.Ifaces {
			if i := tree.Interface(name); i != nil {
				p.Hub = p.Hub || hardware.IsHub(i)
				p.Servers = append(p.Servers, hardware.HubsOf(i)...)
			}
		}
	}
}

// refusedHubs are the tunnels of which sessions are refused, as a hub is behind NAT.
func refusedHubs(list []dmvpn.SessionStatus) (out []show.Restricted) {
	for k := range list {
		s := &list[k]
		if !s.Barred {
			continue
		}
		r := show.Restricted{Command: "ip nhrp nhs", Refused: true, Key: "nat.hub"}
		if s.BarredSelf {
			r.Command = "tunnel source"
		}
		for _, r.Interface = range s.Ifaces {
			if !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
	}
	return out
}

// status is what show commands want to know; nil without a profile.
func (h *emulation) status(interfaces []slowpath.Interface, sessions []dmvpn.SessionStatus) *show.Hardware {
	if h.pricer == nil {
		return nil
	}
	s := &show.Hardware{Profile: h.profile, Since: h.since, Usage: h.pricer.Usage(), Meters: h.pricer.Meters(), Loads: h.meter.loads, Limited: slices.Clone(h.limited)}
	for _, r := range h.restricted {
		s.Restricted = append(s.Restricted, show.Restricted{Interface: r.Interface, Command: r.Command, Refused: r.Refused, Key: r.Key})
	}
	s.Restricted = append(s.Restricted, refusedHubs(sessions)...)
	s.Switched = switched(&s.Usage, interfaces)
	return s
}

// switched names the tunnels that are the route processor's, in the order of the interfaces.
func switched(u *hwprofiles.Usage, interfaces []slowpath.Interface) []show.SwitchedTunnel {
	if len(u.Switched) == 0 {
		return nil
	}
	of := make(map[fib.TunnelID][]show.SwitchedTunnel, len(u.Switched))
	for _, t := range u.Switched {
		of[t.Tunnel] = append(of[t.Tunnel], show.SwitchedTunnel{Labelled: t.Labelled, Way: t.Way, Key: t.Key})
	}
	var out []show.SwitchedTunnel
	for k := range interfaces {
		i := &interfaces[k]
		if i.Tunnel == nil {
			continue
		}
		for _, t := range of[i.Tunnel.ID] {
			t.Interface = i.Name
			out = append(out, t)
		}
	}
	return out
}

// flowsOf is how many flows each of so many workers remembers, on this hardware: its table of flows takes no more in all.
func flowsOf(configured, workers int, p *hwprofiles.Profile) int {
	if p == nil || !p.NetFlow.Effective.Known || configured == 0 {
		return configured
	}
	return min(configured, max(1, p.NetFlow.Effective.Int()/max(1, workers)))
}
