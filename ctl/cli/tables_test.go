package cli

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"nave/ctl/api"
	"nave/ctl/show"
	"nave/slowpath"
	"nave/slowpath/bgp"
	"nave/slowpath/eigrp"
	"nave/slowpath/ldp"
	"nave/slowpath/rib"
)

func addr(s string) netip.Addr  { return netip.MustParseAddr(s) }
func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// sampleAnswer has one of everything, whatever is asked.
func sampleAnswer() show.Answer {
	id := ldp.ID{LSR: addr("10.9.9.1")}
	return show.Answer{
		Routes: []rib.Route{{Prefix: pfx("10.0.0.0/24"), Source: rib.Connected, Hops: []rib.NextHop{{Iface: "Tunnel0"}}}},
		CEF:    &show.CEF{Prefix: pfx("10.0.0.0/24"), Paths: []show.CEFPath{{Path: rib.Path{LabelPath: rib.LabelPath{Out: []uint32{17, 18}, Iface: "Tunnel0", Addr: addr("10.0.0.1")}, Adjacency: 20}}}},
		Labels: []show.Label{
			{LabelEntry: rib.LabelEntry{In: 16, LabelUse: rib.LabelUse{Swap: true, Prefix: pfx("10.9.9.1/32")}, Paths: []rib.LabelPath{{Iface: "Tunnel0", Addr: addr("10.0.0.1")}}}},
			{LabelEntry: rib.LabelEntry{In: 18, LabelUse: rib.LabelUse{Lookup: true, VRF: 2, Prefix: pfx("192.168.11.0/24")}}},
		},
		LDP: &slowpath.LDPStatus{
			ID: ldp.ID{LSR: addr("10.9.9.11")}, On: true, Neighbors: []ldp.NeighborStatus{{Peer: id, State: ldp.StateOperational, Sources: []ldp.AdjacencyStatus{{Iface: "Tunnel0", Peer: id}}}},
			Discovery: []ldp.DiscoveryStatus{{Iface: "Tunnel0", Running: true}}, Bindings: []ldp.BindingStatus{{Prefix: pfx("10.9.9.1/32"), Local: 16, HasLocal: true, Remote: []ldp.RemoteBinding{{Peer: id, Label: 3}}}},
		},
		BGP: &bgp.Status{AS: 1, RouterID: addr("10.9.9.11"), VRFs: []bgp.VRFStatus{{Name: "red"}},
			Neighbours: []bgp.NeighbourStatus{{Address: addr("10.9.9.1"), RemoteAS: 1, State: bgp.Active, Families: []bgp.FamilyStatus{{Activation: bgp.Activation{Family: bgp.VPNv4}}, {Activation: bgp.Activation{Family: bgp.IPv4Unicast}}}}}},
		Neighbours: []bgp.NeighbourStatus{{Address: addr("10.9.9.1"), RemoteAS: 1, State: bgp.Active}},
		EIGRP: []slowpath.EIGRPStatus{{
			Key: slowpath.EIGRPKey{AS: 1}, RouterID: addr("10.9.9.11"), Neighbors: []eigrp.NeighborStatus{{Iface: "Tunnel0", Addr: addr("10.0.0.1"), Up: true}},
			Interfaces: []eigrp.InterfaceStatus{{Name: "Tunnel0", Running: true}}, Topology: []eigrp.TopologyStatus{{Prefix: pfx("10.0.0.0/24"), Successors: 1, FD: 7, Paths: []eigrp.PathStatus{{Kind: "connected", Iface: "Tunnel0", Successor: true}}}},
		}},
		ARP:   []show.Neighbour{{Iface: "Ethernet0", Addr: addr("10.7.0.200"), OK: true}},
		Paths: []bgp.PathStatus{{RD: 1<<32 | 1, Prefix: pfx("192.168.12.0/24"), Best: true, NextHop: addr("10.9.9.12"), Labels: []uint32{18}}},
	}
}

