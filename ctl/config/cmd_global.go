package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"nave/ctl/config/grammar"
	"nave/ctl/password"
)

// globalCommands are the commands of the top level that stand by themselves.
func globalCommands() []*spec {
	return []*spec{
		cmd("hostname ~ <name>", "Name of this router", func(x *ctx) { x.cfg.Hostname = x.str("name") }),
		cmd("enable {secret|password} ~ [{0|5|8|9}] <value:secret>", "Password of privileged exec", setEnable),
		cmd("interface <interface:interface>", "Configure a port, a loopback or a tunnel", enterInterface),
		cmd("ip host <hostname> ~ <address:ip>", "Address of a host by name", func(x *ctx) {
			update(x, &x.cfg.Hosts, Host{x.Text("hostname"), x.IP("address")}, func(h Host) bool { return h.Name == x.Text("hostname") })
		}),
		cmd("call admission limit ~ <percent:1-100>", "Refuse new IKE sessions above this system load", func(x *ctx) {
			x.cfg.CallAdmission.Load = x.num("percent")
		}).def("no limit"),
		cmd("crypto call admission limit ike sa ~ <count:0-99999>", "Most IKE SAs at a time", func(x *ctx) {
			x.cfg.CallAdmission.SA = x.num("count")
		}).def("0, no limit"),
		cmd("crypto call admission limit ike in-negotiation-sa ~ <count:10-99999>", "Most IKE SAs in negotiation at a time",
			func(x *ctx) { x.cfg.CallAdmission.InNegotiation = x.num("count") }).def("no limit"),
		cmd("platform hardware profile ~ <profile>", "Behave like this hardware", func(x *ctx) {
			x.cfg.Platform.HardwareProfile = x.str("profile")
		}).def("none").nave(),
		cmd("fastpath workers ~ {process|thread}", "Poll in processes of their own or in threads of the daemon", func(x *ctx) {
			x.cfg.Fastpath.Workers = ""
			if x.on() {
				x.cfg.Fastpath.Workers = x.OneOf("process", "thread")
			}
		}).def("process").nave(),
		cmd("fastpath poll ~ {strict|adaptive}", "Spin for ever, or sleep while there is no traffic", func(x *ctx) {
			x.cfg.Fastpath.Poll = ""
			if x.on() {
				x.cfg.Fastpath.Poll = x.OneOf("strict", "adaptive")
			}
		}).def("adaptive").nave(),
		cmd("fastpath cpu ~ <cpulist>", "CPUs of the workers, such as 2,4-7", setCPUs).nave(),
		cmd("fastpath count ~ <workers:1-64>", "Number of workers", func(x *ctx) { x.cfg.Fastpath.Count = x.num("workers") }).nave(),
		cmd("fastpath ring ~ <descriptors:64-65536>", "Descriptors of each ring, a power of two", func(x *ctx) {
			n := x.num("descriptors")
			if n&(n-1) != 0 {
				x.bad("take 2048 or 4096", "%d is not a power of two", n)
				return
			}
			x.cfg.Fastpath.QueueDepth = n
		}).nave(),
		cmd("fastpath hand-over ~ {auto|on|off}", "Hand packets over to the worker that their flow belongs to", func(x *ctx) {
			x.cfg.Fastpath.HandOver = ""
			if x.on() {
				x.cfg.Fastpath.HandOver = x.OneOf("auto", "on", "off")
			}
		}).def("auto: where a port does not spread packets over all workers itself").nave(),
		cmd("fastpath spread ~ {auto|rss|ntuple|off}", "Program how network cards spread packets over their queues", func(x *ctx) {
			x.cfg.Fastpath.Spread = ""
			if x.on() {
				x.cfg.Fastpath.Spread = x.OneOf("auto", "rss", "ntuple", "off")
			}
		}).def("auto: RSS, or filter rules where there is no RSS").nave(),
		cmd("fastpath flows ~ <flows:0-16777216>", "Flows that each worker remembers and counts; 0: none", func(x *ctx) {
			x.cfg.Fastpath.Flows = x.num("flows")
		}).def("0").nave(),
		cmd("fastpath busy-poll ~ <microseconds:1-10000> [budget <packets:8-64>]", "Drive the queues by polling instead of interrupts", func(x *ctx) {
			x.cfg.Fastpath.BusyPoll, x.cfg.Fastpath.BusyBudget = 0, 0
			if x.on() {
				x.cfg.Fastpath.BusyPoll, x.cfg.Fastpath.BusyBudget = x.num("microseconds"), x.num("packets")
			}
		}).def("off").nave(),
	}
}

