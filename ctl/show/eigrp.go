package show

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"nave/slowpath"
	"nave/slowpath/eigrp"
	"nave/slowpath/eigrp/eigrpmsg"
)

// AllVRFs in place of a VRF's name selects the processes of EIGRP in all tables, the global one among them.
const AllVRFs = "*"

// eigrpTitle is the line that begins what is said of a process: its AS, its name in named mode, and its VRF.
func (s *Status) eigrpTitle(p *slowpath.EIGRPStatus, what string) string {
	name := ""
	if p.Name != "" {
		name = fmt.Sprintf(" VR(%s) Address-Family", p.Name)
	}
	vrf := ""
	if v := s.vrfName(p.Key.VRF); v != "" {
		vrf = fmt.Sprintf(" VRF(%s)", v)
	}
	return fmt.Sprintf("EIGRP-IPv4%s %s for AS(%d)%s\n", name, what, p.Key.AS, vrf)
}

// each writes of one process after the other, with an empty line between them.
func each(a *Answer, f func(b *strings.Builder, p *slowpath.EIGRPStatus)) string {
	var b strings.Builder
	for i := range a.EIGRP {
		if i > 0 {
			b.WriteString("\n")
		}
		f(&b, &a.EIGRP[i])
	}
	return b.String()
}

const eigrpNeighborColumns = `H   Address                 Interface              Hold Uptime   SRTT   RTO  Q  Seq
                                                   (sec)         (ms)       Cnt Num
`

// EIGRPNeighbors is `show ip eigrp neighbors`, on an interface or all.
func EIGRPNeighbors(s *Status, a *Answer, iface string, detail bool) string {
	return each(a, func(b *strings.Builder, p *slowpath.EIGRPStatus) {
		b.WriteString(s.eigrpTitle(p, "Neighbors"))
		handles := handles(p.Neighbors)
		first := true
		for i := range p.Neighbors {
			n := &p.Neighbors[i]
			if iface != "" && n.Iface != iface {
				continue
			}
			if first {
				b.WriteString(eigrpNeighborColumns)
				first = false
			}
			fmt.Fprintf(b, "%-3d %-23s %-22s %4d %-8s%5d%6d%3d  %d\n", handles[i], n.Addr, shortName(n.Iface), seconds(n.Expires.Sub(s.Time)), since(s.Time, n.Since),
				n.SRTT.Milliseconds(), n.RTO.Milliseconds(), n.Queue, n.Sequence)
			if detail {
				eigrpNeighborDetail(b, n)
			}
		}
	})
}

// handles number neighbors in the order in which they came.
func handles(list []eigrp.NeighborStatus) []int {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return list[x].Since.Compare(list[y].Since) })
	out := make([]int, len(list))
	for h, i := range order {
		out[i] = h
	}
	return out
}

// seconds is a time that is left, in whole seconds.
func seconds(d time.Duration) int { return int(max(0, d) / time.Second) }

func eigrpNeighborDetail(b *strings.Builder, n *eigrp.NeighborStatus) {
	v := n.Software
	fmt.Fprintf(b, "   Version %d.%d/%d.%d, Retrans: %d, Retries: %d, Prefixes: %d\n", v.Major, v.Minor, v.TLVMajor, v.TLVMinor, n.Retransmits, n.Retries, n.Prefixes)
	b.WriteString("   Topology-ids from peer - 0\n   Topologies advertised to peer:   base\n\n")
	switch told := stubWords(n.StubFlags); {
	case !n.Stub:
	case n.StubFlags&eigrpmsg.StubReceiveOnly != 0 || told == "":
		b.WriteString("   Receive-Only Peer Advertising (No) Routes\n   Suppressing queries\n")
	default:
		fmt.Fprintf(b, "   Stub Peer Advertising (%s ) Routes\n   Suppressing queries\n", told)
	}
}

// stubWords are what a stub tells of, as IOS names it.
func stubWords(f eigrpmsg.Stub) string {
	var list []string
	for _, x := range []struct {
		flag eigrpmsg.Stub
		word string
	}{
		{eigrpmsg.StubConnected, "CONNECTED"}, {eigrpmsg.StubStatic, "STATIC"}, {eigrpmsg.StubSummary, "SUMMARY"},
		{eigrpmsg.StubRedistributed, "REDISTRIBUTED"}, {eigrpmsg.StubLeakMap, "LEAK-MAP"},
	} {
		if f&x.flag != 0 {
			list = append(list, x.word)
		}
	}
	return strings.Join(list, " ")
}

