package cli

import (
	"strings"

	"nave/ctl/api"
	"nave/ctl/config/grammar"
	"nave/ctl/show"
)

// ofProcess selects processes of EIGRP: of the global table, unless a VRF is named. family is the same in the words of named mode.
const (
	ofProcess = "show ip eigrp [vrf <vrf>] [<as:1-65535>] "
	family    = "show eigrp address-family ipv4 [unicast] [vrf <vrf>] [<as:1-65535>] "
	onIface   = " [{<iface:interface> [detail]|detail [<iface:interface>]}]"
	someLinks = " [{all-links|detail-links|active|passive|pending|summary|zero-successors}]"
)

// eigrpCommands show EIGRP, in the words of classic and of named mode, and what routing protocols run by.
var eigrpCommands = append(bothWays([]*grammar.Command{
	{Syntax: "neighbors" + onIface, Help: "EIGRP's neighbours", Data: askEIGRP(show.TableEIGRP, eigrpNeighbors)},
	{Syntax: "interfaces" + onIface, Help: "interfaces that EIGRP has neighbours on", Data: askEIGRP(show.TableEIGRP, eigrpInterfaces)},
	{Syntax: "topology" + someLinks, Help: "what EIGRP knows of prefixes", Data: askEIGRP(show.TableTopology, eigrpTopology)},
	{Syntax: "topology " + dest, Help: "what EIGRP knows of a prefix, or of the one that fits an address best", Data: askEIGRP(show.TableTopology, eigrpEntry)},
	{Syntax: "traffic", Help: "packets of EIGRP by type", Data: askEIGRP(show.TableEIGRP, eigrpTraffic)},
	{Syntax: "accounting", Help: "prefixes that each neighbour brings", Data: askEIGRP(show.TableTopology, eigrpAccounting)},
}), []*grammar.Command{
	{Syntax: "show eigrp protocols [vrf <vrf>] [<as:1-65535>]", Help: "what processes of EIGRP run by", Data: askEIGRP(show.TableTopology, eigrpProtocols)},
	{Syntax: "show ip protocols [vrf <vrf>]", Help: "what routing protocols run by", Data: run(showProtocols)},
	{Syntax: "show key chain [<name>]", Help: "key chains, without their keys", Data: run(showKeyChains)},
	{Syntax: "clear ip eigrp [vrf <vrf>] [<as:1-65535>] neighbors [{<neighbor:ip>|<iface:interface>}]", Help: "begin with neighbours of EIGRP anew", Data: run(clearEIGRP)},
	{Syntax: "clear eigrp address-family ipv4 [unicast] [vrf <vrf>] [<as:1-65535>] neighbors [{<neighbor:ip>|<iface:interface>}]", Help: "begin with neighbours of EIGRP anew", Data: run(clearEIGRP)},
}...)

// bothWays makes commands of what follows the words of classic and of named mode.
func bothWays(tails []*grammar.Command) (out []*grammar.Command) {
	for _, lead := range []string{ofProcess, family} {
		for _, c := range tails {
			out = append(out, &grammar.Command{Syntax: lead + c.Syntax, Help: c.Help, Data: c.Data})
		}
	}
	return out
}

// askEIGRP makes a command of a function that shows processes of EIGRP. That there is none is an error.
func askEIGRP(table show.Table, f func(v view) output) run {
	return ask(table, func(_ *Session, v view) (output, error) {
		if len(v.a.EIGRP) == 0 {
			return output{}, show.ErrNoEIGRP(v.q.VRF, v.q.AS)
		}
		return f(v), nil
	})
}

func eigrpNeighbors(v view) output {
	iface := v.m.Text("iface")
	return output{func() string { return show.EIGRPNeighbors(v.s, v.a, iface, v.m.Has("detail")) }, func() ([]byte, error) { return show.EIGRPNeighborsJSON(v.s, v.a, iface) }}
}

func eigrpInterfaces(v view) output {
	iface := v.m.Text("iface")
	return output{func() string { return show.EIGRPInterfaces(v.s, v.a, iface, v.m.Has("detail")) }, func() ([]byte, error) { return show.EIGRPInterfacesJSON(v.s, v.a, iface) }}
}

func eigrpTopology(v view) output {
	links := show.Links(v.m.OneOf("all-links", "detail-links", "active", "passive", "pending", "summary", "zero-successors"))
	return output{func() string { return show.EIGRPTopology(v.s, v.a, links) }, func() ([]byte, error) { return show.EIGRPTopologyJSON(v.s, v.a, links) }}
}

func eigrpEntry(v view) output {
	return output{func() string { return show.EIGRPEntry(v.s, v.q, v.a) }, func() ([]byte, error) { return show.EIGRPTopologyJSON(v.s, v.a, "") }}
}

func eigrpTraffic(v view) output {
	return output{func() string { return show.EIGRPTraffic(v.s, v.a) }, func() ([]byte, error) { return show.EIGRPTrafficJSON(v.s, v.a) }}
}

func eigrpAccounting(v view) output {
	return output{func() string { return show.EIGRPAccounting(v.s, v.a) }, func() ([]byte, error) { return show.EIGRPAccountingJSON(v.s, v.a) }}
}

func eigrpProtocols(v view) output {
	return output{func() string { return show.EIGRPProtocols(v.s, v.a) }, func() ([]byte, error) { return show.EIGRPProtocolsJSON(v.s, v.a) }}
}

// showProtocols puts together what EIGRP, BGP and the routing table know.
func showProtocols(s *Session, m *grammar.Match) error {
	return ask(show.TableTopology, func(s *Session, v view) (output, error) {
		routes, err := s.Daemon.Query(show.Query{Table: show.TableRoutes, VRF: v.q.VRF})
		if err != nil {
			return output{}, err
		}
		v.a.Routes, v.a.BGP = routes.Routes, nil
		if v.s.BGPAS != 0 {
			// While the speaker starts or stops there is none: what is configured of it is not what runs.
			if b, err := s.Daemon.Query(show.Query{Table: show.TableBGP, VRF: v.q.VRF}); err == nil {
				v.a.BGP = b.BGP
			}
		}
		return output{func() string { return show.IPProtocols(v.s, v.q, v.a) }, func() ([]byte, error) { return show.IPProtocolsJSON(v.s, v.q, v.a) }}, nil
	})(s, m)
}

func showKeyChains(s *Session, m *grammar.Match) error {
	st, err := s.Daemon.Status()
	if err != nil {
		return err
	}
	name := m.Text("name")
	if name != "" && !st.HasKeyChain(name) {
		return show.UnknownKeyChain(st, name)
	}
	return s.print(output{func() string { return show.KeyChains(st, name) }, func() ([]byte, error) { return show.KeyChainsJSON(st, name) }})
}

func clearEIGRP(s *Session, m *grammar.Match) error {
	c := api.Clear{What: api.ClearEIGRP, VRF: m.Text("vrf"), Iface: m.Text("iface")}
	if c.VRF != "" || c.Iface != "" {
		st, err := s.Daemon.Status()
		if err != nil {
			return err
		}
		if _, err := query(show.TableEIGRP, st, m); err != nil {
			return err
		}
	}
	if m.Given("as") {
		c.AS = uint32(m.Uint("as"))
	}
	if m.Given("neighbor") {
		c.Neighbour = m.IP("neighbor")
	}
	return s.Daemon.Clear(c)
}

// isEIGRP tells the tables that take all VRFs in place of one.
func isEIGRP(t show.Table) bool { return strings.HasPrefix(string(t), string(show.TableEIGRP)) }
