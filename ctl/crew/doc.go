// Package crew runs the workers of the fast path as processes: one a worker, each with a CPU and the sockets of its queues to itself.
//
// naved has a Crew. It starts each worker as itself once more (Main), with the memory of the tables, the eventfds that wake workers and naved, and a socket below the
// run directory as inherited descriptors. By that socket naved tells the worker which queues to open, and gets the descriptor of each AF_XDP socket to steer packets to.
//
//	naved ── Attach, Detach, Relay, Ports, Stop ──► worker     (one packet of JSON each, answered by one; message.go)
//	naved ── descriptors: sockets for ports in other network namespaces ──► worker
//	naved ◄── descriptors: tables, eventfds, AF_XDP sockets ── worker
//
// # Who is who
//
// One naved has a run directory, by a lock of the directory, and one process is worker i of some tables, by a lock of byte i of their file, which naved takes and the process
// inherits (claim.go). Both go with their process, however it ends. Socket and run directory only say where to look.
//
// What happens to processes, and who may do it:
//
//	find, await, hail, greet, silence    Open and End, before there are members
//	adopt or dismiss                     Open, with what was found; End dismisses
//	start                                Open, for members without a process; then supervise
//	replace, reopen, abandon, bury       supervise, of its own member: one goroutine a member
//	retry                                a goroutine of its own, as long as the process lives
//	finish                               Stop, when supervise has ended
//
// # Who dies
//
// A worker that dies takes its AF_XDP sockets and packet memory with it, and nothing else: keys, sequence numbers and replay windows are in the tables' memory.
// The Crew notices by the end of the connection, makes sure that the process is gone, takes back what it was reading, and starts another one.
//
// naved that dies harms no worker: the tables stay mapped, the XDP program and its map of sockets stay pinned, and the worker goes on with what is installed. The next
// naved finds the sockets in the run directory, asks the workers for the descriptors, and takes the tables over (fastpath.Adopt) if they are of the same layout and
// sizes; otherwise it stops the workers and starts with empty ones. A worker serves one naved at a time. One that nobody serves and whose socket has been removed ends by itself, for
// nobody could ever reach it again.
//
// # What a worker may do
//
// A socket of AF_XDP is bound to a netdev of the network namespace that the socket was made in, and a worker is in naved's. For ports elsewhere, those of VRFs, naved makes the
// sockets and the worker binds them, again whenever it is another process: so it needs no privilege to change namespaces.
//
// It keeps CAP_NET_RAW for AF_XDP sockets and CAP_IPC_LOCK for their memory, and can gain nothing by executing a file. Descriptors that came with it are all it has of naved's.
package crew