// Each command asks for its table, and shows it.
func TestShowTables(t *testing.T) {
	rd, err := bgp.ParseRD("1:1")
	if err != nil {
		t.Fatal(err)
	}
	host := pfx("10.0.0.9/32")
	for _, c := range []struct {
		lines []string
		want  string
		ask   show.Query
	}{
		{[]string{"show ip route", "sh ip ro"}, "C    10.0.0.0/24 is directly connected, Tunnel0", show.Query{Table: show.TableRoutes}},
		{[]string{"show ip route vrf red", "sh ip ro vrf red"}, "Routing Table: red\nCodes:", show.Query{Table: show.TableRoutes, VRF: "red"}},
		{[]string{"show ip route 10.0.0.9"}, "Routing entry for 10.0.0.0/24", show.Query{Table: show.TableRoutes, Dest: host}},
		{[]string{"show ip route vrf red 10.0.0.0 255.255.255.0", "sh ip ro vrf red 10.0.0.0/24", "sh ip ro vrf red 10.0.0.9/24"}, "Routing entry for 10.0.0.0/24",
			show.Query{Table: show.TableRoutes, VRF: "red", Dest: pfx("10.0.0.0/24"), Exact: true}},
		{[]string{"show ip route connected", "sh ip ro c"}, "C    10.0.0.0/24 is directly connected, Tunnel0", show.Query{Table: show.TableRoutes}},
		{[]string{"show ip route summary", "sh ip ro sum"}, "connected       0           1\n", show.Query{Table: show.TableRoutes}},
		{[]string{"show ip eigrp neighbors", "sh ip ei ne", "sh ip ei ne tu0", "sh ip eigrp neig d tunnel 0", "show eigrp address-family ipv4 neighbors", "sh ei ad ipv4 uni ne det", "sh ip eigrp nei Tunnel0 detail"}, "0   10.0.0.1                Tu0 ",
			show.Query{Table: show.TableEIGRP}},
		{[]string{"show ip eigrp 1 neighbors", "sh ei addr ipv4 1 nei"}, "EIGRP-IPv4 Neighbors for AS(1)\n", show.Query{Table: show.TableEIGRP, AS: 1}},
		{[]string{"show ip eigrp vrf red 40 neighbors", "show eigrp address-family ipv4 vrf red 40 neighbors"}, "EIGRP-IPv4 Neighbors", show.Query{Table: show.TableEIGRP, VRF: "red", AS: 40}},
		{[]string{"show ip eigrp vrf * neighbors"}, "EIGRP-IPv4 Neighbors", show.Query{Table: show.TableEIGRP, VRF: "*"}},
		{[]string{"show ip eigrp interfaces", "sh ip ei int tu0 d", "show ip eigrp interfaces detail Tunnel0"}, "Tu0  ", show.Query{Table: show.TableEIGRP}},
		{[]string{"show ip eigrp topology", "sh ip ei to", "sh ip ei to all", "sh ip ei to passive", "sh ip ei topo det"}, "via Connected, Tunnel0\n", show.Query{Table: show.TableTopology}},
		{[]string{"show ip eigrp topology summary", "sh ip ei to s"}, "1 routes, 0 pending replies", show.Query{Table: show.TableTopology}},
		{[]string{"show ip eigrp topology 10.0.0.9"}, "Topology Entry for AS(1)/ID(10.9.9.11) for 10.0.0.0/24\n", show.Query{Table: show.TableTopology, Dest: host}},
		{[]string{"show ip eigrp 1 topology 10.0.0.0 255.255.255.0", "show eigrp address-family ipv4 1 topology 10.0.0.0/24"}, "from Connected, Send flag is 0x0", show.Query{Table: show.TableTopology, Dest: pfx("10.0.0.0/24"), Exact: true, AS: 1}},
		{[]string{"show ip eigrp traffic", "sh ip ei tr"}, "Traffic Statistics for AS(1)", show.Query{Table: show.TableEIGRP}},
		{[]string{"show ip eigrp accounting", "sh ip ei acc"}, "Total Prefix Count: 1", show.Query{Table: show.TableTopology}},
		{[]string{"show eigrp protocols", "sh ei prot"}, "EIGRP-IPv4 Protocol for AS(1)", show.Query{Table: show.TableTopology}},
		{[]string{"show ip protocols", "sh ip pro"}, "Routing Protocol is \"eigrp 1\"", show.Query{Table: show.TableTopology}},
		{[]string{"show ip cef", "sh ip ce", "sh ip cef detail"}, "10.0.0.0/24         attached             Tunnel0", show.Query{Table: show.TableRoutes}},
		{[]string{"show ip cef vrf red 10.0.0.9", "sh ip cef vrf red 10.0.0.9 d"}, "tags imposed: {17 18}", show.Query{Table: show.TableCEF, VRF: "red", Dest: host}},
		{[]string{"show ip cef 10.0.0.0 255.255.255.0"}, "tags imposed: {17 18}", show.Query{Table: show.TableCEF, Dest: pfx("10.0.0.0/24"), Exact: true}},
		{[]string{"show mpls forwarding-table", "sh mpl for"}, "16     Pop tag     10.9.9.1/32", show.Query{Table: show.TableLabels}},
		{[]string{"show mpls forwarding-table labels 18", "sh mpls forw lab 17 - 20", "sh mpls forw vrf red"}, "18     Aggregate   192.168.11.0/24[V]  \\\n", show.Query{Table: show.TableLabels}},
		{[]string{"show mpls forwarding-table 10.9.9.1 255.255.255.255", "sh mpls forw 10.9.9.1", "sh mpls forw 10.9.9.1/32 d", "sh mpls for int tu0"}, "16     Pop tag", show.Query{Table: show.TableLabels}},
		{[]string{"show mpls ldp bindings", "sh mpl ldp bi 10.9.9.1/32", "sh mpls ldp bind 10.9.9.1"}, "\tremote binding: tsr: 10.9.9.1:0, tag: imp-null", show.Query{Table: show.TableBindings}},
		{[]string{"show mpls ldp bindings local"}, "\tlocal binding:  tag: 16", show.Query{Table: show.TableBindings}},
		{[]string{"show mpls ldp neighbor", "sh mpls ldp nei 10.9.9.1", "sh mpls ldp nei tu0", "sh mpls ldp nei d"}, "Peer LDP Ident: 10.9.9.1:0", show.Query{Table: show.TableLDP}},
		{[]string{"show mpls ldp discovery", "sh mpls ldp dis det"}, "\tTunnel0 (ldp): xmit", show.Query{Table: show.TableLDP}},
		{[]string{"show ip bgp", "sh ip bg"}, "local router ID is 10.9.9.11", show.Query{Table: show.TablePaths, Family: bgp.IPv4Unicast}},
		{[]string{"show ip bgp 10.0.0.9"}, "BGP routing table entry for", show.Query{Table: show.TablePaths, Family: bgp.IPv4Unicast, Dest: host}},
		{[]string{"show ip bgp summary", "sh ip b s"}, "BGP router identifier 10.9.9.11, local AS number 1", show.Query{Table: show.TableBGP, Family: bgp.IPv4Unicast}},
		{[]string{"show ip bgp neighbors", "sh ip b n"}, "BGP neighbor is 10.9.9.1,", show.Query{Table: show.TableNeighbours, Family: bgp.IPv4Unicast}},
		{[]string{"show ip bgp neighbors 10.9.9.1"}, "BGP neighbor is 10.9.9.1,", show.Query{Table: show.TableNeighbours, Family: bgp.IPv4Unicast, Neighbour: addr("10.9.9.1")}},
		{[]string{"show ip bgp neighbors 10.9.9.1 advertised-routes", "sh ip b n 10.9.9.1 adv"}, "Network", show.Query{Table: show.TablePaths, Family: bgp.IPv4Unicast, Neighbour: addr("10.9.9.1"), From: show.Advertised}},
		{[]string{"show ip bgp neighbors 10.9.9.1 routes"}, "Network", show.Query{Table: show.TablePaths, Family: bgp.IPv4Unicast, Neighbour: addr("10.9.9.1"), From: show.Accepted}},
		{[]string{"show ip bgp vpnv4 all", "sh ip bgp v a"}, "*>i192.168.12.0/24  10.9.9.12", show.Query{Table: show.TablePaths, Family: bgp.VPNv4}},
		{[]string{"show ip bgp vpnv4 vrf red"}, "(default for vrf red)", show.Query{Table: show.TablePaths, Family: bgp.VPNv4, VRF: "red"}},
		{[]string{"show ip bgp vpnv4 rd 1:1"}, "*>i192.168.12.0/24  10.9.9.12", show.Query{Table: show.TablePaths, Family: bgp.VPNv4, RD: rd}},
		{[]string{"show ip bgp vpnv4 all 10.0.0.0/24"}, "mpls labels in/out nolabel/18", show.Query{Table: show.TablePaths, Family: bgp.VPNv4, Dest: pfx("10.0.0.0/24"), Exact: true}},
		{[]string{"show ip bgp vpnv4 all labels"}, "192.168.12.0/24  10.9.9.12       nolabel/18", show.Query{Table: show.TablePaths, Family: bgp.VPNv4}},
		{[]string{"show ip bgp vpnv4 all summary"}, "VRF red:", show.Query{Table: show.TableBGP, Family: bgp.VPNv4}},
		{[]string{"show ip bgp vpnv4 all neighbors"}, "BGP neighbor is", show.Query{Table: show.TableNeighbours, Family: bgp.VPNv4}},
		{[]string{"show ip bgp vpnv4 all neighbors 10.9.9.1 received-routes"}, "Network", show.Query{Table: show.TablePaths, Family: bgp.VPNv4, Neighbour: addr("10.9.9.1"), From: show.Received}},
		{[]string{"show ip bgp vpnv4 vrf red neighbors 10.9.9.1 received-routes"}, "Network", show.Query{Table: show.TablePaths, Family: bgp.IPv4Unicast, VRF: "red", Neighbour: addr("10.9.9.1"), From: show.Received}},
	} {
		for _, l := range c.lines {
			out, d, err := runLine(l, false)
			if err != nil || !strings.Contains(out, c.want) || len(d.asked) == 0 || d.asked[0] != c.ask {
				t.Errorf("%s: %v, asks %+v\n%s\nwant %q, asked by %+v", l, err, d.asked, out, c.want, c.ask)
			}
			if out, _, err := runLine(l, true); err != nil || !json.Valid([]byte(out)) {
				t.Errorf("%s --json: %v\n%s", l, err, out)
			}
		}
	}
}

