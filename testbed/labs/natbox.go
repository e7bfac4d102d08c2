package labs

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"nave/testbed/topo"
)

// Translation is how a NAT box translates what one inside address sends.
type Translation string

// The translations, by what of RFC 4787 they are. All but OneToOne let in from outside only what answers, or what is for an address that has spoken.
const (
	OneToOne   Translation = "static 1:1"  // an outside address of its own, in both directions, always
	OnDemand   Translation = "dynamic 1:1" // an outside address of its own, reached from outside once the inside has spoken
	PortMapped Translation = "PAT, one port for all destinations"
	PortKept   Translation = "PAT, ports kept where free" // Linux' masquerade: two insides that speak to one outside can't both keep their port
	Symmetric  Translation = "PAT, a port by chance for each destination"
)

// Mapping is an inside address of a NAT box, and what it is outside.
type Mapping struct {
	Inside, Outside netip.Addr
	How             Translation
	Port            uint16 // of PortMapped: what UDP port 500 is outside; 4500 is the next one
}

// Box is a NAT box: Linux that forwards between eth0, outside, and a bridge called inside, by the rules of nftables.
type Box struct {
	Name     string
	Inside   netip.Prefix // its own address inside, which is the gateway of those behind it
	Mappings []Mapping
	Hairpin  bool     // who is behind it reaches its outside addresses, and so those that are theirs
	Drops    []string // packets that it does not let through, in the words of nftables: "udp dport 4500"
}

// Outside are the box's addresses outside.
func (b *Box) Outside() (out []netip.Addr) {
	seen := make(map[netip.Addr]bool)
	for _, m := range b.Mappings {
		if !seen[m.Outside] {
			out = append(out, m.Outside)
		}
		seen[m.Outside] = true
	}
	return out
}

// boxTable is what all boxes have. What comes for the box itself is dropped without a word: an ICMP error would tell a peer more than most boxes do, and a
// packet that is let in would keep a port from those behind it.
var boxTable = []string{
	"flush ruleset", "add table ip nat",
	"add set ip nat spoken { type ipv4_addr ; flags dynamic,timeout ; timeout 5m ; }",
	"add chain ip nat out { type nat hook postrouting priority 100 ; }",
	"add chain ip nat note { type filter hook postrouting priority 150 ; }",
	"add chain ip nat in { type nat hook prerouting priority -100 ; }",
	"add chain ip nat through { type filter hook forward priority 0 ; policy drop ; }",
	"add chain ip nat self { type filter hook input priority 0 ; }",
	"add rule ip nat self meta l4proto { udp, esp, ah, gre } drop",
}

// Rules are the box's, as one argument list of nft: they replace what was there at once.
func (b *Box) Rules() string {
	rules := append([]string{}, boxTable...)
	add := func(chain, format string, args ...any) {
		rules = append(rules, "add rule ip nat "+chain+" "+fmt.Sprintf(format, args...))
	}
	for _, d := range b.Drops {
		add("through", "%s drop", d)
	}
	add("through", "ct state established,related accept")
	add("through", "iifname inside oifname eth0 accept")
	add("through", "ct status dnat accept")
	from := []string{"iifname eth0"}
	if b.Hairpin {
		from = append(from, "iifname inside")
	}
	for _, m := range b.Mappings {
		switch m.How {
		case OneToOne, OnDemand:
			when := ""
			if m.How == OnDemand {
				when = " ip daddr @spoken"
				add("note", "oifname eth0 ip saddr %s update @spoken { ip saddr }", m.Outside)
			}
			for _, f := range from {
				add("in", "%s ip daddr %s%s dnat to %s", f, m.Outside, when, m.Inside)
			}
			add("out", "oifname eth0 ip saddr %s snat to %s", m.Inside, m.Outside)
			if b.Hairpin {
				add("out", "oifname inside ip saddr %s ct status dnat snat to %s", m.Inside, m.Outside)
			}
		case PortMapped:
			for k, port := range []int{500, 4500} {
				add("out", "oifname eth0 ip saddr %s udp sport %d snat to %s:%d", m.Inside, port, m.Outside, int(m.Port)+k)
			}
			add("out", "oifname eth0 ip saddr %s snat to %s", m.Inside, m.Outside)
		case PortKept:
			add("out", "oifname eth0 ip saddr %s snat to %s", m.Inside, m.Outside)
		case Symmetric:
			add("out", "oifname eth0 ip saddr %s meta l4proto udp snat to %s:1024-65535 fully-random", m.Inside, m.Outside)
			add("out", "oifname eth0 ip saddr %s snat to %s", m.Inside, m.Outside)
		}
	}
	return "nft " + strings.Join(rules, " ; ")
}

// add puts the box into a topology, between the internet's bridge wan and a bridge of its own. spare are outside addresses that it gets later.
func (b *Box) add(t *topo.Topology, spare ...netip.Addr) {
	n := topo.Node{Name: b.Name, Kind: topo.Core, Setup: []string{
		"ip link add inside type bridge mcast_snooping 0 stp_state 0", "ip addr add " + b.Inside.String() + " dev inside", "ip link set inside up",
		"sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.inside.send_redirects=0", // hairpinned packets leave where they came from
		b.Rules(),
	}}
	t.Nodes = append(t.Nodes, n)
	var addrs []string
	for _, a := range append(b.Outside(), spare...) {
		addrs = append(addrs, a.String()+"/24")
	}
	t.Links = append(t.Links, topo.Link{A: topo.Port{Node: b.Name, Dev: "eth0", Addrs: addrs}, B: topo.Port{Node: "internet", Dev: b.Name}})
	t.Nodes[0].Setup = append(t.Nodes[0].Setup, "ip link set "+b.Name+" master wan")
}

// boxOff are the rules of a box that is off. Its link stays up: the kernel may take a second to notice that one has come back.
const boxOff = "nft flush ruleset ; add table ip off ; add chain ip off in { type filter hook prerouting priority -300 ; policy drop ; }"

// Become gives a box other rules and has it forget what it has translated. It is off for a while, as one that is started again is; zero: not at all.
func (b *Box) Become(l *topo.Lab, off time.Duration) error {
	ns := l.NS(b.Name)
	run := func(text string) error {
		_, err := ns.Run(strings.Fields(text)...)
		return err
	}
	if off > 0 {
		if err := run(boxOff); err != nil {
			return err
		}
		time.Sleep(off)
	}
	if err := run(b.Rules()); err != nil {
		return err
	}
	err := ns.Do(func() error {
		h, err := netlink.NewHandle(unix.NETLINK_NETFILTER)
		if err != nil {
			return err
		}
		defer h.Close()
		return h.ConntrackTableFlush(netlink.ConntrackTable)
	})
	if err != nil {
		return fmt.Errorf("labs: %s: forget translations: %w", b.Name, err)
	}
	return nil
}
