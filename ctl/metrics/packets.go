package metrics

import (
	"maps"
	"slices"
	"strconv"

	"nave/fastpath"
	"nave/fastpath/port/afxdp"
)

var boxFamilies = []*family{
	gauge("nave_build_info", "1, with the version that runs.", words("version"), func(s *sample, put put) { put(1, s.Version) }),
	gauge("nave_start_time_seconds", "When naved started, in seconds since 1970.", nil, func(s *sample, put put) {
		put(float64(s.Started.UnixNano()) / 1e9)
	}),
	gauge("nave_configuration_problems", "Parts of the configuration that are not carried out (the log and `nave check` name them).", nil, func(s *sample, put put) {
		put(float64(len(s.Problems)))
	}),
	counter("nave_control_queue_lost_total", "Punted packets and requests to the kernel that found their queue full.", nil, func(s *sample, put put) {
		put(float64(s.QueueLost))
	}),
	gauge("nave_takeover_inherited", "Entries of the fast path from before naved started that nothing has taken over yet.", words("table"), func(s *sample, put put) {
		put(float64(s.Router.Inherited.Adjacencies), "adjacencies")
		put(float64(s.Router.Inherited.Routes), "routes")
	}),
}

// ofWorkers makes a family's numbers of one number of each worker.
func ofWorkers(f func(w *fastpath.WorkerCount) uint64) func(s *sample, put put) {
	return func(s *sample, put put) {
		for k := range s.Fastpath.Workers {
			put(float64(f(&s.Fastpath.Workers[k])), strconv.Itoa(k))
		}
	}
}

var workerFamilies = []*family{
	counter("nave_worker_polls_total", "Polls of all queues.", words("worker"), ofWorkers(func(w *fastpath.WorkerCount) uint64 { return w.Polls })),
	counter("nave_worker_empty_polls_total", "Polls that found nothing: the worker's share without work.", words("worker"), ofWorkers(func(w *fastpath.WorkerCount) uint64 { return w.EmptyPolls })),
	counter("nave_worker_packets_total", "Packets taken from ports and from the control plane.", words("worker"), ofWorkers(func(w *fastpath.WorkerCount) uint64 { return w.Packets })),
	counter("nave_worker_injected_packets_total", "Of the packets, those from the control plane.", words("worker"), ofWorkers(func(w *fastpath.WorkerCount) uint64 { return w.Injected })),
	counter("nave_worker_forwarded_packets_total", "Packets sent on.", words("worker"), ofWorkers(func(w *fastpath.WorkerCount) uint64 { return w.Forwarded })),
	counter("nave_worker_labelled_packets_total", "Packets sent on by what their MPLS label says.", words("worker"), ofWorkers(func(w *fastpath.WorkerCount) uint64 { return w.Labelled })),
	counter("nave_worker_handed_over_packets_total", "Packets received and handed over to another worker.", words("worker"), ofWorkers(func(w *fastpath.WorkerCount) uint64 { return w.HandedOver })),
	counter("nave_worker_taken_over_packets_total", "Packets that another worker received and handed over.", words("worker"), ofWorkers(func(w *fastpath.WorkerCount) uint64 { return w.TakenOver })),
	counter("nave_worker_cycles_total", "Cycles of the CPU's time stamp counter in polls that found packets, without those of links.", words("worker"), ofWorkers(func(w *fastpath.WorkerCount) uint64 { return w.Ticks })),
	counter("nave_worker_link_cycles_total", "Cycles of those polls in which links sent.", words("worker"), ofWorkers(func(w *fastpath.WorkerCount) uint64 { return w.LinkTicks })),
	histogram("nave_worker_poll_packets", "Packets that a poll found.", words("worker"), pollPackets),
	gauge("nave_worker_up", "1 if the worker's process runs; only of workers with processes of their own.", words("worker"), func(s *sample, put put) {
		for _, w := range s.Workers {
			put(one(w.PID != 0), strconv.Itoa(w.Worker))
		}
	}),
	counter("nave_worker_restarts_total", "Times that the worker's process died and was started again.", words("worker"), func(s *sample, put put) {
		for _, w := range s.Workers {
			put(float64(w.Restarts), strconv.Itoa(w.Worker))
		}
	}),
}

