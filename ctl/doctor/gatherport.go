package doctor

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"

	"nave/slowpath/host/nic"
)

// ours is how nave's program is called.
const ours = "nave_port"

// link asks the kernel and the driver about a netdev of this network namespace.
func (g *gatherer) link(p *Port) {
	l, err := netlink.LinkByName(p.Netdev)
	if err != nil {
		p.Missing = true
		return
	}
	a := l.Attrs()
	p.MTU, p.Queues = a.MTU, a.NumRxQueues
	p.Up = a.Flags&net.FlagUp != 0
	p.Carrier = a.OperState == netlink.OperUp || a.OperState == netlink.OperUnknown
	if a.MasterIndex != 0 {
		p.Master = fmt.Sprintf("netdev %d", a.MasterIndex)
		if m, err := netlink.LinkByIndex(a.MasterIndex); err == nil {
			p.Master = m.Attrs().Name
		}
	}
	if a.Xdp != nil && a.Xdp.Attached {
		p.XDP = program(ebpf.ProgramID(a.Xdp.ProgId))
	}
	if yes, err := nic.Native(a.Index); err == nil {
		p.Native = answer(yes)
	}
	if yes, err := nic.ZeroCopy(a.Index); err == nil {
		p.ZeroCopy = answer(yes)
	}
	d, err := nic.Open(p.Netdev)
	if err != nil {
		return
	}
	defer d.Close()
	p.NIC = nic.Describe(d)
	p.Driver = p.NIC.Driver.Name
	if n := max(p.NIC.Channels.Combined, p.NIC.Channels.RX); n > 0 {
		p.Queues = n
	}
}

// program is what an XDP program is called, empty if it is nave's.
func program(id ebpf.ProgramID) string {
	p, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return fmt.Sprintf("number %d", id)
	}
	defer p.Close()
	info, err := p.Info()
	switch {
	case err != nil || info.Name == "":
		return fmt.Sprintf("number %d", id)
	case info.Name == ours:
		return ""
	}
	return fmt.Sprintf("%s, number %d", info.Name, id)
}

// fromSys reads what the file system says of a netdev.
func (g *gatherer) fromSys(p *Port) {
	dev := "sys/class/net/" + p.Netdev
	p.Virtual = len(g.glob(dev, "device")) == 0
	p.Node = -1
	if n, ok := g.number(dev, "device/numa_node"); ok {
		p.Node = n
	}
	p.RPFilter, _ = g.number("proc/sys/net/ipv4/conf", p.Netdev, "rp_filter")
	for _, i := range g.glob(dev, "device/msi_irqs/[0-9]*") {
		n, err := strconv.Atoi(filepath.Base(i))
		if err != nil {
			continue
		}
		irq := "proc/irq/" + strconv.Itoa(n)
		cpus := list(g.read(irq, "effective_affinity_list"))
		if len(cpus) == 0 {
			cpus = list(g.read(irq, "smp_affinity_list"))
		}
		p.IRQs = append(p.IRQs, IRQ{Number: n, CPUs: cpus})
	}
	p.Unmanaged = g.unmanaged(p.Netdev)
}

// unmanaged is whether NetworkManager leaves a netdev alone, as it notes for itself.
func (g *gatherer) unmanaged(netdev string) Answer {
	if g.f.Services["NetworkManager"] == 0 {
		return Unknown
	}
	index, ok := g.number("sys/class/net", netdev, "ifindex")
	if !ok {
		return Unknown
	}
	text := g.read("run/NetworkManager/devices", strconv.Itoa(index))
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "managed="); ok {
			return answer(v != "true" && v != "1")
		}
	}
	return Unknown
}
