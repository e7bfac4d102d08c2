// Package stall measures how long a poll loop stands still while a control plane beside it allocates a gigabyte a second and has its garbage collected: the longest that a
// packet may wait for reasons that have nothing to do with packets.
//
// Three kinds of loop are compared, in turns, so that what else the machine does meets all alike:
//
//	thread   a worker of the fast path as a goroutine of the busy process
//	process  the same worker in a process of its own with one CPU, as `fastpath workers process` has it
//	loop     a few instructions that read the time stamp counter, with no runtime that could stop them: what any program on this machine must bear
//
// The workers forward a burst in every poll. Gaps are between one poll's look at its port and the next one's. Each part is a process that the program starts as
// itself once more; the busy process stays off the CPU of the loop, unless it is a thread of it, or is told to run anywhere.
package stall
