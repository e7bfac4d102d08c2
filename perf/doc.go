// Package perf measures nave. Its benchmarks forward over real links; those of the path in memory are in package
// fastpath.
package perf