// pollPackets makes a histogram of the fast path's: 0, 1, 2 to 3, 4 to 7 and so on.
func pollPackets(s *sample, put putHistogram) {
	for k := range s.Fastpath.Workers {
		w := &s.Fastpath.Workers[k]
		buckets, count := make(map[float64]uint64), uint64(0)
		for i, n := range w.Histogram {
			count += n
			if i < len(w.Histogram)-1 {
				buckets[float64(uint64(1)<<i-1)] = count
			}
		}
		put(count, float64(w.Packets), buckets, strconv.Itoa(k))
	}
}

// byReason makes a family's numbers of those of reasons of one class.
func byReason(class fastpath.Class, of func(s *sample, r fastpath.Reason) uint64) func(s *sample, put put) {
	return func(s *sample, put put) {
		for r := range fastpath.Reason(fastpath.NumReasons) {
			if r.Class() == class {
				put(float64(of(s, r)), r.String())
			}
		}
	}
}

func packetsOf(s *sample, r fastpath.Reason) uint64 { return s.Fastpath.Reasons[r] }

var packetFamilies = []*family{
	counter("nave_dropped_packets_total", "Packets dropped, by the reason that `show fastpath` explains.", words("reason"), byReason(fastpath.ClassDrop, packetsOf)),
	counter("nave_punted_packets_total", "Packets handed to the control plane in place of being forwarded.", words("reason"), byReason(fastpath.ClassPunt, packetsOf)),
	counter("nave_copied_packets_total", "Packets forwarded of which the control plane got a copy.", words("reason"), byReason(fastpath.ClassCopy, packetsOf)),
	counter("nave_lost_frames_total", "Frames that were ready to leave and did not.", words("reason"), byReason(fastpath.ClassLink, packetsOf)),
	counter("nave_lost_punts_total", "Punts and copies that came too fast for their ring or their rate.", words("reason"), lostPunts),
	counter("nave_policed_punts_total", "Punts that the control plane did not look at, as too many came of their kind.", words("reason"), func(s *sample, put put) {
		for r := range fastpath.Reason(fastpath.NumReasons) {
			if c := r.Class(); c == fastpath.ClassPunt || c == fastpath.ClassCopy {
				put(float64(s.Router.Policed[r]), r.String())
			}
		}
	}),
	counter("nave_steering_packets_total", "Packets by where steering sent them: nave, kernel, or dropped as no socket was there.", words("to"), func(s *sample, put put) {
		put(float64(s.Steering.Nave), "nave")
		put(float64(s.Steering.Kernel), "kernel")
		put(float64(s.Steering.NoSocket), "dropped")
	}),
	counter("nave_delivered_packets_total", "Packets out of tunnels and labels for the box itself, given to the kernel.", nil, func(s *sample, put put) { put(float64(s.Router.Packets.Delivered)) }),
	counter("nave_icmp_errors_total", "ICMP errors sent.", nil, func(s *sample, put put) { put(float64(s.Router.Packets.ICMPErrors)) }),
	counter("nave_reassembled_packets_total", "Packets for the box put together of fragments, and those given up.", words("result"), func(s *sample, put put) {
		r := &s.Router.Reassembly
		put(float64(r.Reassembled), "whole")
		put(float64(r.TimedOut), "timed-out")
		put(float64(r.Overlap+r.Broken), "malformed")
		put(float64(r.Full+r.Evicted), "no-room")
	}),
}

func lostPunts(s *sample, put put) {
	for r := range fastpath.Reason(fastpath.NumReasons) {
		if c := r.Class(); c == fastpath.ClassPunt || c == fastpath.ClassCopy {
			put(float64(s.Fastpath.Lost[r]), r.String())
		}
	}
}

// ofLinks makes a family's numbers of the counts of ports or tunnels.
func ofLinks(of func(s *sample) map[string]fastpath.LinkCount, rx, tx func(c fastpath.Count) uint64) func(s *sample, put put) {
	return func(s *sample, put put) {
		links := of(s)
		for _, name := range slices.Sorted(maps.Keys(links)) {
			n := links[name]
			put(float64(rx(n.Rx)), name, "receive")
			put(float64(tx(n.Tx)), name, "transmit")
		}
	}
}

func packets(c fastpath.Count) uint64 { return c.Packets }
func octets(c fastpath.Count) uint64  { return c.Bytes }

func portCounts(s *sample) map[string]fastpath.LinkCount {
	out := make(map[string]fastpath.LinkCount)
	for id, n := range s.Fastpath.Ports {
		if name, ok := s.ports[uint16(id)]; ok {
			out[name] = n
		}
	}
	return out
}

