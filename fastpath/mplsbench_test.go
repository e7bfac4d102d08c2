package fastpath

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// labelBench is a row of BenchmarkPath: each packet belongs to one of many entries.
type labelBench struct {
	name  string
	frame []byte
	// vary makes a frame one of entry i.
	vary  func(i int, frame []byte)
	entry func(i int, b *fib.Batch)
}

const (
	benchLabel = 100_000
	benchAdj   = fib.AdjID(100)
)

func labelBenches(body []byte) []labelBench {
	be := binary.BigEndian
	setLabel := func(i int, f []byte) {
		be.PutUint32(f[packet.EthernetLen:], uint32(lab(uint32(benchLabel+i), 0, 64)|packet.LSEBottom))
	}
	setDst := func(i int, f []byte) {
		ip := packet.IPv4(f[packet.EthernetLen:])
		be.PutUint32(ip[16:], 10<<24|77<<16|uint32(i))
		ip[10], ip[11] = 0, 0
		be.PutUint16(ip[10:], packet.Checksum(ip[:packet.IPv4Len]))
	}
	prefix := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, byte(i >> 8), byte(i)}), 32)
	}
	pushes := func(i int) fib.Adjacency {
		a := linkAdj(benchAdj+fib.AdjID(i), lan, lanMAC, hostMAC)
		a.Labels = []uint32{uint32(200_000 + i)}
		return a
	}
	return []labelBench{
		{"ipv4-routes", toWAN(ipv4(behind1, hostIP, body)), setDst, func(i int, b *fib.Batch) {
			b.Routes = append(b.Routes, fib.Route{Prefix: prefix(i), Paths: []fib.AdjID{adjHost}})
		}},
		{"mpls-push", toWAN(ipv4(behind1, hostIP, body)), setDst, func(i int, b *fib.Batch) {
			b.Adjacencies = append(b.Adjacencies, pushes(i))
			b.Routes = append(b.Routes, fib.Route{Prefix: prefix(i), Paths: []fib.AdjID{benchAdj + fib.AdjID(i)}})
		}},
		{"mpls-swap", labelled(ipv4(behind1, hostIP, body), lab(benchLabel, 0, 64)), setLabel, func(i int, b *fib.Batch) {
			b.Adjacencies = append(b.Adjacencies, pushes(i))
			b.Labels = append(b.Labels, fib.Label{In: uint32(benchLabel + i), Action: fib.LabelSwap, Paths: []fib.AdjID{benchAdj + fib.AdjID(i)}})
		}},
		{"mpls-pop", labelled(ipv4(behind1, inVPNHost, body), lab(benchLabel, 0, 64)), setLabel, func(i int, b *fib.Batch) {
			b.Labels = append(b.Labels, fib.Label{In: uint32(benchLabel + i), Action: fib.LabelLookup, VRF: vpn})
		}},
	}
}

// benchmarkLabels is the rows of BenchmarkPath with labels, and what they compare with.
func benchmarkLabels(b *testing.B, size int, body []byte) {
	for _, c := range labelBenches(body) {
		for _, entries := range []int{1, 10_000} {
			b.Run(fmt.Sprintf("%s/%d/%d", c.name, size, entries), func(b *testing.B) {
				frames := flows(benchBurst, func(i int) []byte {
					f := append([]byte(nil), c.frame...)
					c.vary(i%entries, f)
					return f
				})
				next := 0
				vary := func(f []byte) {
					next = (next + 7919) % entries // not in the order of the tables
					c.vary(next, f)
				}
				if entries == 1 {
					vary = nil
				}
				benchmarkVaried(b, wan, frames, vary, withLabels, func(cfg *Config, batch *fib.Batch) {
					cfg.ArenaBytes, cfg.MaxAdjacencies, cfg.MaxRoutes = 64<<20, 1<<15, 1<<15
					for i := range entries {
						c.entry(i, batch)
					}
				})
			})
		}
	}
}