// What the configuration says asks for no table.
func TestShowStatusTables(t *testing.T) {
	for line, want := range map[string]string{
		"show ip vrf": "  red                              1:1                 Tunnel1", "sh ip vrf red": "  red    ", "show ip vrf detail red": "VRF red (VRF Id = 2); default RD 1:1",
		"show ip vrf interfaces": "Tu1 ", "show vrf": "  blue ", "show vrf detail": "VRF blue", "show mpls interfaces": "Tunnel0                Yes (ldp)", "sh mpls int tu0 d": "Interface Tunnel0:",
		"show mpls ldp parameters": "Protocol version: 1", "show key chain": "Key-chain K:\n    key 1 -- text \"(hidden)\"", "sh key ch K": "Key-chain K:",
	} {
		out, d, err := runLine(line, false)
		if err != nil || !strings.Contains(out, want) || len(d.asked) != 0 {
			t.Errorf("%s: %v, asked %v\n%s\nwant %q", line, err, d.asked, out, want)
		}
		if out, _, err := runLine(line, true); err != nil || !json.Valid([]byte(out)) {
			t.Errorf("%s --json: %v\n%s", line, err, out)
		}
	}
	if out, _, _ := runLine("show ip vrf blue", false); strings.Contains(out, "red") {
		t.Errorf("one VRF:\n%s", out)
	}
}

