package main

import (
	"nave/perf/ends"
	"nave/perf/ndr"
)

func init() {
	commands = append(commands,
		command{"gen", "sends packets of a mix at a rate, by live XDP frames, AF_XDP or AF_PACKET", ends.Gen},
		command{"sink", "counts what arrives: losses, order, latency", ends.Sink},
		command{"ndr", "searches the highest rate that a gateway forwards without loss, or with little", ndr.Command},
	)
}
