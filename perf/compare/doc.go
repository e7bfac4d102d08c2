// Package compare runs what a user could pick instead of nave beside it, on the same work in one run, and says how they relate: DPDK's testpmd over its null
// device and over AF_XDP and AF_PACKET, the cipher of dpdk-test-crypto-perf, wireguard-go. All of it comes from Debian.
//
// VPP is no package of Debian. What it takes was measured on one machine, in ticks a packet (published.go), and what testpmd and the cipher took there,
// too: by those two, measured here, its figures are carried over to this machine.
package compare
