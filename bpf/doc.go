// Package bpf holds the XDP program that steers a port's packets: to nave's AF_XDP sockets what nave forwards or
// terminates, to the kernel the rest. xdp.c says which is which; Steering loads it, attaches it and keeps its maps.
//
// The compiled program is committed, so that building nave needs no clang. `make generate` makes it anew.
package bpf

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -tags linux -target bpfel -go-package bpf xdp xdp.c -- -O2 -g -Wall -Werror -idirafter /usr/include/x86_64-linux-gnu