func TestClearTables(t *testing.T) {
	a := addr("1.2.3.4")
	for line, want := range map[string]api.Clear{
		"clear ip bgp *":                    {What: api.ClearBGP},
		"cle ip b *":                        {What: api.ClearBGP},
		"clear ip bgp 1.2.3.4":              {What: api.ClearBGP, Neighbour: a},
		"clear ip bgp 65000":                {What: api.ClearBGP, AS: 65000},
		"clear ip bgp 1.2.3.4 soft":         {What: api.ClearBGP, Neighbour: a, Soft: true},
		"clear ip bgp * soft in":            {What: api.ClearBGP, Soft: true, In: true},
		"clear ip bgp 1.2.3.4 out":          {What: api.ClearBGP, Neighbour: a, Soft: true, Out: true},
		"clear ip bgp 1.2.3.4 vrf red soft": {What: api.ClearBGP, Neighbour: a, VRF: "red", Soft: true},
		"clear mpls ldp neighbor *":         {What: api.ClearLDP},
		"cle mpl ldp nei 1.2.3.4":           {What: api.ClearLDP, Neighbour: a},
	} {
		out, d, err := runLine(line, false)
		if err != nil || len(d.cleared) != 1 || d.cleared[0] != want || out != "" {
			t.Errorf("%s: %v, cleared %+v, printed %q; want %+v", line, err, d.cleared, out, want)
		}
	}
	for _, line := range []string{"clear ip bgp", "clear ip bgp 1.2.3", "clear ip bgp * in out", "clear mpls ldp neighbor"} {
		if _, d, err := runLine(line, false); err == nil || len(d.cleared) != 0 {
			t.Errorf("%s: %v, cleared %+v", line, err, d.cleared)
		}
	}
}

