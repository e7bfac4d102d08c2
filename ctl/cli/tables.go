package cli

import (
	"io"
	"net/netip"

	"nave/ctl/config/grammar"
	"nave/ctl/show"
	"nave/slowpath/bgp"
)

// dest is the part of a syntax that names a destination.
const dest = "{<address:ip> [<mask:mask>]|<prefix:prefix>}"

// tableCommands show VRFs, labels and BGP: what a Status does not hold.
var tableCommands = []*grammar.Command{
	{Syntax: "show ip route [vrf <vrf>] [" + dest + "]", Help: "the routing table, or the route to an address or of a prefix", Data: ask(show.TableRoutes, showRoutes)},
	{Syntax: "show ip route [vrf <vrf>] {connected|static|kernel|nhrp|bgp [<as:asn>]|eigrp [<as:1-65535>]}", Help: "routes of one protocol", Data: ask(show.TableRoutes, showRoutesOf)},
	{Syntax: "show ip route [vrf <vrf>] summary", Help: "how many routes there are of each protocol", Data: ask(show.TableRoutes, showRouteSummary)},
	{Syntax: "show ip cef [vrf <vrf>] [" + dest + "] [detail]", Help: "where packets go, with the labels put on them", Data: run(showCEF)},
	{Syntax: "show ip vrf [{brief|detail|interfaces}] [<vrf>]", Help: "VRFs and their interfaces", Data: run(showVRF)},
	{Syntax: "show vrf [detail] [<vrf>]", Help: "VRFs and their interfaces", Data: run(showVRF)},
	{Syntax: "show mpls interfaces [<iface:interface>] [detail]", Help: "interfaces that take labels", Data: run(showMPLSInterfaces)},
	{Syntax: "show mpls forwarding-table [{" + dest + "|labels <first:0-1048575> [- <last:0-1048575>]|interface <iface:interface>|vrf <vrf>}] [detail]",
		Help: "labels of this router and what becomes of packets with them", Data: ask(show.TableLabels, showForwarding)},
	{Syntax: "show mpls ldp bindings [" + dest + "] [local]", Help: "labels of prefixes, ours and those of the neighbours", Data: ask(show.TableBindings, showBindings)},
	{Syntax: "show mpls ldp neighbor [{<neighbor:ip>|<iface:interface>}] [detail]", Help: "LDP neighbours and their sessions", Data: ask(show.TableLDP, showLDPNeighbors)},
	{Syntax: "show mpls ldp discovery [detail]", Help: "where Hellos are sent and heard", Data: ask(show.TableLDP, showDiscovery)},
	{Syntax: "show mpls ldp parameters", Help: "what LDP runs by", Data: run(showParameters)},
	{Syntax: "show ip bgp [" + dest + "]", Help: "BGP's paths of the global table", Data: ask(show.TablePaths, showPaths)},
	{Syntax: "show ip bgp summary", Help: "BGP's neighbours in short", Data: ask(show.TableBGP, showSummary)},
	{Syntax: "show ip bgp neighbors [<neighbor:ip>]", Help: "BGP's neighbours", Data: ask(show.TableNeighbours, showBGPNeighbors)},
	{Syntax: "show ip bgp neighbors <neighbor:ip> {advertised-routes|received-routes|routes}", Help: "paths of a neighbour", Data: ask(show.TablePaths, showPaths)},
	{Syntax: "show ip bgp vpnv4 {all|vrf <vrf>|rd <rd:rd>} [" + dest + "]", Help: "VPN paths, by route distinguisher", Data: ask(show.TablePaths, showPaths)},
	{Syntax: "show ip bgp vpnv4 {all|vrf <vrf>|rd <rd:rd>} labels", Help: "labels of VPN paths", Data: ask(show.TablePaths, showBGPLabels)},
	{Syntax: "show ip bgp vpnv4 {all|vrf <vrf>} summary", Help: "neighbours that exchange VPN paths, and those inside VRFs", Data: ask(show.TableBGP, showSummary)},
	{Syntax: "show ip bgp vpnv4 {all|vrf <vrf>} neighbors [<neighbor:ip>]", Help: "neighbours that exchange VPN paths, and those inside VRFs", Data: ask(show.TableNeighbours, showBGPNeighbors)},
	{Syntax: "show ip bgp vpnv4 {all|vrf <vrf>} neighbors <neighbor:ip> {advertised-routes|received-routes|routes}", Help: "VPN paths of a neighbour", Data: ask(show.TablePaths, showPaths)},
}

// view is what a command has to show, and how.
type view struct {
	s *show.Status
	a *show.Answer
	q show.Query
	m *grammar.Match
}

// output is the text of a command and its JSON form, of which one is wanted.
type output struct {
	text func() string
	json func() ([]byte, error)
}

