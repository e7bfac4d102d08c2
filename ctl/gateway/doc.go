// Package gateway is the composition root: it makes a box of a configuration.
//
//	translate.go  the configuration tree, and what the box has, into what the control plane is told
//	translate_ipsec.go translate_ike.go  the same of IPsec and IKE
//	core.go       the Core: tree, facts and Router together, without goroutines or Linux; the simulator runs it too
//	gateway.go    the Gateway: a Core on a Linux box, with its goroutines
//	space.go      routing tables as network namespaces: those of VRFs
//	ports.go      netdevs as ports: addresses, AF_XDP sockets, steering
//	place.go      ports that go to the namespaces of VRFs, and come home
//	linux.go      what the control plane asks of Linux
//	ike.go        the sockets of IKE, the files of trustpoints, the load for call admission
//	twins.go      tunnel interfaces as TUN devices, subinterfaces as TAP devices
//	leases.go     DHCP
//	hardware.go   the hardware of a profile that a Core is like; hardware_limits.go, hardware_sample.go: its rate limiters, how it does
//	status.go     a copy of the state, for show output
package gateway
