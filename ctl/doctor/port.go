package doctor

import (
	"fmt"
	"slices"
)

// What a port may have: more does not fit into a frame of AF_XDP, or into the steering's table.
const (
	largestMTU   = 3500
	mostQueues   = 64
	smallestRing = 1024
)

func (e *examination) ports() {
	e.area = "ports"
	if len(e.Ports) == 0 {
		e.warn("name them, `--port Ethernet0=eth0`, in /etc/nave/naved.env or here", "no port is known: nothing is said of netdevs")
	}
	for i := range e.Ports {
		p := &e.Ports[i]
		e.area = "port " + p.Netdev
		if p.Name != "" && p.Name != p.Netdev {
			e.area = fmt.Sprintf("port %s (%s)", p.Name, p.Netdev)
		}
		if p.Missing {
			e.fail("`ip link` lists those that there are; name another one in /etc/nave/naved.env", "there is no netdev %s in this network namespace", p.Netdev)
			continue
		}
		e.link(p)
		e.driver(p)
		e.queues(p)
		e.interrupts(p)
	}
}

// link is the netdev as Linux has it.
func (e *examination) link(p *Port) {
	switch {
	case p.MTU > largestMTU:
		e.fail(fmt.Sprintf("ip link set dev %s mtu 1500", p.Netdev), "its MTU is %d, and a frame of AF_XDP holds %d", p.MTU, largestMTU)
	case p.MTU > 0:
		e.ok("MTU %d", p.MTU)
	}
	if p.Master != "" {
		e.fail(fmt.Sprintf("ip link set dev %s nomaster", p.Netdev), "it belongs to %s, which gets none of the packets that nave takes", p.Master)
	}
	if p.XDP != "" {
		e.fail(fmt.Sprintf("stop what put it there, or: ip link set dev %s xdp off", p.Netdev), "another XDP program is on it (%s): nave's finds no room", p.XDP)
	}
	if p.Up && !p.Carrier {
		e.warn("look at the cable, and at the other end", "it has no carrier")
	}
	if !p.Up && e.Naved.Running {
		e.warn("`no shutdown` on the interface, or `nave show logging`", "it is down")
	}
	if p.RPFilter == 1 && e.Naved.Running { // otherwise naved sets it when it starts
		e.warn(fmt.Sprintf("sysctl -w net.ipv4.conf.%s.rp_filter=2", p.Netdev), "somebody has made reverse path filtering strict on it after naved had made it loose")
	}
	if p.Unmanaged == No {
		e.warn(fmt.Sprintf("nmcli device set %s managed no (and unmanaged-devices in /etc/NetworkManager/conf.d)", p.Netdev), "NetworkManager manages it too, and may take its addresses away")
	}
}

// driver is how packets get from it to nave.
func (e *examination) driver(p *Port) {
	switch {
	case p.Native == Yes:
		e.ok("driver %s: native XDP", p.Driver)
	case p.Native == No:
		e.warn("a card whose driver has it: most from 10 Gbit/s on", "driver %s has no XDP of its own: the kernel runs the program, after it has made a packet of its own of each", p.Driver)
	case p.Driver != "":
		e.ok("driver %s", p.Driver)
	}
	switch {
	case p.Copies != "" && p.ZeroCopy == Yes:
		e.warn("", "driver %s has zero-copy, and naved does not use it: %s", p.Driver, p.Copies)
	case p.ZeroCopy == Yes:
		e.ok("zero-copy: yes")
	case p.ZeroCopy == No && p.Virtual:
		e.ok("zero-copy: no; virtual links have none")
	case p.ZeroCopy == No:
		e.warn("a card whose driver has it (ice, i40e, ixgbe, igc, mlx5, and others)", "driver %s has no zero-copy: each packet is copied", p.Driver)
	}
}

