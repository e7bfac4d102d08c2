package show

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"nave/slowpath/rib"
)

// IPInterfaceBrief is `show ip interface brief`.
func IPInterfaceBrief(s *Status, sel Select) string {
	var b strings.Builder
	b.WriteString("Interface                  IP-Address      OK? Method Status                Protocol\n")
	for _, i := range s.Router.Interfaces {
		if !s.wantsInterface(&sel, &i) {
			continue
		}
		addr, method := "unassigned", "unset"
		if len(i.Addrs) > 0 {
			addr, method = i.Addrs[0].Addr().String(), "NVRAM"
		}
		if s.Interfaces[i.Name].DHCP {
			method = "DHCP"
		}
		link, protocol := s.states(&i)
		fmt.Fprintf(&b, "%-26s %-15s YES %-6s %-21s %s\n", i.Name, addr, method, link, protocol)
	}
	return b.String()
}

// IPInterface is `show ip interface`: what IP has to do with each interface, or with one.
func IPInterface(s *Status, sel Select) string {
	var b strings.Builder
	for _, i := range s.Router.Interfaces {
		if s.wantsInterface(&sel, &i) {
			s.oneIPInterface(&b, &i)
		}
	}
	return b.String()
}

func (s *Status) oneIPInterface(b *strings.Builder, i *rib.Interface) {
	link, protocol := s.states(i)
	line := func(format string, args ...any) { fmt.Fprintf(b, "  "+format+"\n", args...) }
	fmt.Fprintf(b, "%s is %s, line protocol is %s\n", i.Name, link, protocol)
	if len(i.Addrs) == 0 {
		line("Internet protocol processing disabled")
		return
	}
	line("Internet address is %s", i.Addrs[0])
	how := "non-volatile memory"
	if s.Interfaces[i.Name].DHCP {
		how = "DHCP"
	}
	line("Address determined by %s", how)
	for _, a := range i.Addrs[1:] {
		line("Secondary address %s", a)
	}
	line("MTU is %d bytes", i.MTU)
	if i.MSS > 0 {
		line("TCP adjust-mss %d", i.MSS)
	}
	if name := s.vrfName(i.VRF); name != "" {
		line("VPN Routing/Forwarding %q", name)
	}
	line("ICMP unreachables are always sent")
	if t := i.Tunnel; t != nil && t.Redirect {
		line("IP NHRP redirects are sent, network %d", t.Network)
	}
}

func (s *Status) ipInterfacesJSON(sel *Select) any {
	out := make([]object, 0, len(s.Router.Interfaces))
	for _, i := range s.Router.Interfaces {
		if !s.wantsInterface(sel, &i) {
			continue
		}
		link, protocol := s.states(&i)
		out = append(out, object{
			"name": i.Name, "addresses": i.Addrs, "dhcp": s.Interfaces[i.Name].DHCP, "status": link, "protocol": protocol, "mtu": i.MTU, "mss": i.MSS,
			"vrf": s.vrfName(i.VRF),
		})
	}
	return out
}

// Neighbour is an own address, or a neighbour that the kernel knows of on a link.
type Neighbour struct {
	VRF   string `json:",omitempty"`
	Iface string
	Addr  netip.Addr
	MAC   [6]byte
	OK    bool          // MAC is known
	Own   bool          // an address of this router
	Kept  bool          // an adjacency needs it: the kernel keeps it
	Age   time.Duration // since it was last confirmed
}

// ARP is `show arp`: own addresses, and neighbours on links, by VRF and interface. Neighbours whose frames come are not asked again by the kernel, so age is since
// it last made sure of them.
func ARP(s *Status, a *Answer) string {
	var b strings.Builder
	b.WriteString("Protocol  Address          Age (min)  Hardware Addr   Type   Interface\n")
	for _, n := range a.ARP {
		age, addr := "-", "Incomplete    "
		if !n.Own {
			age = fmt.Sprint(int(n.Age / time.Minute))
		}
		if n.OK {
			addr = mac(n.MAC)
		} else {
			age = "0"
		}
		fmt.Fprintf(&b, "Internet  %-16s %9s  %s  ARPA   %s\n", n.Addr, age, addr, n.Iface)
	}
	return b.String()
}

// ARPJSON is the same as values.
func ARPJSON(a *Answer) ([]byte, error) {
	out := make([]object, 0, len(a.ARP))
	for _, n := range a.ARP {
		row := object{"address": n.Addr, "interface": n.Iface, "vrf": n.VRF, "own": n.Own, "complete": n.OK, "kept": n.Kept}
		if n.OK {
			row["mac"] = mac(n.MAC)
		}
		if !n.Own && n.OK {
			row["age_seconds"] = int(n.Age.Seconds())
		}
		out = append(out, row)
	}
	return encode("arp", out)
}
