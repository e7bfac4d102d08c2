package bgp

import (
	"fmt"
	"net/netip"
	"time"
)

// Config is all of `router bgp`, with the VRFs, route-maps and prefix-lists that it uses. It is a value: the speaker keeps copies
// and never writes to it. Peer groups are flattened by the caller.
type Config struct {
	AS        uint32
	RouterID  netip.Addr // IPv4
	ClusterID netip.Addr // `bgp cluster-id`; the zero Addr: RouterID

	Neighbours []Neighbour
	Ranges     []Range // `bgp listen range`
	ListenMax  int     // `bgp listen limit`: neighbours of all ranges together; 0: 100
	VRFs       []VRF

	RouteMaps   map[string]RouteMap
	PrefixLists map[string]PrefixList

	GracefulRestart GracefulRestart
	Distance        Distance
	// KeepLabel is for how long a label of ours is kept for a prefix that was withdrawn; 0: one minute.
	KeepLabel time.Duration
	// Port is where neighbours are listened for and, unless they say otherwise, dialled; 0: 179.
	Port uint16
	// Listen are the addresses of the global table that are listened on; none: all.
	Listen []netip.Addr
}

// GracefulRestart is `bgp graceful-restart` (RFC 4724).
type GracefulRestart struct {
	Enabled     bool
	RestartTime time.Duration // whole seconds; 0: 120 s
	// Restarting tells neighbours in the first OPENs that this router forwards on by what it had before it restarted.
	Restarting bool
}

// Distance has the administrative distances; 0: 20, 200, 200.
type Distance struct{ External, Internal, Local uint8 }

// VRF is a VRF that takes part, with its `address-family ipv4 vrf`.
type VRF struct {
	Name       string
	RD         RD
	Import     []RouteTarget
	Export     []RouteTarget
	Neighbours []Neighbour  // of Families, only IPv4Unicast
	Listen     []netip.Addr // in the VRF's namespace; none: all
}

// Neighbour is a BGP neighbour.
type Neighbour struct {
	Address      netip.Addr
	RemoteAS     uint32
	Description  string
	UpdateSource netip.Addr // the address that the session comes from; the zero Addr: as the kernel routes
	Port         uint16     // 0: Config.Port
	Password     Secret     // TCP MD5 (RFC 2385); at most 80 bytes
	Hold         time.Duration
	Keepalive    time.Duration
	ConnectRetry time.Duration // 0: 10 s; the first tries follow sooner
	Passive      bool          // `transport connection-mode passive`
	Shutdown     bool
	// MultihopTTL is `ebgp-multihop`; 0: external neighbours must be on the link (TTL 1).
	MultihopTTL uint8
	// SecurityHops is `ttl-security hops` (RFC 5082): packets that come over more are not taken; 0: off.
	SecurityHops uint8
	// Client is `route-reflector-client`. GoBGP has it for a neighbour and not for a family of one.
	Client   bool
	AllowOwn uint8        // `allowas-in`
	Families []Activation // none: the session stays down
}

// Activation is a family that a neighbour is activated in, and what is said there.
type Activation struct {
	Family      Family
	NextHopSelf bool
	// SendCommunity, SendExtended are `send-community`, `send-community extended`. VPN families always send extended ones: without
	// route targets a VPN route means nothing.
	SendCommunity bool
	SendExtended  bool
	In, Out       string // `route-map NAME in|out`
	// MaxPrefixes is `maximum-prefix`; 0: no limit. Over it, the session ends until it is cleared.
	MaxPrefixes uint32
	WarnPercent uint8 // 0: 75
}

// Range is `bgp listen range`: whoever connects from Prefix becomes a neighbour like Template.
type Range struct {
	Prefix   netip.Prefix
	Template Neighbour // Address, Passive, Port are not looked at
}

// RouteMap is what BGP takes of a route-map: clauses in order; what no clause permits is refused.
type RouteMap []Clause

// Clause is `route-map NAME permit|deny SEQ`.
type Clause struct {
	Deny         bool
	PrefixLists  []string      // `match ip address prefix-list`: any of them; none: matches all
	Match        bool          // PrefixLists were given. A clause that matches an empty list matches nothing
	NextHop      netip.Addr    // `set ip next-hop`
	LocalPref    *uint32       // `set local-preference`
	Metric       *uint32       // `set metric`
	Communities  []uint32      // `set community`
	Additive     bool          // … `additive`
	Targets      []RouteTarget // `set extcommunity rt`
	TargetsAdded bool          // … `additive`
	Prepend      Prepend       // `set as-path prepend`
	Origin       Origin        // `set origin`, if SetOrigin
	SetOrigin    bool
}

// Prepend puts an AS before the path, so many times.
type Prepend struct {
	AS    uint32
	Times uint8 // 0: not at all
}

// PrefixList is an `ip prefix-list`: the first rule that fits counts, and what none fits is not in it.
type PrefixList []PrefixRule

// PrefixRule is `permit|deny PREFIX [ge N] [le N]`.
type PrefixRule struct {
	Deny   bool
	Prefix netip.Prefix
	GE, LE int // 0: not given
}

// lengths are the lengths of prefixes that the rule fits.
func (r PrefixRule) lengths() (lo, hi int) {
	lo, hi = r.Prefix.Bits(), r.Prefix.Bits()
	if r.GE > 0 {
		lo, hi = r.GE, r.Prefix.Addr().BitLen()
	}
	if r.LE > 0 {
		hi = r.LE
	}
	return lo, hi
}

