// Package path measures the forwarding path in memory: one worker with the tables and the code of a gateway, between two ports that cost nothing.
//
// A burst of frames stands ready in the worker's memory; one call of Poll takes it in, forwards it and hands it to the port that it leaves by. The time
// stamp counter is read right before and right after the call, so a row is all that a worker does for a packet, but for the ring of a real port. What makes the next
// burst ready happens outside: writing back the headers that forwarding changed, or, for sealed packets, sealing new ones
// with the next sequence numbers: AES-GCM by the library's cipher, everything else by a second engine, the far side.
//
// Every packet must leave, or the measurement ends with the reasons that packets were dropped for. Before a row is measured, a burst of it is compared with what
// should have come out, byte by byte; sealed packets are opened by a third engine, which knows the far side's keys.
//
// MeasureHardware measures what is left of that by the prices of hardware profiles, in the hardware's own time: packets that find no budget are dropped, and those that do are counted.
package path