// queues is how packets are spread over the workers.
func (e *examination) queues(p *Port) {
	workers := max(e.Wants.Workers, len(e.Wants.CPUs))
	combined := func(n int) string { return fmt.Sprintf("ethtool -L %s combined %d", p.Netdev, n) }
	most := 0
	if p.NIC != nil {
		most = max(p.NIC.Channels.MaxCombined, p.NIC.Channels.MaxRX)
	}
	switch {
	case p.Queues > mostQueues:
		e.fail(combined(mostQueues), "it has %d queues, and nave takes %d of a port", p.Queues, mostQueues)
	case p.Queues > 0 && workers > p.Queues && most > p.Queues:
		e.warn(combined(min(workers, most)), "%d queues for %d workers: packets are handed over, at the price of a copy", p.Queues, workers)
	case p.Queues > 0 && workers > p.Queues:
		e.warn("", "%d queues for %d workers, and the card has no more: packets are handed over, at the price of a copy", p.Queues, workers)
	case p.Queues > 0:
		e.ok("%d queues", p.Queues)
	}
	if p.NIC == nil || p.Virtual {
		return
	}
	if p.Queues > 1 && !p.NIC.RSS.Done && p.NIC.RSS.What == "" && !p.NIC.NTuple.Done {
		e.warn("`fastpath hand-over on`", "the card spreads packets neither by RSS nor by filter rules as far as its driver says (%s)", p.NIC.RSS.Why)
	}
	if r := p.NIC.Rings; r.RX > 0 && r.RX < smallestRing && r.MaxRX > r.RX {
		e.warn(fmt.Sprintf("ethtool -G %s rx %d", p.Netdev, min(r.MaxRX, 4*smallestRing)), "its receive ring has %d entries of up to %d: bursts are lost", r.RX, r.MaxRX)
	}
}

// interrupts is where the kernel's half of the work is done.
func (e *examination) interrupts(p *Port) {
	if p.Virtual || len(p.IRQs) == 0 {
		return
	}
	used := make(map[int]bool)
	for _, i := range p.IRQs {
		if len(i.CPUs) > 0 {
			used[i.CPUs[0]] = true
		}
	}
	if len(p.IRQs) > 2 && len(used) == 1 && len(e.CPU.Online) > 1 {
		e.warn("one CPU each, as: echo CPU > /proc/irq/N/smp_affinity_list", "all of its %d interrupts are on one CPU", len(p.IRQs))
	}
	if pid := e.Services["irqbalance"]; pid != 0 && len(e.Wants.CPUs) > 0 {
		e.warn("systemctl disable --now irqbalance (or IRQBALANCE_BANNED_CPULIST="+numbers(e.Wants.CPUs)+")", "irqbalance moves interrupts to and from the workers' CPUs")
	}
	if p.Node < 0 {
		return
	}
	var far []int
	for _, cpu := range e.Wants.CPUs {
		if n, ok := e.CPU.Node[cpu]; ok && n != p.Node {
			far = append(far, cpu)
		}
	}
	if len(far) > 0 {
		e.warn("`fastpath cpu` with CPUs of that node (/sys/devices/system/node)", "the card is at NUMA node %d, and CPUs %s of workers are not", p.Node, numbers(far))
	}
}

// tunnels is whether what they send fits the ports' links, as those are.
func (e *examination) tunnels() {
	e.area = "tunnels"
	for _, t := range e.Wants.Tunnels {
		k := slices.IndexFunc(e.Ports, func(p Port) bool { return p.Name == t.Port })
		if k < 0 || e.Ports[k].Missing || e.Ports[k].MTU == 0 {
			continue
		}
		mtu := e.Ports[k].MTU
		if t.Encapsulated > mtu {
			e.warn(fmt.Sprintf("`ip mtu %d` on %s, or a larger MTU on %s and all the way", min(1400, t.IPMTU-(t.Encapsulated-mtu)), t.Name, e.Ports[k].Netdev),
				"packets of `ip mtu %d` on %s are %d bytes long once they are encapsulated, and %s takes %d", t.IPMTU, t.Name, t.Encapsulated, e.Ports[k].Netdev, mtu)
		} else {
			e.ok("packets of %s are up to %d bytes long, and %s takes %d", t.Name, t.Encapsulated, e.Ports[k].Netdev, mtu)
		}
	}
}