// ask makes a command of a function that shows a table.
func ask(table show.Table, f func(s *Session, v view) (output, error)) run {
	return func(s *Session, m *grammar.Match) error {
		st, err := s.Daemon.Status()
		if err != nil {
			return err
		}
		q, err := query(table, st, m)
		if err != nil {
			return err
		}
		a, err := s.Daemon.Query(q)
		if err != nil {
			return err
		}
		out, err := f(s, view{st, a, q, m})
		if err != nil {
			return err
		}
		return s.print(out)
	}
}

func (s *Session) print(out output) error {
	if s.JSON {
		b, err := out.json()
		if err != nil {
			return err
		}
		_, err = s.Out.Write(b)
		return err
	}
	_, err := io.WriteString(s.Out, out.text())
	return err
}

// query is what a command asks the daemon for.
func query(table show.Table, st *show.Status, m *grammar.Match) (q show.Query, err error) {
	q = show.Query{Table: table, VRF: m.Text("vrf")}
	if q.VRF != "" && !st.HasVRF(q.VRF) && !(isEIGRP(table) && q.VRF == show.AllVRFs) {
		return q, show.UnknownVRF(st, q.VRF)
	}
	if iface := m.Text("iface"); iface != "" && !isInterface(st, iface) {
		return q, show.UnknownInterface(iface)
	}
	if q.Dest, q.Exact, err = destination(m); err != nil {
		return q, err
	}
	switch table {
	case show.TableLabels, show.TableBindings, show.TableLDP:
		q = show.Query{Table: table} // narrowed down by what shows it
		return q, nil
	case show.TableBGP, show.TableNeighbours, show.TablePaths:
	case show.TableEIGRP, show.TableTopology:
		if m.Given("as") {
			q.AS = uint16(m.Uint("as"))
		}
		return q, nil
	default:
		return q, nil
	}
	q.Family = bgp.IPv4Unicast
	if m.Has("vpnv4") {
		q.Family = bgp.VPNv4
	}
	if m.Given("neighbor") {
		q.Neighbour = m.IP("neighbor")
	}
	if m.Given("rd") {
		if q.RD, err = bgp.ParseRD(m.Text("rd")); err != nil {
			return q, err
		}
	}
	if table == show.TablePaths && q.Neighbour.IsValid() {
		q.From = map[string]show.PathsOf{"advertised-routes": show.Advertised, "received-routes": show.Received, "routes": show.Accepted}[m.OneOf("advertised-routes", "received-routes", "routes")]
		if q.VRF != "" {
			q.Family = bgp.IPv4Unicast // of a neighbour inside the VRF
		}
	}
	return q, nil
}

// destination is the prefix that a command names, or the address. IOS takes an address for that of a host.
func destination(m *grammar.Match) (p netip.Prefix, exact bool, err error) {
	switch {
	case m.Given("prefix"):
		if p, err = netip.ParsePrefix(m.Text("prefix")); err != nil {
			return p, false, err
		}
		return p.Masked(), true, nil
	case m.Given("mask"):
		mask, bits := m.IP("mask").As4(), 0
		for _, b := range mask {
			for ; b&0x80 != 0; b <<= 1 {
				bits++
			}
		}
		return netip.PrefixFrom(m.IP("address"), bits).Masked(), true, nil
	case m.Given("address"):
		return netip.PrefixFrom(m.IP("address"), 32), false, nil
	}
	return netip.Prefix{}, false, nil
}

func showRoutes(_ *Session, v view) (output, error) {
	return output{
		func() string {
			if v.q.Dest.IsValid() {
				return show.RouteEntry(v.s, v.q, v.a)
			}
			return show.Routes(v.s, v.q.VRF, v.a.Routes)
		},
		func() ([]byte, error) { return show.RoutesJSON(v.s, v.a.Routes) },
	}, nil
}

// showRoutesOf shows the routes of one protocol.
func showRoutesOf(_ *Session, v view) (output, error) {
	sel := show.RouteSelect{Of: v.m.OneOf("connected", "static", "kernel", "nhrp", "bgp", "eigrp")}
	if v.m.Given("as") {
		sel.AS = uint32(v.m.Uint("as"))
	}
	return output{
		func() string { return show.RoutesOf(v.s, v.q.VRF, v.a.Routes, sel) },
		func() ([]byte, error) { return show.RoutesJSON(v.s, show.Selected(v.s, v.a.Routes, sel)) },
	}, nil
}

func showRouteSummary(_ *Session, v view) (output, error) {
	return output{func() string { return show.RouteSummary(v.s, v.q.VRF, v.a.Routes) }, func() ([]byte, error) { return show.RouteSummaryJSON(v.s, v.a.Routes) }}, nil
}

// showCEF shows the whole table by its routes, and one destination by what was worked out for it.
func showCEF(s *Session, m *grammar.Match) error {
	table := show.TableRoutes
	if m.Given("address") || m.Given("prefix") {
		table = show.TableCEF
	}
	return ask(table, func(_ *Session, v view) (output, error) {
		if table == show.TableCEF {
			return output{func() string { return show.CEFEntry(v.s, v.q, v.a) }, func() ([]byte, error) { return show.CEFJSON(v.s, v.a) }}, nil
		}
		return output{func() string { return show.CEFTable(v.s, v.q.VRF, v.a.Routes) }, func() ([]byte, error) { return show.RoutesJSON(v.s, v.a.Routes) }}, nil
	})(s, m)
}