func setEnable(x *ctx) {
	x.cfg.Enable, x.cfg.EnableHashed = x.secret("value"), 0
	if !x.on() {
		return
	}
	if k := x.OneOf("5", "8", "9"); k != "" {
		x.cfg.EnableHashed, _ = strconv.Atoi(k)
	}
	if err := password.Check(x.cfg.EnableHashed, x.cfg.Enable.Reveal()); err != nil {
		x.report(Warning, "enable-secret", err.Error()+": nobody can enable by it", "write the password itself, or what `nave hash-password` makes of it after `enable secret 9`")
	}
}

// maxWorkers is how many workers the fast path can have.
const maxWorkers = 64

// setCPUs reads a list such as 1,3-5.
func setCPUs(x *ctx) {
	if !x.on() {
		x.cfg.Fastpath.CPUs = nil
		return
	}
	const limit = 4096
	seen := map[int]bool{}
	for _, part := range strings.Split(x.Text("cpulist"), ",") {
		lo, hi, isRange := strings.Cut(part, "-")
		if !isRange {
			hi = lo
		}
		a, err1 := strconv.ParseUint(lo, 10, 16)
		b, err2 := strconv.ParseUint(hi, 10, 16)
		if err1 != nil || err2 != nil || a > b || b >= limit {
			x.bad("write numbers and ranges: 1,3-5", "%q is no list of CPUs", x.Text("cpulist"))
			return
		}
		for c := a; c <= b; c++ {
			seen[int(c)] = true
		}
	}
	var cpus []int
	for c := range seen {
		cpus = append(cpus, c)
	}
	if len(cpus) > maxWorkers {
		x.bad(fmt.Sprintf("name %d at most", maxWorkers), "%d CPUs, and each is to have a worker", len(cpus))
		return
	}
	slices.Sort(cpus)
	x.cfg.Fastpath.CPUs = cpus
}

func enterInterface(x *ctx) {
	name := x.Text("interface")
	if !x.on() {
		remove(&x.cfg.Interfaces, func(i *Interface) bool { return i.Name == name })
		return
	}
	ifc := x.cfg.ensureInterface(name, x.pos)
	fr := x.push(mInterface, ifc, &ifc.Lines)
	fr.sink = &ifc.Ignored
}

// Interface returns the interface with the canonical name, nil if it is not configured.
func (c *Config) Interface(name string) *Interface {
	for _, i := range c.Interfaces {
		if i.Name == name {
			return i
		}
	}
	return nil
}

func (c *Config) ensureInterface(name string, pos Pos) *Interface {
	if i := c.Interface(name); i != nil {
		return i
	}
	i := &Interface{Name: name, Pos: pos}
	at, _ := slices.BinarySearchFunc(c.Interfaces, name, func(e *Interface, n string) int {
		return grammar.CompareInterfaces(e.Name, n)
	})
	c.Interfaces = slices.Insert(c.Interfaces, at, i)
	return i
}

// routeCommands are the static routes.
func routeCommands() []*spec {
	return []*spec{
		cmd("ip route [vrf <vrf>] <prefix:ip> <mask:mask> ~ {<nexthop:ip>|dhcp|<interface:interface> [{<nexthop:ip>|dhcp}]} [global] "+
			"[<distance:1-255>] [{name <routename>|tag <tag:1-4294967295>|permanent}...]", "Static route", setRoute),
		cmd("ip route import kernel ~ [vrf <vrf>] [distance <distance:1-255>]", "Take routes that others put into the kernel's table",
			func(x *ctx) {
				k := KernelImport{x.str("vrf"), uint8(x.num("distance"))}
				update(x, &x.cfg.KernelImport, k, func(o KernelImport) bool { return o.VRF == x.Text("vrf") })
			}).nave(),
	}
}

func setRoute(x *ctx) {
	p, ok := x.network("prefix", "mask")
	if !ok {
		return
	}
	r := StaticRoute{VRF: x.Text("vrf"), Prefix: p, NextHop: x.IP("nexthop"), Interface: x.Text("interface"),
		DHCP: x.Has("dhcp"), Global: x.Has("global"), Distance: uint8(x.Uint("distance")), Tag: uint32(x.Uint("tag")),
		Name: x.Text("routename"), Permanent: x.Has("permanent"), Pos: x.pos}
	if x.on() {
		if r.NextHop.IsValid() && !usable(r.NextHop) {
			x.bad("name the router to send to", "%s can't be a next hop", r.NextHop)
			return
		}
		put(&x.cfg.StaticRoutes, r, func(o StaticRoute) bool { return sameRoute(o, r) })
		return
	}
	all := !r.NextHop.IsValid() && r.Interface == "" && !r.DHCP
	remove(&x.cfg.StaticRoutes, func(o StaticRoute) bool {
		return o.VRF == r.VRF && o.Prefix == r.Prefix && (all || sameRoute(o, r))
	})
}

