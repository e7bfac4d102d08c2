// Package reflect measures a route reflector: 100 000 VPNv4 prefixes go from one neighbour through it to another. The reflector is a process of its own: nave's speaker with its
// control plane, which swaps labels and puts them into the fast path's tables, or only reflects; or gobgpd, which has no label table. The neighbours are nave's speakers, in the
// benchmark's process.
//
//	go test -run '^$' -bench . ./perf/reflect
//	NAVE_GOBGPD=/path/to/gobgpd go test -run '^$' -bench gobgpd ./perf/reflect
package reflect
