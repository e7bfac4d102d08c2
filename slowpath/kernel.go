package slowpath

import (
	"maps"
	"slices"

	"nave/fastpath/fib"
	"nave/slowpath/eigrp/eigrpmsg"
	"nave/slowpath/rib"
)

// shared is what others have put into the kernel's tables.
type shared struct {
	imports map[fib.VRF]KernelImport
	routes  map[fib.RouteKey]KernelRoute // of all tables, in the RIB or not
}

func newShared() shared {
	return shared{routes: make(map[fib.RouteKey]KernelRoute)}
}

// Numbers of rtm_protocol (linux/rtnetlink.h) that mean something here.
const (
	protoRedirect = 1 // an ICMP redirect
	protoKernel   = 2 // subnets of addresses
	protoRA       = 9 // a router advertisement
	protoDHCP     = 16
	protoBGP      = 186
	protoISIS     = 187
	protoOSPF     = 188
	protoRIP      = 189
	protoEIGRP    = 192
)

// kernelDistances are the administrative distances of IOS for the protocol that a route in the kernel is of. BGP's is that of eBGP: the kernel does not tell it from iBGP.
// All others have a static route's distance: somebody has set them (`ip route` says boot or static), or a daemon that does not say by which protocol it has
// learned them (BIRD, old versions of Zebra), and they are in the kernel because they are wanted there.
var kernelDistances = map[uint8]uint8{protoDHCP: 254, protoBGP: 20, protoISIS: 115, protoOSPF: 110, protoRIP: 120, protoEIGRP: 90}

// ofNobody tells whether a route is one that no router goes by: of addresses, which nave has itself, or what any host on a link could say.
func ofNobody(protocol uint8) bool {
	return protocol == protoRedirect || protocol == protoKernel || protocol == protoRA
}

// kernelProtocol is what an external route of EIGRP says that a route of the kernel is from.
func kernelProtocol(protocol uint8) eigrpmsg.Protocol {
	switch protocol {
	case protoBGP:
		return eigrpmsg.FromBGP
	case protoISIS:
		return eigrpmsg.FromISIS
	case protoOSPF:
		return eigrpmsg.FromOSPF
	case protoRIP:
		return eigrpmsg.FromRIP
	case protoEIGRP:
		return eigrpmsg.FromEIGRP
	}
	return eigrpmsg.FromStatic
}

// forget drops what is known of a table that is no more.
func (s *shared) forget(vrf fib.VRF) {
	maps.DeleteFunc(s.routes, func(k fib.RouteKey, _ KernelRoute) bool { return k.VRF == vrf })
}

// KernelRoutes tells of routes that others put into the kernel's tables, or took from there.
func (r *Router) KernelRoutes(changed []KernelRoute) {
	_ = r.step(func() {
		for i := range changed {
			c := changed[i]
			c.Prefix = c.Prefix.Masked()
			k := fib.RouteKey{VRF: c.VRF, Prefix: c.Prefix}
			if c.Gone {
				delete(r.kernel.routes, k)
			} else {
				c.Hops = slices.Clone(c.Hops)
				r.kernel.routes[k] = c
			}
			r.importRoute(k)
		}
	}) // an error stands in Status
}

// importRoute brings the RIB in line with what the kernel has of a prefix.
func (r *Router) importRoute(k fib.RouteKey) {
	in, wanted := r.kernel.imports[k.VRF]
	c, there := r.kernel.routes[k]
	if !wanted || !there || ofNobody(c.Protocol) || len(c.Hops) == 0 && !c.Discard {
		r.rib.DelRoute(k.VRF, k.Prefix, rib.Kernel, 0)
		return
	}
	distance := in.Distance
	if distance == 0 {
		distance = kernelDistances[c.Protocol]
	}
	r.rib.SetRoute(k.VRF, k.Prefix, rib.Learned{
		Source: rib.Kernel, Distance: int(distance), Metric: c.Metric, Hops: c.Hops, Discard: c.Discard, Since: r.now,
	})
}

// configureKernel takes routes of the kernel into the tables that are to have them, and out of others.
func (r *Router) configureKernel(c *Config) {
	was := r.kernel.imports
	r.kernel.imports = maps.Clone(c.Kernel)
	changed := make(map[fib.VRF]bool)
	for vrf, in := range c.Kernel {
		if old, had := was[vrf]; !had || old != in {
			changed[vrf] = true
		}
	}
	for vrf := range was {
		if _, is := c.Kernel[vrf]; !is {
			changed[vrf] = true
		}
	}
	if len(changed) == 0 {
		return
	}
	for _, k := range sortedKeys(r.kernel.routes) {
		if changed[k.VRF] {
			r.importRoute(k)
		}
	}
}