// sameRoute tells whether two routes differ in nothing but distance, tag and name.
func sameRoute(a, b StaticRoute) bool {
	return a.VRF == b.VRF && a.Prefix == b.Prefix && a.NextHop == b.NextHop && a.Interface == b.Interface && a.DHCP == b.DHCP
}

// usable tells whether an address can be a host's.
func usable(a netip.Addr) bool {
	b := a.As4()
	return !a.IsUnspecified() && !a.IsMulticast() && b[0] < 240 && b[0] != 0
}

// vrfCommands define VRFs.
func vrfCommands() []*spec {
	enter := func(definition bool, m modeID) func(x *ctx) {
		return func(x *ctx) {
			name := x.Text("vrf")
			if !x.on() {
				x.removeVRF(name)
				return
			}
			v := named(&x.cfg.VRFs, name, func(v *VRF) string { return v.Name }, func() *VRF {
				return &VRF{Name: name, Definition: definition, Pos: x.pos}
			})
			if v.Definition != definition {
				x.report(Error, "vrf-form", fmt.Sprintf("VRF %s is already defined in the other form", name),
					"use `ip vrf` or `vrf definition` for one VRF, not both")
				return
			}
			x.push(m, v, &v.Lines)
		}
	}
	return []*spec{
		cmd("ip vrf <vrf>", "Define a VRF", enter(false, mVRF)),
		cmd("vrf definition <vrf>", "Define a VRF", enter(true, mVRFDefinition)),
	}
}

// removeVRF takes the VRF away and, as they belong to it, its static routes and the addresses of its interfaces.
func (x *ctx) removeVRF(name string) {
	if !remove(&x.cfg.VRFs, func(v *VRF) bool { return v.Name == name }) {
		return
	}
	for _, i := range x.cfg.Interfaces {
		if i.VRF == name {
			x.moveVRF(i, "")
		}
	}
	remove(&x.cfg.StaticRoutes, func(r StaticRoute) bool { return r.VRF == name })
}

// VRF returns the VRF with the name, nil if it is not defined.
func (c *Config) VRF(name string) *VRF {
	for _, v := range c.VRFs {
		if v.Name == name {
			return v
		}
	}
	return nil
}

func (x *ctx) vrf() *VRF { return x.top().obj.(*VRF) }

func vrfModeCommands() []*spec {
	return join(vrfNamingCommands(), routeTargetCommands())
}

func vrfNamingCommands() []*spec {
	return []*spec{
		cmd("rd ~ <rd:rd>", "Route distinguisher", func(x *ctx) {
			x.vrf().RD = RD{}
			if x.on() {
				x.vrf().RD = x.rd("rd")
			}
		}),
		cmd("description ~ <text:line>", "Free text", func(x *ctx) { x.vrf().Description = x.str("text") }),
	}
}

func routeTargetCommands() []*spec {
	return []*spec{
		cmd("route-target [{import|export|both}] <rt:rd>", "Communities that routes are exported with or imported by", func(x *ctx) {
			rt, dir, v := x.rd("rt"), x.OneOf("import", "export"), x.vrf()
			if dir != "export" {
				update(x, &v.Import, rt, equals(rt))
			}
			if dir != "import" {
				update(x, &v.Export, rt, equals(rt))
			}
		}),
		cmd("import map ~ <routemap>", "Route map for imported routes", func(x *ctx) { x.vrf().ImportMap = x.str("routemap") }),
		cmd("export map ~ <routemap>", "Route map for exported routes", func(x *ctx) { x.vrf().ExportMap = x.str("routemap") }),
	}
}

func vrfDefinitionCommands() []*spec {
	return join(vrfNamingCommands(), routeTargetCommands(), []*spec{
		cmd("address-family ipv4 [unicast]", "IPv4 part of the VRF", func(x *ctx) {
			if x.on() {
				x.push(mVRFFamily, x.vrf(), &x.vrf().Lines)
			}
		}),
		not("address-family ipv6", "IPv6 part of the VRF", "nave forwards IPv4 only", "leave the IPv6 address family out"),
	})
}

func vrfFamilyCommands() []*spec { return join(routeTargetCommands(), exitFamily()) }

// parseRD reads ASN:number or address:number.
func parseRD(s string) (RD, bool) {
	admin, num, ok := strings.Cut(s, ":")
	n, err := strconv.ParseUint(num, 10, 32)
	if !ok || err != nil {
		return RD{}, false
	}
	if ip, err := netip.ParseAddr(admin); err == nil {
		return RD{Addr: ip, Number: uint32(n)}, true
	}
	as, ok := grammar.ASN(admin)
	return RD{AS: as, Number: uint32(n)}, ok
}

// String prints the route distinguisher as it was written.
func (r RD) String() string {
	if r.Addr.IsValid() {
		return fmt.Sprintf("%s:%d", r.Addr, r.Number)
	}
	return fmt.Sprintf("%d:%d", r.AS, r.Number)
}
