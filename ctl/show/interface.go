package show

import (
	"cmp"
	"fmt"
	"strings"

	"nave/fastpath"
	"nave/slowpath/rib"
)

// Defaults that IOS prints where nothing is configured.
const (
	tunnelBandwidth = 9      // kbit/s
	portBandwidth   = 100000 // kbit/s
	tunnelDelay     = 50000  // tens of microseconds
	portDelay       = 10     // tens of microseconds
)

// Interfaces is `show interfaces`: all, or those that are selected. ok is false where there is none of the name.
func Interfaces(s *Status, sel Select) (text string, ok bool) {
	var b strings.Builder
	for _, i := range s.Router.Interfaces {
		if s.wantsInterface(&sel, &i) {
			ok = true
			s.oneInterface(&b, i, sel.Form)
		}
	}
	for _, p := range s.Problems {
		n, is := strings.CutPrefix(p.What, "interface ")
		if is && (sel.Iface == "" || n == sel.Iface) {
			ok = true
			fmt.Fprintf(&b, "%s: %s\n", n, p.Why)
		}
	}
	return b.String(), ok || sel.Iface == ""
}

// wantsInterface tells whether an interface is selected.
func (s *Status) wantsInterface(sel *Select, i *rib.Interface) bool {
	return (sel.Iface == "" || i.Name == sel.Iface) && (sel.VRF == "" || s.vrfName(i.VRF) == sel.vrf())
}

// states are the two words of an interface: of its link, and of the line protocol.
func (s *Status) states(i *rib.Interface) (link, protocol string) {
	link, protocol = "up", "down"
	switch {
	case s.Interfaces[i.Name].Shutdown:
		link = "administratively down"
	case !i.Up && i.Port != 0:
		link = "down"
	}
	if i.Up {
		protocol = "up"
	}
	return link, protocol
}

func (s *Status) oneInterface(b *strings.Builder, i rib.Interface, form Form) {
	c := s.Interfaces[i.Name]
	state, protocol := s.states(&i)
	fmt.Fprintf(b, "%s is %s, line protocol is %s\n", i.Name, state, protocol)
	bandwidth, delay := portBandwidth, portDelay
	switch {
	case i.Tunnel != nil:
		b.WriteString("  Hardware is Tunnel\n")
		bandwidth, delay = tunnelBandwidth, tunnelDelay
	case i.Port != 0:
		s.hardware(b, i, form)
	default:
		b.WriteString("  Hardware is Loopback\n")
	}
	if c.Description != "" {
		fmt.Fprintf(b, "  Description: %s\n", c.Description)
	}
	if len(i.Addrs) > 0 {
		fmt.Fprintf(b, "  Internet address is %s\n", i.Addrs[0])
		for _, a := range i.Addrs[1:] {
			fmt.Fprintf(b, "  Secondary address %s\n", a)
		}
	}
	bandwidth = cmp.Or(c.Bandwidth, bandwidth)
	fmt.Fprintf(b, "  MTU %d bytes, BW %d Kbit/sec, DLY %d usec", i.MTU, bandwidth, cmp.Or(c.Delay, delay)*10)
	if form == Modern {
		u := s.Usage.Links[i.Name]
		fmt.Fprintf(b, ", \n     reliability %d/255, txload %d/255, rxload %d/255", s.reliability(&i), load255(u.OutBits, bandwidth), load255(u.InBits, bandwidth))
	}
	b.WriteString("\n")
	switch {
	case i.Tunnel != nil:
		tunnel(b, i, c)
	case i.Port != 0 && form == Modern:
		b.WriteString("  Encapsulation ARPA, loopback not set\n")
	}
	s.rates(b, i)
	s.traffic(b, i, form)
}

// load255 is a rate as a part of 255 of the bandwidth, at least 1, as IOS has it.
func load255(bits uint64, kbit int) uint64 {
	return max(1, min(255, bits*255/(uint64(max(1, kbit))*1000)))
}

func (s *Status) hardware(b *strings.Builder, i rib.Interface, form Form) {
	for _, p := range s.Ports {
		if p.Name != i.Name {
			continue
		}
		how := "generic XDP"
		if p.Native {
			how = "native XDP"
		}
		for _, q := range p.Queues {
			if q.ZeroCopy {
				how = "native XDP, zero copy"
			}
		}
		if form == Modern {
			driver := "netdev"
			if p.NIC != nil && p.NIC.Driver.Name != "" {
				driver = p.NIC.Driver.Name
			}
			fmt.Fprintf(b, "  Hardware is %s (%s, %s, %d queues), address is %s (bia %s)\n", driver, p.Netdev, how, len(p.Queues), mac(p.MAC), mac(p.MAC))
			continue
		}
		fmt.Fprintf(b, "  Hardware is %s, %s, %d queues, address is %s\n", p.Netdev, how, len(p.Queues), mac(p.MAC))
	}
}

