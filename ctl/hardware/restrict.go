package hardware

import (
	"fmt"
	"slices"
	"strings"

	"nave/ctl/config"
	"nave/hwprofiles"
)

// Restriction is a command that hardware refuses, or that does nothing on it.
type Restriction struct {
	Interface string // "": of the box
	Command   string // its words: "ip nhrp redirect"
	Refused   bool   // or it has no effect
	Key       string // the profile's value that says so
	Down      string // why the interface stays down because of it; "" where it does not
}

// command is a command of an interface that some hardware does not carry out.
type command struct {
	words   string
	key     string
	flag    func(*hwprofiles.Profile) hwprofiles.Flag // a known no: it is not carried out
	refused bool
	// on tells whether an interface has it, and is one on which the hardware minds.
	on func(*config.Interface) bool
	// off takes it away; nil: the interface stays down instead.
	off func(*config.Interface)
}

var (
	nhrpShortcut = command{words: "ip nhrp shortcut", key: "phase3", refused: true,
		flag: func(p *hwprofiles.Profile) hwprofiles.Flag { return p.DMVPN.Phase3 },
		on:   func(i *config.Interface) bool { return i.NHRP.Shortcut },
		off:  func(i *config.Interface) { i.NHRP.Shortcut = false }}
	nhrpRedirect = command{words: "ip nhrp redirect", key: "phase3", refused: true,
		flag: func(p *hwprofiles.Profile) hwprofiles.Flag { return p.DMVPN.Phase3 },
		on:   func(i *config.Interface) bool { return i.NHRP.Redirect },
		off:  func(i *config.Interface) { i.NHRP.Redirect = false }}
	tcpAdjustMSS = command{words: "ip tcp adjust-mss", key: "mgre.adjust_mss",
		flag: func(p *hwprofiles.Profile) hwprofiles.Flag { return p.MGRE.AdjustMSS },
		on:   func(i *config.Interface) bool { return isMGRE(i) && i.AdjustMSS != 0 },
		off:  func(i *config.Interface) { i.AdjustMSS = 0 }}
	tunnelPathMTU = command{words: "tunnel path-mtu-discovery", key: "mgre.path_mtu_discovery",
		flag: func(p *hwprofiles.Profile) hwprofiles.Flag { return p.MGRE.PathMTU },
		on:   func(i *config.Interface) bool { return isMGRE(i) && i.Tunnel.PathMTU },
		off: func(i *config.Interface) {
			i.Tunnel.PathMTU, i.Tunnel.PathMTUAge, i.Tunnel.PathMTUInfinite, i.Tunnel.PathMTUMin = false, 0, false, 0
		}}
	tunnelInVRF = command{words: "tunnel vrf", key: "mgre.tunnel_vrf", refused: true,
		flag: func(p *hwprofiles.Profile) hwprofiles.Flag { return p.MGRE.TunnelVRF },
		on:   func(i *config.Interface) bool { return isMGRE(i) && i.Tunnel.VRF != "" }}
)

// commands are all of these, in the order in which they are reported.
var commands = []*command{&nhrpShortcut, &nhrpRedirect, &tcpAdjustMSS, &tunnelPathMTU, &tunnelInVRF}

// having lists the interfaces that have a command which their hardware minds.
func (r *router) having(c *command) []*config.Interface {
	var out []*config.Interface
	for _, i := range r.c.Interfaces {
		if c.on(i) {
			out = append(out, i)
		}
	}
	return out
}