func tunnelCounts(s *sample) map[string]fastpath.LinkCount {
	out := make(map[string]fastpath.LinkCount)
	for id, n := range s.Fastpath.Tunnels {
		if name, ok := s.tuns[uint16(id)]; ok {
			out[name] = n
		}
	}
	return out
}

// ofQueues makes a family's numbers of one number of each queue.
func ofQueues(f func(n *afxdp.Stats) uint64) func(s *sample, put put) {
	return func(s *sample, put put) {
		for k := range s.Ports {
			for _, q := range s.Ports[k].Queues {
				put(float64(f(&q.Stats)), s.Ports[k].Name, strconv.Itoa(q.Queue))
			}
		}
	}
}

var linkFamilies = []*family{
	gauge("nave_port_up", "1 if the port's link is up.", words("port", "netdev"), func(s *sample, put put) {
		for _, p := range s.Ports {
			put(one(p.Up), p.Name, p.Netdev)
		}
	}),
	counter("nave_port_packets_total", "Frames of ports and subinterfaces that nave received and sent.", words("port", "direction"), ofLinks(portCounts, packets, packets)),
	counter("nave_port_bytes_total", "Bytes of those frames.", words("port", "direction"), ofLinks(portCounts, octets, octets)),
	counter("nave_queue_dropped_packets_total", "Packets that the kernel had no chunk for, or that were too long.", words("port", "queue"), ofQueues(func(n *afxdp.Stats) uint64 { return n.Dropped })),
	counter("nave_queue_ring_full_total", "Packets that came faster than the worker took them.", words("port", "queue"), ofQueues(func(n *afxdp.Stats) uint64 { return n.RingFull })),
	counter("nave_queue_wakeups_total", "System calls for the queue.", words("port", "queue"), ofQueues(func(n *afxdp.Stats) uint64 { return n.Wakeups })),
	counter("nave_queue_invalid_descriptors_total", "Descriptors that could not be: a fault of nave or the driver.", words("port", "queue"), ofQueues(func(n *afxdp.Stats) uint64 { return n.Invalid })),
	gauge("nave_queue_zero_copy", "1 if packets reach the queue without being copied.", words("port", "queue"), func(s *sample, put put) {
		for _, p := range s.Ports {
			for _, q := range p.Queues {
				put(one(q.ZeroCopy), p.Name, strconv.Itoa(q.Queue))
			}
		}
	}),
	gauge("nave_tunnel_up", "1 if the tunnel is up: it has its source, and is not shut down.", words("tunnel"), func(s *sample, put put) {
		for _, i := range s.Router.Interfaces {
			if i.Tunnel != nil {
				put(one(i.Up), i.Name)
			}
		}
	}),
	counter("nave_tunnel_packets_total", "Packets inside the tunnel.", words("tunnel", "direction"), ofLinks(tunnelCounts, packets, packets)),
	counter("nave_tunnel_bytes_total", "Bytes of those packets, without the tunnel's headers.", words("tunnel", "direction"), ofLinks(tunnelCounts, octets, octets)),
}

var tableFamilies = []*family{
	gauge("nave_table_entries", "Entries of the fast path's tables.", words("table"), func(s *sample, put put) {
		put(float64(s.Fastpath.Routes), "routes")
		put(float64(len(s.Fastpath.Adjacencies)), "adjacencies")
		put(float64(len(s.Fastpath.SAs)), "associations")
		put(float64(s.Fastpath.Flows.Live), "flows")
	}),
	gauge("nave_table_limit", "How many entries the table has room for.", words("table"), func(s *sample, put put) {
		put(float64(s.Fastpath.Room.Routes), "routes")
		put(float64(s.Fastpath.Room.Adjacencies), "adjacencies")
		put(float64(s.Fastpath.Room.SAs), "associations")
		put(float64(s.Fastpath.Flows.Capacity), "flows")
	}),
	gauge("nave_table_memory_bytes", "Memory of the fast path's tables, used and set aside.", words("state"), func(s *sample, put put) {
		put(float64(s.Fastpath.ArenaUsed), "used")
		put(float64(s.Fastpath.ArenaSize-s.Fastpath.ArenaUsed), "free")
	}),
	gauge("nave_table_refused_entries", "Entries that the fast path has no room for.", nil, func(s *sample, put put) { put(float64(len(s.Router.Refused))) }),
	counter("nave_flows_total", "Flows that workers noted, and that made room for others.", words("event"), func(s *sample, put put) {
		put(float64(s.Fastpath.Flows.Added), "added")
		put(float64(s.Fastpath.Flows.Evicted), "evicted")
	}),
}
