package show

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"nave/slowpath/bgp"
)

// BGPSummary is `show ip bgp summary` and `show ip bgp vpnv4 … summary`: neighbours that are activated in the family, and for VPN routes those inside VRFs, too.
func BGPSummary(s *Status, q Query, a *Answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "BGP router identifier %s, local AS number %d\n", a.BGP.RouterID, a.BGP.AS)
	fmt.Fprintf(&b, "BGP table version is %d, main routing table version %d\n", a.BGP.Version, a.BGP.Version)
	for _, v := range a.BGP.VRFs {
		if q.Family == bgp.VPNv4 && (q.VRF == "" || q.VRF == v.Name) {
			fmt.Fprintf(&b, "VRF %s: %d prefixes imported, %d learned of its neighbors, %d of its own\n", v.Name, v.Imported, v.Learned, v.Local)
		}
	}
	if q.Family == bgp.VPNv4 && a.BGP.Labels > 0 {
		fmt.Fprintf(&b, "%d labels of ours for routes of others\n", a.BGP.Labels)
	}
	if a.BGP.Unlabelled > 0 {
		fmt.Fprintf(&b, "%d times there was no label for a route: the range (mpls label range) is used up\n", a.BGP.Unlabelled)
	}
	b.WriteString("\nNeighbor        V    AS MsgRcvd MsgSent   TblVer  InQ OutQ Up/Down  State/PfxRcd\n")
	dynamic := 0
	for i := range a.BGP.Neighbours {
		n := &a.BGP.Neighbours[i]
		f := familyOf(n, q)
		if f == nil || q.VRF != "" && n.VRF != q.VRF {
			continue
		}
		name := n.Address.String()
		if n.Dynamic {
			dynamic++
			name = "*" + name
		}
		version := uint64(0)
		if n.State == bgp.Established {
			version = a.BGP.Version
		}
		fmt.Fprintf(&b, "%-15s 4 %5d %7d %7d %8d %4d %4d %8s %s\n",
			name, n.RemoteAS, n.Received.Total, n.Sent.Total, version, 0, n.QueuedOut, s.upDown(n), stateOrPrefixes(n, f))
	}
	if dynamic > 0 {
		fmt.Fprintf(&b, "* Dynamically created based on a listen range command\nDynamically created neighbors: %d\n", dynamic)
	}
	return b.String()
}

// familyOf is a neighbour's part of the family that is asked for. Inside a VRF, IPv4 unicast is what makes VPN routes.
func familyOf(n *bgp.NeighbourStatus, q Query) *bgp.FamilyStatus {
	want := q.Family
	switch {
	case n.VRF != "" && q.Family == bgp.VPNv4:
		want = bgp.IPv4Unicast
	case n.VRF != "" && q.VRF == "":
		return nil // `show ip bgp` is about the global table
	}
	k := slices.IndexFunc(n.Families, func(f bgp.FamilyStatus) bool { return f.Family == want })
	if k < 0 {
		return nil
	}
	return &n.Families[k]
}

// upDown is since when a session is in its state.
func (s *Status) upDown(n *bgp.NeighbourStatus) string {
	if n.State != bgp.Established && n.Flaps == 0 {
		return "never"
	}
	return since(s.Time, n.Since)
}

// stateOrPrefixes is the last column of a summary.
func stateOrPrefixes(n *bgp.NeighbourStatus, f *bgp.FamilyStatus) string {
	switch {
	case n.Shutdown:
		return "Idle (Admin)"
	case n.OverLimit:
		return "Idle (PfxCt)"
	case n.State == bgp.Established:
		return fmt.Sprintf("%8d", f.Accepted)
	}
	return n.State.String()
}

// BGPNeighbors is `show ip bgp neighbors`, and that of VPN routes.
func BGPNeighbors(s *Status, q Query, a *Answer) string {
	var b strings.Builder
	for i := range a.Neighbours {
		if n := &a.Neighbours[i]; q.VRF == "" || n.VRF == q.VRF {
			s.neighbor(&b, a, n)
		}
	}
	return b.String()
}

