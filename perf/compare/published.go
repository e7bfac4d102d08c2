package compare

import "nave/perf/report"

// What was measured on a machine with 2 CPUs of an Intel Xeon Emerald Rapids, time stamp counter at 2.3 GHz: ticks a packet, one core, from memory, AES-128-GCM
// with an ICV of 16 bytes, sizes of inner packets. VPP is 26.06 with its VAES engine, bursts of 256; its packet generator is not counted.
const (
	// publishedMAC is testpmd's mac forwarding over the null device (DPDK 22.11).
	publishedMAC = 52
	publishedHz  = 2.3e9
)

// curve is ticks at 64, 512 and 1400 bytes.
type curve [3]float64

// curveAt is where curves are known, bytes.
var curveAt = [3]float64{64, 512, 1400}

// publishedCipher is dpdk-test-crypto-perf, aesni_gcm in bursts of 32.
var publishedCipher = curve{97, 152, 302}

// publishedVeth is testpmd's mac forwarding over net_af_xdp on two veths, Mpps; and what VPP did there.
var publishedVeth = map[string]curve{
	"testpmd": {1.47, 1.26, 1.10},
	"ipv4":    {1.40, 0, 1.15},
	"esp":     {1.26, 1.12, 0.95},
}

// goal is a row of the path, what VPP takes for it, and how many times that nave may take.
type goal struct {
	work    string
	tunnels int
	vpp     curve
	sealed  bool // the cipher is part of it
	limit   curve
}

// Goals. Where VPP was measured several times the best counts. Decryption is with its anti-replay window wherever that was measured, as nave has it always.
var (
	sealedOne  = curve{1.2, 1, 1}
	sealedMany = curve{1, 1, 1}
	clear15    = curve{1.5, 1.5, 1.5}

	goals = []goal{
		{"ipv4", 1, curve{61, 60, 59}, false, clear15},
		{"ipv4", 10000, curve{61, 62, 63}, false, clear15},
		{"mpls-swap", 1, curve{71, 70, 71}, false, clear15},
		{"mpls-swap", 10000, curve{75, 77, 77}, false, clear15},
		{"esp-encap", 1, curve{240, 322, 449}, true, sealedOne},
		{"esp-decap", 1, curve{238, 310, 454}, true, sealedOne},
		{"esp-encap", 1000, curve{315, 468, 635}, true, sealedMany},
		{"esp-decap", 1000, curve{348, 523, 660}, true, sealedMany},
		{"esp-encap", 10000, curve{361, 447, 813}, true, sealedMany},
		{"esp-decap", 10000, curve{599, 1029, 1194}, true, sealedMany},
	}
)

// Other goals: the cipher beside ipsec-mb, the rate over veth beside testpmd, and a lone packet's latency.
const (
	vethLimit    = 0.95
	strictLimit  = 1.5
	adaptiveNano = 60e3
)

// imix is the sizes of the path's mix, with how many of each come.
var imix = map[float64]float64{40: 7, 576: 4, 1400: 1}

// at is a curve at a size: on a straight line between what is known, and beyond the ends. IMIX is the mean of its packets.
func (c curve) at(size report.Size) float64 {
	if size == report.IMIX {
		var sum, n float64
		for bytes, count := range imix {
			sum += count * c.line(bytes)
			n += count
		}
		return sum / n
	}
	return c.line(float64(size))
}

func (c curve) line(x float64) float64 {
	k := 0
	if x > curveAt[1] {
		k = 1
	}
	return c[k] + (c[k+1]-c[k])*(x-curveAt[k])/(curveAt[k+1]-curveAt[k])
}