const eigrpInterfaceColumns = `                              Xmit Queue   PeerQ        Mean   Pacing Time   Multicast    Pending
Interface              Peers  Un/Reliable  Un/Reliable  SRTT   Un/Reliable   Flow Timer   Routes
`

// EIGRPInterfaces is `show ip eigrp interfaces`: those that EIGRP runs on. Those that are configured to be passive are in `show ip protocols`.
func EIGRPInterfaces(s *Status, a *Answer, iface string, detail bool) string {
	return each(a, func(b *strings.Builder, p *slowpath.EIGRPStatus) {
		b.WriteString(s.eigrpTitle(p, "Interfaces") + eigrpInterfaceColumns)
		passive := s.Protocols.eigrp(s.vrfName(p.Key.VRF), p.Key.AS).passive(p)
		for i := range p.Interfaces {
			x := &p.Interfaces[i]
			if !x.Running || slices.Contains(passive, x.Name) || iface != "" && x.Name != iface {
				continue
			}
			queued := 0
			for k := range p.Neighbors {
				if p.Neighbors[k].Iface == x.Name {
					queued += p.Neighbors[k].Queue
				}
			}
			fmt.Fprintf(b, "%-22s %5d %8s %9s %11d %9s %12d %11d\n", shortName(x.Name), x.Neighbors, fmt.Sprintf("0/%d", x.Queue), fmt.Sprintf("0/%d", queued),
				x.SRTT.Milliseconds(), fmt.Sprintf("0/%d", x.Pacing.Milliseconds()), 0, x.Pending)
			if detail {
				s.eigrpInterfaceDetail(b, p, x)
			}
		}
	})
}

func (s *Status) eigrpInterfaceDetail(b *strings.Builder, p *slowpath.EIGRPStatus, x *eigrp.InterfaceStatus) {
	fmt.Fprintf(b, "  Hello-interval is %s, Hold-time is %s\n", interval(x.Hello), interval(x.Hold))
	fmt.Fprintf(b, "  Split-horizon is %s\n", enabled(x.SplitHorizon))
	if !x.NextHopSelf {
		b.WriteString("  Next-hop-self is disabled\n")
	}
	fmt.Fprintf(b, "  Hello's sent/expedited: %d/0\n", x.HelloSent)
	fmt.Fprintf(b, "  Un/reliable mcasts: 0/%d  Un/reliable ucasts: %d/%d\n", x.Multicasts, x.Acks, x.Unicasts-min(x.Acks, x.Unicasts))
	b.WriteString("  Topology-ids on interface - 0\n")
	chain := s.Protocols.keyChain(s, p, x.Name)
	switch mode := eigrpAuth(x.Auth); {
	case mode == "":
		b.WriteString("  Authentication mode is not set\n")
	case chain == "":
		fmt.Fprintf(b, "  Authentication mode is %s,  key-chain is not set\n", mode)
	default:
		fmt.Fprintf(b, "  Authentication mode is %s,  key-chain is %q\n", mode, chain)
	}
	b.WriteString("  Topologies advertised on this interface:  base\n  Topologies not advertised on this interface:\n\n")
}

func eigrpAuth(m eigrp.AuthMode) string {
	switch m {
	case eigrp.AuthMD5:
		return "md5"
	case eigrp.AuthSHA256:
		return "HMAC-SHA-256"
	}
	return ""
}

func enabled(on bool) string {
	if on {
		return "enabled"
	}
	return "disabled"
}

// interval is a time in seconds, with as many decimals as it has.
func interval(d time.Duration) string { return fmt.Sprintf("%g", d.Seconds()) }