// status makes a command of a function that needs no table.
func status(s *Session, m *grammar.Match, f func(v view) output) error {
	st, err := s.Daemon.Status()
	if err != nil {
		return err
	}
	q, err := query("", st, m)
	if err != nil {
		return err
	}
	return s.print(f(view{s: st, q: q, m: m}))
}

func showVRF(s *Session, m *grammar.Match) error {
	text := show.IPVRF
	switch {
	case m.Has("detail"):
		text = show.IPVRFDetail
	case m.Has("interfaces"):
		text = show.IPVRFInterfaces
	case !m.Has("ip"):
		text = show.ShowVRF
	}
	return status(s, m, func(v view) output {
		return output{func() string { return text(v.s, v.q.VRF) }, func() ([]byte, error) { return show.VRFsJSON(v.s, v.q.VRF) }}
	})
}

func showMPLSInterfaces(s *Session, m *grammar.Match) error {
	return status(s, m, func(v view) output {
		iface := m.Text("iface")
		return output{func() string { return show.MPLSInterfaces(v.s, iface, m.Has("detail")) }, func() ([]byte, error) { return show.MPLSInterfacesJSON(v.s, iface) }}
	})
}

func showForwarding(_ *Session, v view) (output, error) {
	p, exact, err := destination(v.m)
	if err != nil {
		return output{}, err
	}
	sel := show.LabelSelect{Prefix: p, Host: p.IsValid() && !exact, VRF: v.m.Text("vrf"), Iface: v.m.Text("iface"), Detail: v.m.Has("detail")}
	if v.m.Given("first") {
		sel.Labels, sel.First = true, uint32(v.m.Uint("first"))
		sel.Last = sel.First
		if v.m.Given("last") {
			sel.Last = uint32(v.m.Uint("last"))
		}
	}
	return output{func() string { return show.ForwardingTable(v.s, v.a, sel) }, func() ([]byte, error) { return show.ForwardingJSON(v.s, v.a, sel) }}, nil
}

func showBindings(_ *Session, v view) (output, error) {
	p, exact, err := destination(v.m)
	if err != nil {
		return output{}, err
	}
	if p.IsValid() && !exact {
		p = show.LongestBinding(v.a, p.Addr())
	}
	local := v.m.Has("local")
	return output{func() string { return show.LDPBindings(v.a, p, local) }, func() ([]byte, error) { return show.BindingsJSON(v.a, p, local) }}, nil
}

func showLDPNeighbors(_ *Session, v view) (output, error) {
	var id netip.Addr
	if v.m.Given("neighbor") {
		id = v.m.IP("neighbor")
	}
	iface := v.m.Text("iface")
	return output{func() string { return show.LDPNeighbors(v.s, v.a, id, iface, v.m.Has("detail")) }, func() ([]byte, error) { return show.NeighborsJSON(v.s, v.a, id, iface) }}, nil
}

func showDiscovery(_ *Session, v view) (output, error) {
	return output{func() string { return show.LDPDiscovery(v.s, v.a, v.m.Has("detail")) }, func() ([]byte, error) { return show.DiscoveryJSON(v.a) }}, nil
}

func showParameters(s *Session, m *grammar.Match) error {
	return status(s, m, func(v view) output {
		return output{func() string { return show.LDPParameters(v.s) }, func() ([]byte, error) { return show.ParametersJSON(v.s) }}
	})
}

func showPaths(_ *Session, v view) (output, error) {
	return output{
		func() string {
			if v.q.Dest.IsValid() {
				return show.BGPEntry(v.s, v.q, v.a)
			}
			return show.BGPTable(v.s, v.q, v.a)
		},
		func() ([]byte, error) { return show.PathsJSON(v.s, v.q, v.a) },
	}, nil
}

// showBGPLabels needs to know which labels of ours are of a whole VRF, too.
func showBGPLabels(s *Session, v view) (output, error) {
	if !s.JSON {
		labels, err := s.Daemon.Query(show.Query{Table: show.TableLabels})
		if err != nil {
			return output{}, err
		}
		v.a.Labels = labels.Labels
	}
	return output{func() string { return show.BGPLabels(v.s, v.q, v.a) }, func() ([]byte, error) { return show.PathsJSON(v.s, v.q, v.a) }}, nil
}

func showSummary(_ *Session, v view) (output, error) {
	return output{func() string { return show.BGPSummary(v.s, v.q, v.a) }, func() ([]byte, error) { return show.SummaryJSON(v.q, v.a) }}, nil
}

func showBGPNeighbors(_ *Session, v view) (output, error) {
	return output{func() string { return show.BGPNeighbors(v.s, v.q, v.a) }, func() ([]byte, error) { return show.BGPNeighborsJSON(v.q, v.a) }}, nil
}
