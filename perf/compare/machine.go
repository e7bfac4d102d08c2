package compare

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// machine is what the measurements share.
type machine struct {
	hz             float64 // ticks a second
	genCPU, dutCPU int
	time           time.Duration // of one measurement
	runs           int
	self           string // this program
	bin            string // folder of naved and nave
}

// packages are Debian's, by the program or library that is needed of them, and by the parts of the comparison that need it.
var packages = []struct{ name, program, library, parts string }{
	{"dpdk-dev", "dpdk-testpmd", "", "null crypto veth latency"},
	{"librte-net-af-xdp23", "", "librte_net_af_xdp.so.23", "veth latency"},
	{"librte-net-af-packet23", "", "librte_net_af_packet.so.23", "veth"},
	{"librte-crypto-ipsec-mb23", "", "librte_crypto_ipsec_mb.so.23", "crypto"},
	{"wireguard-go", "wireguard-go", "", "stream"},
	{"iperf3", "iperf3", "", "stream"},
	{"ethtool", "ethtool", "", "veth latency stream"},
	{"iproute2", "ip", "", "stream"},
}

// libraryFolders are where Debian has shared libraries.
var libraryFolders = []string{"/usr/lib/x86_64-linux-gnu/", "/usr/lib/aarch64-linux-gnu/"}

// missing are the packages that are not installed and some of the parts need.
func missing(wanted []part) []string {
	var out []string
	for _, p := range packages {
		if !slices.ContainsFunc(wanted, func(w part) bool { return slices.Contains(strings.Fields(p.parts), w.name) }) {
			continue
		}
		if p.program != "" {
			if _, err := exec.LookPath(p.program); err != nil {
				out = append(out, p.name)
			}
			continue
		}
		if !slices.ContainsFunc(libraryFolders, func(folder string) bool { _, err := os.Stat(folder + p.library); return err == nil }) {
			out = append(out, p.name)
		}
	}
	return out
}

// errMissing says what to install.
func errMissing(names []string) error {
	return fmt.Errorf("compare: not installed: %s. Run this with --install, or: apt-get install --no-install-recommends %[1]s", strings.Join(names, " "))
}

// install installs packages by apt.
func install(ctx context.Context, names []string) error {
	for _, words := range [][]string{{"apt-get", "update", "-qq"}, append([]string{"apt-get", "install", "-y", "-qq", "--no-install-recommends"}, names...)} {
		p, err := start(nil, "", append([]string{"env", "DEBIAN_FRONTEND=noninteractive"}, words...)...)
		if err != nil {
			return err
		}
		if _, err := p.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// median of some numbers; 0 of none.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