func tunnel(b *strings.Builder, i rib.Interface, c Configured) {
	t := i.Tunnel
	b.WriteString("  Encapsulation TUNNEL, loopback not set\n  Keepalive not set\n")
	source := "UNKNOWN"
	if t.Local.IsValid() {
		source = t.Local.String()
	}
	if c.Source != "" && c.Source != source {
		source += " (" + c.Source + ")"
	}
	fmt.Fprintf(b, "  Tunnel source %s", source)
	if t.Remote.IsValid() {
		fmt.Fprintf(b, ", destination %s", t.Remote)
	}
	b.WriteString("\n")
	if c.Multipoint {
		b.WriteString("  Tunnel protocol/transport multi-GRE/IP\n")
	} else {
		b.WriteString("  Tunnel protocol/transport GRE/IP\n")
	}
	if t.HasKey {
		fmt.Fprintf(b, "    Key 0x%X, sequencing disabled\n", t.Key)
	} else {
		b.WriteString("    Key disabled, sequencing disabled\n")
	}
	b.WriteString("    Checksumming of packets disabled\n")
	fmt.Fprintf(b, "  Tunnel TTL %d\n", t.TTL)
	if t.PathMTU {
		b.WriteString("  Path MTU Discovery, ager 10 mins\n")
	}
	if c.Profile != "" {
		fmt.Fprintf(b, "  Tunnel protection via IPSec (profile %q)\n", c.Profile)
	}
}

// rates is what the last five minutes were like, where that was measured.
func (s *Status) rates(b *strings.Builder, i rib.Interface) {
	u, ok := s.Usage.Links[i.Name]
	if !ok {
		return
	}
	fmt.Fprintf(b, "  Last input %s, output %s, output hang never\n", since(s.Time, u.LastIn), since(s.Time, u.LastOut))
	fmt.Fprintf(b, "  Last clearing of \"show interface\" counters %s\n", since(s.Time, s.Cleared[i.Name].At))
	fmt.Fprintf(b, "  5 minute input rate %d bits/sec, %d packets/sec\n", u.InBits, u.InPackets)
	fmt.Fprintf(b, "  5 minute output rate %d bits/sec, %d packets/sec\n", u.OutBits, u.OutPackets)
}

// linkCount is what an interface has carried, since its counters were cleared if they were. ok is false for one that nothing is counted of.
func (s *Status) linkCount(i *rib.Interface) (n fastpath.LinkCount, ok bool) {
	switch {
	case i.Tunnel != nil:
		n = s.Fastpath.Tunnels[i.Tunnel.ID]
	case i.Port != 0:
		n = s.Fastpath.Ports[i.Port]
	default:
		return n, false
	}
	from := s.Cleared[i.Name].From
	n.Rx, n.Tx = sinceCleared(n.Rx, from.Rx), sinceCleared(n.Tx, from.Tx)
	return n, true
}

// sinceCleared is what has come on top of from. Less than that says that somebody has begun to count anew.
func sinceCleared(n, from fastpath.Count) fastpath.Count {
	if n.Packets < from.Packets || n.Bytes < from.Bytes {
		return n
	}
	return fastpath.Count{Packets: n.Packets - from.Packets, Bytes: n.Bytes - from.Bytes}
}

func (s *Status) traffic(b *strings.Builder, i rib.Interface, form Form) {
	n, ok := s.linkCount(&i)
	if !ok {
		return
	}
	if form == Legacy {
		fmt.Fprintf(b, "     %d packets input, %d bytes\n", n.Rx.Packets, n.Rx.Bytes)
		fmt.Fprintf(b, "     %d packets output, %d bytes\n", n.Tx.Packets, n.Tx.Bytes)
		return
	}
	none, _ := s.lost(i.Name)
	fmt.Fprintf(b, "     %d packets input, %d bytes, %d no buffer\n", n.Rx.Packets, n.Rx.Bytes, none)
	// A ring that runs empty delays nothing: there are no underruns.
	fmt.Fprintf(b, "     %d packets output, %d bytes, 0 underruns\n", n.Tx.Packets, n.Tx.Bytes)
}

// reliability is what came whole of all that came, as a part of 255.
func (s *Status) reliability(i *rib.Interface) uint64 {
	n, _ := s.linkCount(i)
	none, invalid := s.lost(i.Name)
	return 255 - uint64(255*ratio(none+invalid, n.Rx.Packets+none+invalid))
}

// lost is what the queues of a port had no room for, and what they could not take otherwise.
func (s *Status) lost(name string) (none, invalid uint64) {
	for _, p := range s.Ports {
		if p.Name != name {
			continue
		}
		for _, q := range p.Queues {
			none += q.Stats.Dropped + q.Stats.RingFull
			invalid += q.Stats.Invalid
		}
	}
	return none, invalid
}