// Bounds of what is configured.
const (
	defaultPort        = 179
	defaultHold        = 180 * time.Second
	defaultRetry       = 10 * time.Second
	defaultRestart     = 120 * time.Second
	defaultKeepLabel   = time.Minute
	defaultListenMax   = 100
	maxPassword        = 80
	defaultExternal    = 20
	defaultInternal    = 200
	defaultLocal       = 200
	defaultLocalPref   = 100
	defaultWarnPercent = 75
)

func (c *Config) port() uint16 {
	if c.Port == 0 {
		return defaultPort
	}
	return c.Port
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// check finds what can't be done.
func (c *Config) check() error {
	if c.AS == 0 {
		return fmt.Errorf("bgp: no autonomous system number")
	}
	if !c.RouterID.Is4() || c.RouterID.IsUnspecified() {
		return fmt.Errorf("bgp: no router-id: configure `bgp router-id`, or an IPv4 address on an interface")
	}
	seen := make(map[Key]bool)
	one := func(vrf string, n *Neighbour) error {
		if !n.Address.IsValid() || n.Address.IsUnspecified() || n.Address.IsMulticast() {
			return fmt.Errorf("bgp: neighbor %s: no address of a host", n.Address)
		}
		k := Key{vrf, netip.PrefixFrom(n.Address, n.Address.BitLen())}
		if seen[k] {
			return fmt.Errorf("bgp: neighbor %s: configured twice", n.Address)
		}
		seen[k] = true
		return c.checkNeighbour(vrf, n)
	}
	for i := range c.Neighbours {
		if err := one("", &c.Neighbours[i]); err != nil {
			return err
		}
	}
	for i := range c.Ranges {
		if !c.Ranges[i].Prefix.IsValid() {
			return fmt.Errorf("bgp: bgp listen range: no prefix")
		}
		t := c.Ranges[i].Template
		t.Address = c.Ranges[i].Prefix.Addr()
		if err := c.checkNeighbour("", &t); err != nil {
			return err
		}
	}
	names, rds := make(map[string]bool), make(map[RD]string)
	for i := range c.VRFs {
		v := &c.VRFs[i]
		switch other, twice := rds[v.RD]; {
		case v.Name == "":
			return fmt.Errorf("bgp: a VRF without a name")
		case names[v.Name]:
			return fmt.Errorf("bgp: VRF %s: given twice", v.Name)
		case v.RD == 0:
			return fmt.Errorf("bgp: VRF %s: no route distinguisher: configure `rd`", v.Name)
		case twice:
			return fmt.Errorf("bgp: VRF %s: route distinguisher %s is that of VRF %s", v.Name, v.RD, other)
		}
		names[v.Name], rds[v.RD] = true, v.Name
		for j := range v.Neighbours {
			if err := one(v.Name, &v.Neighbours[j]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Config) checkNeighbour(vrf string, n *Neighbour) error {
	what := "bgp: neighbor " + n.Address.String()
	switch {
	case n.RemoteAS == 0:
		return fmt.Errorf("%s: no remote-as", what)
	case len(n.Password) > maxPassword:
		return fmt.Errorf("%s: a password of %d bytes, the kernel takes %d", what, len(n.Password), maxPassword)
	case n.MultihopTTL > 0 && n.SecurityHops > 0:
		return fmt.Errorf("%s: ebgp-multihop and ttl-security exclude one another", what)
	case n.Client && n.RemoteAS != c.AS:
		return fmt.Errorf("%s: a route-reflector-client is in our own AS %d, not in %d", what, c.AS, n.RemoteAS)
	case n.Hold != 0 && n.Hold < 3*time.Second || n.Hold > 65535*time.Second:
		return fmt.Errorf("%s: a hold time of %s; it takes 3 to 65535 seconds", what, n.Hold)
	case n.UpdateSource.IsValid() && n.UpdateSource.Is4() != n.Address.Is4():
		return fmt.Errorf("%s: update-source %s is of another address family", what, n.UpdateSource)
	}
	seen := make(map[Family]bool)
	for _, a := range n.Families {
		if a.Family < IPv4Unicast || a.Family > VPNv6 {
			return fmt.Errorf("%s: unknown family %d", what, a.Family)
		}
		if seen[a.Family] {
			return fmt.Errorf("%s: %s activated twice", what, a.Family)
		}
		seen[a.Family] = true
		if vrf != "" && a.Family != IPv4Unicast {
			return fmt.Errorf("%s in VRF %s: %s can't be activated inside a VRF", what, vrf, a.Family)
		}
		for _, name := range []string{a.In, a.Out} {
			if err := c.checkMap(name); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
	}
	return nil
}

func (c *Config) checkMap(name string) error {
	for i, clause := range c.RouteMaps[name] {
		if clause.NextHop.IsValid() && !clause.NextHop.Is4() {
			return fmt.Errorf("route-map %s, clause %d: next hop %s is no IPv4 address", name, i+1, clause.NextHop)
		}
		for _, l := range clause.PrefixLists {
			for _, r := range c.PrefixLists[l] {
				lo, hi := r.lengths()
				if !r.Prefix.IsValid() || lo < r.Prefix.Bits() || hi < lo || hi > r.Prefix.Addr().BitLen() {
					return fmt.Errorf("route-map %s: prefix-list %s: %s ge %d le %d is no range of lengths", name, l, r.Prefix, r.GE, r.LE)
				}
			}
		}
	}
	return nil
}
