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

// Interfaces is `show interfaces`: all, or one. ok is false where there is none of that name.
func Interfaces(s *Status, name string) (text string, ok bool) {
	var b strings.Builder
	for _, i := range s.Router.Interfaces {
		if name == "" || i.Name == name {
			ok = true
			s.oneInterface(&b, i)
		}
	}
	for _, p := range s.Problems {
		n, is := strings.CutPrefix(p.What, "interface ")
		if is && (name == "" || n == name) {
			ok = true
			fmt.Fprintf(&b, "%s: %s\n", n, p.Why)
		}
	}
	return b.String(), ok
}

func (s *Status) oneInterface(b *strings.Builder, i rib.Interface) {
	c := s.Interfaces[i.Name]
	state := "up"
	switch {
	case c.Shutdown:
		state = "administratively down"
	case !i.Up && i.Port != 0:
		state = "down"
	}
	protocol := "down"
	if i.Up {
		protocol = "up"
	}
	fmt.Fprintf(b, "%s is %s, line protocol is %s\n", i.Name, state, protocol)
	bandwidth, delay := portBandwidth, portDelay
	switch {
	case i.Tunnel != nil:
		b.WriteString("  Hardware is Tunnel\n")
		bandwidth, delay = tunnelBandwidth, tunnelDelay
	case i.Port != 0:
		s.hardware(b, i)
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
	fmt.Fprintf(b, "  MTU %d bytes, BW %d Kbit/sec, DLY %d usec\n", i.MTU, cmp.Or(c.Bandwidth, bandwidth), cmp.Or(c.Delay, delay)*10)
	if i.Tunnel != nil {
		tunnel(b, i, c)
	}
	s.traffic(b, i)
}

func (s *Status) hardware(b *strings.Builder, i rib.Interface) {
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

func (s *Status) traffic(b *strings.Builder, i rib.Interface) {
	var n fastpath.LinkCount
	switch {
	case i.Tunnel != nil:
		n = s.Fastpath.Tunnels[i.Tunnel.ID]
	case i.Port != 0:
		n = s.Fastpath.Ports[i.Port]
	default:
		return
	}
	fmt.Fprintf(b, "     %d packets input, %d bytes\n", n.Rx.Packets, n.Rx.Bytes)
	fmt.Fprintf(b, "     %d packets output, %d bytes\n", n.Tx.Packets, n.Tx.Bytes)
}