// Restrict returns the configuration that hardware makes of one: without the commands that it refuses or ignores, and with interfaces shut down that it can't have. The
// given one stays as it is; what does not differ is shared. A nil profile restricts nothing.
func Restrict(c *config.Config, p *hwprofiles.Profile) (*config.Config, []Restriction) {
	if p == nil {
		return c, nil
	}
	out, found := *c, []Restriction(nil)
	if len(c.Platform.MaximumRoutes) > 0 && Split(c, p) == nil {
		found = append(found, Restriction{Command: "mls cef maximum-routes", Refused: true, Key: "fib.units72"})
	}
	r := &router{c: c, p: p}
	useless, some := r.ciphers(&out)
	found = append(found, some...)
	out.Interfaces = slices.Clone(c.Interfaces)
	tunnels := 0
	for n, i := range c.Interfaces {
		if p.DMVPN.Supported.No() {
			if isDMVPN(i) {
				found = append(found, Restriction{Interface: i.Name, Command: membership(i), Refused: true, Key: "dmvpn.supported",
					Down: fmt.Sprintf("a %s with %s can't be hub or spoke of a DMVPN", p.Platform, p.Supervisor)})
				out.Interfaces[n] = down(i)
			}
			continue // as in the check, no other rule matters then
		}
		for _, less := range []*Restriction{r.vlan(i, &tunnels), useless[i.Tunnel.Protection.Profile]} {
			if less != nil {
				own := *less
				own.Interface = i.Name
				found = append(found, own)
				out.Interfaces[n] = down(out.Interfaces[n])
			}
		}
		for _, cmd := range commands {
			if !cmd.flag(p).No() || !cmd.on(i) {
				continue
			}
			r := Restriction{Interface: i.Name, Command: cmd.words, Refused: cmd.refused, Key: cmd.key}
			if cmd.off == nil {
				r.Down = fmt.Sprintf("`%s` is not supported on a multipoint tunnel of a %s", cmd.words, p.Platform)
				out.Interfaces[n] = down(out.Interfaces[n])
			} else {
				less := *out.Interfaces[n]
				cmd.off(&less)
				out.Interfaces[n] = &less
			}
			found = append(found, r)
		}
	}
	return &out, found
}

// vlan is why a tunnel finds no internal VLAN: the count of those before it has taken all.
func (r *router) vlan(i *config.Interface, tunnels *int) *Restriction {
	if !i.IsTunnel() {
		return nil
	}
	if *tunnels++; !r.p.GRE.VLANs.Over(*tunnels) {
		return nil
	}
	return &Restriction{Command: "interface " + i.Name, Refused: true, Key: "gre.vlans", Down: fmt.Sprintf("a %s has %d internal VLANs, and each tunnel takes one", r.p.Platform, r.p.GRE.VLANs.Int())}
}

// lacks tells whether the crypto module can't do a transform set.
func (r *router) lacks(t *config.TransformSet) bool {
	f := r.p.Crypto.Ciphers
	return f.Known && t != nil && t.Cipher != "" && t.Cipher != "esp-null" && !slices.Contains(f.List, strings.TrimPrefix(t.Cipher, "esp-"))
}

// ciphers takes the transform sets out that the crypto module can't do. Where a profile has no other, tunnels under its protection can't be: useless says why, by
// the name of the profile.
func (r *router) ciphers(out *config.Config) (useless map[string]*Restriction, found []Restriction) {
	if unsupported(r) {
		return nil, nil
	}
	used := map[string]bool{}
	for _, i := range r.tunnels(isProtected) {
		used[i.Tunnel.Protection.Profile] = true
	}
	useless = map[string]*Restriction{}
	told := map[string]bool{}
	profiles := slices.Clone(out.IPsec.Profiles)
	for n, p := range profiles {
		if !used[p.Name] {
			continue
		}
		var can, not []string
		for _, name := range p.TransformSets {
			if r.lacks(r.c.TransformSet(name)) {
				not = append(not, name)
			} else {
				can = append(can, name)
			}
		}
		for _, name := range not {
			less := Restriction{Command: "crypto ipsec transform-set " + name, Refused: true, Key: "crypto.ciphers"}
			switch {
			case len(can) == 0:
				less.Down = fmt.Sprintf("the crypto module has none of the ciphers of `crypto ipsec profile %s`", p.Name)
				useless[p.Name] = &less
			case !told[name]:
				told[name] = true
				found = append(found, less)
			}
		}
		if len(can) > 0 && len(not) > 0 {
			less := *p
			less.TransformSets = can
			profiles[n] = &less
		}
	}
	if len(found) > 0 {
		out.IPsec.Profiles = profiles
	}
	return useless, found
}

// membership is the command that makes a tunnel one of a DMVPN.
func membership(i *config.Interface) string {
	switch {
	case isMGRE(i):
		return "tunnel mode gre multipoint"
	case i.NHRP.Enabled():
		return "ip nhrp network-id"
	}
	return "ip nhrp nhs"
}

func down(i *config.Interface) *config.Interface {
	out := *i
	out.Shutdown = true
	return &out
}

// Findings is what Check says of one configuration on the hardware of a profile; nothing without one.
func Findings(p *hwprofiles.Profile, c *config.Config) config.Diagnostics {
	if p == nil {
		return nil
	}
	files := []*config.Config{c}
	k := &check{files: files, profiles: []*hwprofiles.Profile{p}, links: config.Links(files)}
	k.run()
	return k.diags
}
