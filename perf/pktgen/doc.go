// Package pktgen has no Go to call: pktgen.sh sends the mixes of package mix by the packet generator of the Linux kernel, as far as that can. Its tests run the
// script dry, which prints what it would write where.
package pktgen
