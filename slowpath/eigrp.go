package slowpath

import (
	"nave/fastpath/fib"
	"nave/slowpath/eigrp"
)

// EIGRP takes a packet of IP protocol 88 that came to an address of this router or to the group, by an interface of the VRF. The AS in it says which process it is for.
func (r *Router) EIGRP(vrf fib.VRF, p eigrp.PacketReceived) {}

// ShutDownEIGRP has all processes say goodbye. It is the last that the Router does.
func (r *Router) ShutDownEIGRP() {}

// ClearEIGRP ends neighbors of a process, which begin anew.
func (r *Router) ClearEIGRP(k EIGRPKey, c eigrp.Clear) {}

// EIGRPStatus is what the processes know, in the order of VRF and AS; with topology, their topology tables, too.
func (r *Router) EIGRPStatus(topology bool) []EIGRPStatus { return nil }

// KernelRoutes tells of routes that others put into the kernel's tables, or took from there.
func (r *Router) KernelRoutes(changed []KernelRoute) {}
