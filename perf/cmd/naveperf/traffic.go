package main

import (
	"nave/perf/compare"
	"nave/perf/ends"
	"nave/perf/ndr"
	"nave/perf/rig"
)

func init() {
	commands = append(commands,
		command{"gen", "sends packets of a mix at a rate, by live XDP frames, AF_XDP or AF_PACKET", ends.Gen},
		command{"sink", "counts what arrives: losses, order, latency", ends.Sink},
		command{"ndr", "searches the highest rate that a gateway forwards without loss, or with little", ndr.Command},
		command{"compare", "what a user could pick instead, beside nave on the same work: DPDK, wireguard-go, VPP's figures", compare.Command},
		command{"worker", "one worker on two interfaces, without a control plane: what compare puts beside others", rig.Command},
	)
}
