package gateway

import (
	"net/netip"
	"slices"

	"nave/ctl/config"
	"nave/ctl/show"
	"nave/fastpath/fib"
	"nave/slowpath"
	"nave/slowpath/ike"
	"nave/slowpath/rib"
)

// Facts are what translation needs of the box beside the configuration.
type Facts struct {
	Links  map[string]Link  // ports that there are, by interface name
	Leases map[string]Lease // what DHCP gave, by interface name
	Trust  map[string]Trust // what the files of trustpoints hold, by name
}

// Trust is a trustpoint as its files are, or were when they could be read last.
type Trust struct {
	Point   ike.Trustpoint
	Problem string // why it is not what its files hold now, with the file's name; "" where it is
}

// Link is a port as it is found.
type Link struct {
	MAC [6]byte
	MTU int
	Up  bool
}

// Lease is an address and a gateway from a DHCP server.
type Lease struct {
	Address netip.Prefix
	Gateway netip.Addr
}

// translation makes a Router's configuration of a configuration tree.
type translation struct {
	tree     *config.Config
	facts    Facts
	numbers  *numbers
	out      slowpath.Config
	problems []show.Problem

	protections map[string]*protection
	implied     map[string]bool // ports that only their subinterfaces speak of
}

// translate is pure but for the numbers, which it may extend.
func translate(tree *config.Config, facts Facts, n *numbers) (slowpath.Config, []show.Problem) {
	t := &translation{tree: tree, facts: facts, numbers: n, protections: make(map[string]*protection), implied: make(map[string]bool)}
	t.out.Statics = make(map[fib.VRF][]rib.StaticRoute)
	t.vrfs()
	for _, i := range tree.Interfaces {
		if why := t.misplaced(i); why != "" {
			t.problem("interface "+i.Name, why)
			continue
		}
		switch {
		case i.IsTunnel():
			t.tunnel(i)
		case i.IsLoopback():
			t.loopback(i)
		case i.IsPort():
			t.port(i)
		}
	}
	for k := range tree.StaticRoutes {
		t.static(&tree.StaticRoutes[k])
	}
	t.speeds()
	t.dhcpRoutes()
	t.protected()
	t.mpls()
	t.bgp()
	t.eigrp()
	t.kernel()
	t.ike()
	return t.out, t.problems
}

func (t *translation) problem(what, why string) {
	t.problems = append(t.problems, show.Problem{What: what, Why: why})
}

// addresses are the interface's, primary first: configured, leased, or borrowed from an interface of the same VRF.
func (t *translation) addresses(i *config.Interface) []netip.Prefix {
	var out []netip.Prefix
	switch {
	case i.DHCP:
		if l, ok := t.facts.Leases[i.Name]; ok && l.Address.IsValid() {
			out = append(out, l.Address)
		}
	case i.Unnumbered != "":
		if o := t.find(i.Unnumbered); o != nil && o != i && o.Unnumbered == "" && o.VRF == i.VRF {
			if a := t.addresses(o); len(a) > 0 {
				return []netip.Prefix{netip.PrefixFrom(a[0].Addr(), 32)}
			}
		}
	case i.Address.IsValid():
		out = append(out, i.Address)
	}
	return append(out, i.Secondary...)
}

func (t *translation) find(name string) *config.Interface {
	k := slices.IndexFunc(t.tree.Interfaces, func(i *config.Interface) bool { return i.Name == name })
	if k < 0 {
		return nil
	}
	return t.tree.Interfaces[k]
}