func (s *Status) neighbor(b *strings.Builder, a *Answer, n *bgp.NeighbourStatus) {
	kind, vrf := "internal", ""
	if n.External {
		kind = "external"
	}
	if n.VRF != "" {
		vrf = fmt.Sprintf("  vrf %s,", n.VRF)
	}
	name := n.Address.String()
	if n.Dynamic {
		name = "*" + name
	}
	fmt.Fprintf(b, "BGP neighbor is %s,%s  remote AS %d, %s link\n", name, vrf, n.RemoteAS, kind)
	if n.Description != "" {
		fmt.Fprintf(b, " Description: %s\n", n.Description)
	}
	if n.Dynamic {
		b.WriteString(" Belongs to a listen range\n")
	}
	router := "0.0.0.0"
	if n.RouterID.IsValid() {
		router = n.RouterID.String()
	}
	fmt.Fprintf(b, "  BGP version 4, remote router ID %s\n", router)
	fmt.Fprintf(b, "  BGP state = %s%s\n", n.State, s.stateSince(n))
	timers := fmt.Sprintf("hold time is %d, keepalive interval is %d seconds", int(n.Hold.Seconds()), int(n.Keepalive.Seconds()))
	if t := n.TCP; t != nil {
		fmt.Fprintf(b, "  Last read %s, last write %s, %s\n", elapsed(t.LastRead), elapsed(t.LastWrite), timers)
	} else {
		fmt.Fprintf(b, "  %s\n", strings.ToUpper(timers[:1])+timers[1:])
	}
	neighborCapabilities(b, n)
	messageCounts(b, n)
	for k := range n.Families {
		neighborFamily(b, a, n, &n.Families[k])
	}
	s.connection(b, n)
}

func (s *Status) stateSince(n *bgp.NeighbourStatus) string {
	switch {
	case n.State == bgp.Established:
		return ", up for " + since(s.Time, n.Since)
	case n.Shutdown:
		return ", administratively shut down"
	case n.OverLimit:
		return ", more prefixes than maximum-prefix; `clear ip bgp` lets it in again"
	case n.Flaps > 0:
		return ", down for " + since(s.Time, n.Since)
	}
	return ""
}

func neighborCapabilities(b *strings.Builder, n *bgp.NeighbourStatus) {
	if n.State != bgp.Established {
		return
	}
	b.WriteString("  Neighbor capabilities:\n")
	names := map[string]string{
		"route-refresh": "Route refresh", "4-octet-as": "Four-octets ASN Capability", "graceful-restart": "Graceful Restart Capability",
		"enhanced-route-refresh": "Enhanced Refresh Capability", "add-path": "Additional Paths",
	}
	old := slices.ContainsFunc(n.Capabilities, func(c bgp.Capability) bool { return c.Name == "cisco-route-refresh" && c.Received })
	for _, c := range n.Capabilities {
		name := names[c.Name]
		switch {
		case c.Family != 0:
			name = "Address family " + c.Family.String()
		case c.Name == "cisco-route-refresh":
			continue // said with the other
		case name == "":
			name = strings.ToUpper(c.Name[:1]) + c.Name[1:]
		}
		how := "advertised and received"
		switch {
		case !c.Received:
			how = "advertised"
		case !c.Advertised:
			how = "received"
		}
		if c.Name == "route-refresh" && c.Received {
			how += map[bool]string{true: "(old & new)", false: "(new)"}[old]
		}
		fmt.Fprintf(b, "    %s: %s\n", name, how)
	}
}

func messageCounts(b *strings.Builder, n *bgp.NeighbourStatus) {
	fmt.Fprintf(b, "  Message statistics:\n    InQ depth is 0\n    OutQ depth is %d\n", n.QueuedOut)
	b.WriteString("                         Sent       Rcvd\n")
	for _, r := range []struct {
		name       string
		sent, rcvd uint64
	}{
		{"Opens:", n.Sent.Opens, n.Received.Opens}, {"Notifications:", n.Sent.Notifications, n.Received.Notifications},
		{"Updates:", n.Sent.Updates, n.Received.Updates}, {"Keepalives:", n.Sent.Keepalives, n.Received.Keepalives},
		{"Route Refresh:", n.Sent.Refreshes, n.Received.Refreshes}, {"Total:", n.Sent.Total, n.Received.Total},
	} {
		fmt.Fprintf(b, "    %-15s %9d %10d\n", r.name, r.sent, r.rcvd)
	}
	b.WriteString("  Default minimum time between advertisement runs is 0 seconds\n")
}