// EIGRPTraffic is `show ip eigrp traffic`. What no process took stands at the end.
func EIGRPTraffic(s *Status, a *Answer) string {
	lost := ""
	if n, m := s.Router.Packets.EIGRPForNobody, s.Router.Packets.EIGRPMalformed; n+m > 0 {
		lost = fmt.Sprintf("\nOf all tables, packets for no process here: %d, without a whole header: %d\n", n, m)
	}
	return each(a, func(b *strings.Builder, p *slowpath.EIGRPStatus) {
		b.WriteString(s.eigrpTitle(p, "Traffic Statistics"))
		t, x, r := &p.Traffic, &p.Traffic.Sent, &p.Traffic.Received
		for _, l := range []struct {
			name           string
			sent, received uint64
		}{
			{"Hellos", x.Hellos, r.Hellos}, {"Updates", x.Updates, r.Updates}, {"Queries", x.Queries, r.Queries}, {"Replies", x.Replies, r.Replies}, {"Acks", x.Acks, r.Acks},
			{"SIA-Queries", x.SIAQueries, r.SIAQueries}, {"SIA-Replies", x.SIAReplies, r.SIAReplies},
		} {
			fmt.Fprintf(b, "  %s sent/received: %d/%d\n", l.name, l.sent, l.received)
		}
		fmt.Fprintf(b, "  Retransmissions sent: %d, duplicates received: %d\n", t.Retransmitted, t.Duplicates)
		fmt.Fprintf(b, "  Not taken: %d failed authentication, %d malformed\n", t.AuthFailures, t.Malformed)
	}) + lost
}

// EIGRPAccounting is `show ip eigrp accounting`: how many prefixes each neighbor brings.
func EIGRPAccounting(s *Status, a *Answer) string {
	return each(a, func(b *strings.Builder, p *slowpath.EIGRPStatus) {
		b.WriteString(s.topologyTitle(p, "Accounting"))
		fmt.Fprintf(b, "Total Prefix Count: %d   States: A-Adjacency, P-Pending, D-Down\n", len(p.Topology))
		b.WriteString("State   Address/Source         Interface   Prefix\n                                           Count\n")
		for i := range p.Neighbors {
			n, state := &p.Neighbors[i], "P"
			if n.Up {
				state = "A"
			}
			fmt.Fprintf(b, " %-6s %-22s %-11s %d\n", state, n.Addr, shortName(n.Iface), n.Prefixes)
		}
		for _, src := range p.Sources {
			fmt.Fprintf(b, " %-6s %-22s %-11s %d\n", "A", "Redistributed "+sourceText(src.Source, src.Process, s.BGPAS), "--", src.Routes)
		}
	})
}

// eigrpOf is the process of an AS in a table.
func eigrpOf(a *Answer, k slowpath.EIGRPKey) *slowpath.EIGRPStatus {
	for i := range a.EIGRP {
		if a.EIGRP[i].Key == k {
			return &a.EIGRP[i]
		}
	}
	return nil
}

// ErrNoEIGRP says that there is no process of EIGRP in a table, or none of an AS.
func ErrNoEIGRP(vrf string, as uint16) error {
	process, where := "No EIGRP process", "in the global table"
	if as != 0 {
		process = fmt.Sprintf("No EIGRP process %d", as)
	}
	switch vrf {
	case "":
	case AllVRFs:
		where = "in any table"
	default:
		where = "in VRF " + vrf
	}
	if vrf == AllVRFs && as == 0 {
		return fmt.Errorf("%% %s %s; `router eigrp AS` and `network` make one", process, where)
	}
	return fmt.Errorf("%% %s %s; `show ip eigrp vrf '*' interfaces` lists those that there are", process, where)
}

// ErrNoEIGRPNeighbor says that no process has the neighbor, or none at all on the interface: what names it.
func ErrNoEIGRPNeighbor(vrf, what string) error {
	return fmt.Errorf("%% No EIGRP neighbor %s; `show ip eigrp%s neighbors` lists them", what, vrfWords(vrf))
}

// vrfWords are the words of a command that select a VRF.
func vrfWords(vrf string) string {
	if vrf == "" {
		return ""
	}
	return " vrf " + vrf
}

// addrList sorts addresses, and leaves out what is there twice.
func addrList(list []netip.Addr) []netip.Addr {
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}

// orNumber is n, or d in place of zero.
func orNumber(n, d int) int { return cmp.Or(n, d) }
