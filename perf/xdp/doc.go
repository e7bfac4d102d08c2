// Package xdp is a generator and a receiver of packets in the kernel, for links that user space can't fill: the generator lets
// BPF_PROG_TEST_RUN bring frames round and makes packets of a mix of them, at a rate that it keeps by itself to a fraction of a microsecond; the
// receiver is an XDP program that counts, finds what comes twice or out of order, and sorts delays.
//
// The compiled programs are committed, so that building needs no clang. `make generate` makes them anew.
package xdp

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -tags linux -target bpfel -go-package xdp wire wire.c -- -O2 -g -Wall -Werror -idirafter /usr/include/x86_64-linux-gnu
