package main

import "nave/perf/ends"

func init() {
	commands = append(commands,
		command{"gen", "sends packets of a mix at a rate, by live XDP frames, AF_XDP or AF_PACKET", ends.Gen},
		command{"sink", "counts what arrives: losses, order, latency", ends.Sink},
	)
}
