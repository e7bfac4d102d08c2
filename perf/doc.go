// Package perf measures nave. Its benchmark forwards over real links; the folders below have the parts of naveperf: path, stall and baseline for what is in
// memory, mix, gen, sink, xdp and ends for traffic, ndr for rates without loss, rig for places to measure in, compare for what others do, and trex and
// pktgen for generators that are not ours.
package perf
