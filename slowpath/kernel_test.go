package slowpath

import (
	"testing"
	"time"

	"nave/fastpath/fib"
	"nave/slowpath/bgp"
	"nave/slowpath/rib"
)

// kernelRoute is one by a gateway on b's Ethernet1.
func kernelRoute(vrf fib.VRF, prefix string, protocol uint8) KernelRoute {
	return KernelRoute{VRF: vrf, Prefix: pfx(prefix), Protocol: protocol, Metric: 20, Hops: []rib.NextHop{{Iface: "Ethernet1", Addr: ip("10.5.0.9")}}}
}

// Routes of the kernel stand where the configuration wants them, by the distance of who put them there, against EIGRP and static routes.
func TestKernelRoutes(t *testing.T) {
	n, a, b := pair(t)
	a.ethernet("Ethernet1", 0, "10.1.0.1/24", nil)
	a.config.EIGRP[0].Run.Interfaces = append(a.config.EIGRP[0].Run.Interfaces, a.process(0, 1, "Ethernet1").Run.Interfaces...)
	a.config.EIGRP = a.config.EIGRP[:1]
	b.ethernet("Ethernet1", 0, "10.5.0.2/24", nil)
	b.config.Statics[0] = []rib.StaticRoute{{Prefix: pfx("10.8.0.0/16")}}
	n.configure()
	n.run(10 * time.Second)
	tell := func(k ...KernelRoute) {
		t.Helper()
		b.At(n.now).KernelRoutes(k)
		n.run(time.Second)
	}
	tell(
		kernelRoute(0, "10.1.0.0/24", protoOSPF), kernelRoute(0, "10.2.0.0/24", protoOSPF), kernelRoute(0, "10.3.0.0/24", protoRIP), kernelRoute(0, "10.4.0.0/24", 4),
		kernelRoute(0, "10.8.0.0/16", protoOSPF), kernelRoute(0, "10.9.0.0/24", protoRA), kernelRoute(0, "10.10.0.0/24", protoRedirect), kernelRoute(0, "10.11.0.0/24", protoKernel),
		kernelRoute(0, "10.12.0.0/24", protoBGP), kernelRoute(0, "10.13.0.0/24", protoDHCP), kernelRoute(0, "10.14.0.0/24", 11), kernelRoute(0, "10.15.0.0/24", protoISIS),
		KernelRoute{Prefix: pfx("10.16.0.0/24"), Protocol: 3, Discard: true}, KernelRoute{Prefix: pfx("10.17.0.0/24"), Protocol: 3},
		kernelRoute(red, "10.18.0.0/24", 4),
	)
	b.want(0, map[string]string{"10.2.0.0/24": "none", "10.16.0.0/24": "none", "10.1.0.0/24": "eigrp/100 90 Ethernet0 10.0.0.1"}) // nobody wants them
	b.config.Kernel[0] = KernelImport{}
	b.config.EIGRP[0].Redistribute = []EIGRPSource{{Source: rib.Kernel, Set: someMetric}}
	b.config.BGP = BGP{On: true, Redistribute: []Redistribute{{Source: rib.Kernel}}}
	b.configure()
	n.run(time.Second)
	by := " Ethernet1 10.5.0.9"
	b.want(0, map[string]string{
		"10.1.0.0/24": "eigrp/100 90 Ethernet0 10.0.0.1", "10.2.0.0/24": "kernel 110" + by, "10.3.0.0/24": "kernel 120" + by, "10.4.0.0/24": "kernel 1" + by,
		"10.8.0.0/16": "static 1 null", "10.9.0.0/24": "none", "10.10.0.0/24": "none", "10.11.0.0/24": "none", "10.12.0.0/24": "kernel 20" + by,
		"10.13.0.0/24": "kernel 254" + by, "10.14.0.0/24": "kernel 1" + by, "10.15.0.0/24": "kernel 115" + by, "10.16.0.0/24": "kernel 1 null", "10.17.0.0/24": "none",
	})
	b.want(red, map[string]string{"10.18.0.0/24": "none"})
	a.want(0, map[string]string{"10.2.0.0/24": "eigrp/100 170 Ethernet0 10.0.0.2", "10.8.0.0/16": "none", "10.16.0.0/24": "eigrp/100 170 Ethernet0 10.0.0.2"})
	if x := external(a, "10.2.0.0/24"); x != "ospf 0 20" {
		t.Error(x)
	}
	if l, ok := b.said[bgp.Key{Prefix: pfx("10.2.0.0/24")}]; !ok || l.Metric != 20 || len(b.said) != 8 {
		t.Errorf("BGP announces %+v", b.said)
	}
	// EIGRP's loses to a lesser distance, and then is no news to its neighbor; what the kernel has no more goes.
	tell(kernelRoute(0, "10.1.0.0/24", protoBGP), KernelRoute{Prefix: pfx("10.2.0.0/24"), Gone: true}, kernelRoute(0, "10.3.0.0/24", protoRA))
	b.want(0, map[string]string{"10.1.0.0/24": "kernel 20" + by, "10.2.0.0/24": "none", "10.3.0.0/24": "none"})
	a.want(0, map[string]string{"10.1.0.0/24": "connected 0 Ethernet1", "10.2.0.0/24": "none", "10.3.0.0/24": "none"})
	tell(kernelRoute(0, "10.1.0.0/24", protoOSPF))
	b.want(0, map[string]string{"10.1.0.0/24": "eigrp/100 90 Ethernet0 10.0.0.1"})
	// One distance for all, and a link that is down.
	b.config.Kernel[0] = KernelImport{Distance: 80}
	b.configure()
	b.want(0, map[string]string{"10.1.0.0/24": "kernel 80" + by, "10.4.0.0/24": "kernel 80" + by, "10.8.0.0/16": "static 1 null"})
	b.link("Ethernet1").Up = false
	b.configure()
	n.run(time.Second)
	b.want(0, map[string]string{"10.1.0.0/24": "eigrp/100 90 Ethernet0 10.0.0.1", "10.4.0.0/24": "none", "10.16.0.0/24": "kernel 80 null"})
	a.want(0, map[string]string{"10.4.0.0/24": "none"})
	b.config.Kernel = nil
	b.configure()
	b.want(0, map[string]string{"10.16.0.0/24": "none"})
}

// What is known of the kernel's table of a VRF is forgotten with it.
func TestKernelRoutesOfVRF(t *testing.T) {
	n := newEIGRPNet(t)
	b := n.box("b")
	b.config.VRFs = []VRF{{ID: red, Name: "red"}}
	b.ethernet("Ethernet1", red, "10.5.0.2/24", nil)
	b.config.Kernel[red] = KernelImport{}
	b.At(n.now).KernelRoutes([]KernelRoute{kernelRoute(red, "10.1.0.0/24", 4)}) // before the configuration
	b.configure()
	b.want(red, map[string]string{"10.1.0.0/24": "kernel 1 Ethernet1 10.5.0.9"})
	b.want(0, map[string]string{"10.1.0.0/24": "none"})
	was := b.config
	b.config.VRFs, b.config.Interfaces, b.config.Kernel = nil, nil, nil
	b.configure()
	b.config = was
	b.configure()
	b.want(red, map[string]string{"10.1.0.0/24": "none", "10.5.0.0/24": "connected 0 Ethernet1"})
}