func neighborFamily(b *strings.Builder, a *Answer, n *bgp.NeighbourStatus, f *bgp.FamilyStatus) {
	fmt.Fprintf(b, "\n For address family: %s\n", f.Family)
	fmt.Fprintf(b, "  BGP table version %d\n", a.BGP.Version)
	fmt.Fprintf(b, "  Output queue size : %d\n", n.QueuedOut)
	if n.Client {
		b.WriteString("  Route-Reflector Client\n")
	}
	if f.NextHopSelf {
		b.WriteString("  NEXT_HOP is always this router\n")
	}
	switch {
	case f.SendCommunity && f.SendExtended:
		b.WriteString("  Community attribute sent to this neighbor(both)\n")
	case f.SendExtended:
		b.WriteString("  Extended-community attribute sent to this neighbor\n")
	case f.SendCommunity:
		b.WriteString("  Community attribute sent to this neighbor\n")
	}
	readFilter(f.In).write(b, "Incoming", "incoming")
	readFilter(f.Out).write(b, "Outgoing", "outgoing")
	if f.MaxPrefixes > 0 {
		percent := f.WarnPercent
		if percent == 0 {
			percent = 75
		}
		fmt.Fprintf(b, "  Maximum prefixes allowed %d\n  Threshold for warning message %d%%\n", f.MaxPrefixes, percent)
	}
	b.WriteString("                                 Sent       Rcvd\n")
	b.WriteString("  Prefix activity:               ----       ----\n")
	fmt.Fprintf(b, "    Prefixes Current:      %10d %10d\n", f.Advertised, f.Accepted)
	b.WriteString("                                   Outbound    Inbound\n")
	b.WriteString("  Local Policy Denied Prefixes:    --------    -------\n")
	fmt.Fprintf(b, "    Total:                              n/a %10d\n", f.Received-min(f.Received, f.Accepted))
}

// connection is the end of a neighbour's output: its TCP connection, as far as the kernel tells.
func (s *Status) connection(b *strings.Builder, n *bgp.NeighbourStatus) {
	made := n.Flaps
	if n.State == bgp.Established {
		made++
	}
	fmt.Fprintf(b, "\n  Connections established %d; dropped %d\n", made, n.Flaps)
	if n.Flaps == 0 {
		b.WriteString("  Last reset never\n")
	} else {
		fmt.Fprintf(b, "  Last reset due to %s\n", orText(n.LastReset, "the end of the connection"))
	}
	if n.LastDial != "" && n.State != bgp.Established {
		fmt.Fprintf(b, "  Last try to connect failed %s ago: %s\n", since(s.Time, n.LastDialAt), n.LastDial)
	}
	if n.Signed {
		b.WriteString("  TCP MD5 signatures are required\n")
	}
	t := n.TCP
	if t == nil {
		b.WriteString("  No active TCP connection\n")
		return
	}
	b.WriteString("Connection state is ESTAB\n")
	ecn := "Disabled"
	if t.ECN {
		ecn = "Enabled"
	}
	fmt.Fprintf(b, "Connection is ECN %s\n", ecn)
	fmt.Fprintf(b, "Local host: %s, Local port: %d\n", n.Local.Addr(), n.Local.Port())
	fmt.Fprintf(b, "Foreign host: %s, Foreign port: %d\n\n", n.Remote.Addr(), n.Remote.Port())
	fmt.Fprintf(b, "Enqueued packets for retransmit: %d, bytes to send: %d\n", t.Unacked, t.Unsent)
	fmt.Fprintf(b, "sndwnd: %d, rcvspace: %d, path MTU: %d\n", t.SendWindow, t.ReceiveSpace, t.PathMTU)
	fmt.Fprintf(b, "SRTT: %d ms, RTTO: %d ms, RTV: %d ms\n", millis(t.SRTT), millis(t.RTO), millis(t.RTTVar))
	fmt.Fprintf(b, "minRTT: %d ms\n\n", millis(t.MinRTT))
	fmt.Fprintf(b, "Datagrams (max data segment is %d bytes):\n", t.MSS)
	fmt.Fprintf(b, "Rcvd: %d, with data: %d, total data bytes: %d\n", t.SegmentsIn, t.DataSegmentsIn, t.BytesReceived)
	fmt.Fprintf(b, "Sent: %d (retransmit: %d), with data: %d, total data bytes: %d\n", t.SegmentsOut, t.Retransmitted, t.DataSegmentsOut, t.BytesAcked)
}

// millis rounds up, so that what is short is not nothing.
func millis(d time.Duration) int64 { return (d + time.Millisecond - 1).Milliseconds() }