// Neighbors of EIGRP are cleared by process, address and interface; what does not exist is not asked for.
func TestClearEIGRP(t *testing.T) {
	for line, want := range map[string]api.Clear{
		"clear ip eigrp neighbors":                              {What: api.ClearEIGRP},
		"cle ip ei 1 nei 10.0.0.2":                              {What: api.ClearEIGRP, AS: 1, Neighbour: addr("10.0.0.2")},
		"clear ip eigrp vrf red 40 neighbors":                   {What: api.ClearEIGRP, VRF: "red", AS: 40},
		"clear ip eigrp vrf * neighbors":                        {What: api.ClearEIGRP, VRF: "*"},
		"clear ip eigrp neighbors tunnel 0":                     {What: api.ClearEIGRP, Iface: "Tunnel0"},
		"clear eigrp address-family ipv4 vrf red neighbors tu1": {What: api.ClearEIGRP, VRF: "red", Iface: "Tunnel1"},
		"clear eigrp address-family ipv4 unicast 9 neighbors":   {What: api.ClearEIGRP, AS: 9},
	} {
		if out, d, err := runLine(line, false); err != nil || len(d.cleared) != 1 || d.cleared[0] != want || out != "" {
			t.Errorf("%s: %v, cleared %+v, printed %q; want %+v", line, err, d.cleared, out, want)
		}
	}
	for line, want := range map[string]string{
		"clear ip eigrp": "incomplete", "clear ip eigrp 0 neighbors": "^", "clear ip eigrp vrf green neighbors": "No VRF named green", "clear ip eigrp neighbors tu77": "there is no interface Tunnel77",
	} {
		if _, d, err := runLine(line, false); err == nil || !strings.Contains(err.Error(), want) || len(d.cleared) != 0 {
			t.Errorf("%s: %v, cleared %+v", line, err, d.cleared)
		}
	}
}

// Where no process is, the command says which there are.
func TestNoEIGRP(t *testing.T) {
	for line, want := range map[string]string{"show ip eigrp 5 neighbors": "No EIGRP process 5 in the global table", "show ip eigrp vrf red topology": "No EIGRP process in VRF red", "show eigrp address-family ipv4 vrf * traffic": "No EIGRP process in any table"} {
		d := &daemon{answer: &show.Answer{}}
		var out strings.Builder
		if err := (&Session{Daemon: d, Out: &out}).Run(line); err == nil || !strings.Contains(err.Error(), want) || out.Len() > 0 {
			t.Errorf("%s: %v, %q", line, err, out.String())
		}
	}
	d := &daemon{answer: &show.Answer{}}
	if err := (&Session{Daemon: d, Out: &strings.Builder{}}).Run("show ip protocols"); err != nil || len(d.asked) != 2 {
		t.Errorf("without protocols: %v, asked %+v", err, d.asked)
	}
}

func TestUnknownVRFs(t *testing.T) {
	for _, line := range []string{
		"show ip route vrf green", "show ip vrf green", "show vrf green", "show ip cef vrf green", "show ip bgp vpnv4 vrf green", "show ip bgp vpnv4 vrf green summary",
		"show mpls forwarding-table vrf green", "clear ip bgp * vrf green", "show ip eigrp vrf green neighbors", "show ip route vrf green static", "show ip protocols vrf green",
	} {
		out, d, err := runLine(line, false)
		if err == nil || !strings.Contains(err.Error(), "No VRF named green; there are blue and red") || out != "" || len(d.asked)+len(d.cleared) != 0 {
			t.Errorf("%s: %v, %q", line, err, out)
		}
	}
	for _, line := range []string{"show mpls interfaces tu77", "show mpls forwarding-table interface Tunnel77", "show mpls ldp neighbor tu77", "show ip eigrp neighbors tu77", "show ip eigrp interfaces detail tu77"} {
		if _, d, err := runLine(line, false); err == nil || !strings.Contains(err.Error(), "there is no interface Tunnel77") || len(d.asked) != 0 {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// The parts of a command that only the command line knows are not sent.
func TestTableCommandsAreOfTheTable(t *testing.T) {
	for _, c := range slices.Concat(tableCommands, eigrpCommands) {
		if !slices.Contains(table.Commands, c) {
			t.Errorf("%s is not in the table", c.Syntax)
		}
	}
}
