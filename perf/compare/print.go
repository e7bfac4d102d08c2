package compare

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// judge fills the verdicts from what was measured.
func (r *Result) judge() {
	y := &Yardstick{MAC: r.Null["mac"], Cipher: r.Cipher["crypto_aesni_gcm"]}
	if r.Path != nil && y.MAC > 0 && y.Cipher[0] > 0 {
		r.Verdicts = append(r.Verdicts, pathVerdicts(r.Path, y)...)
	}
	r.Verdicts = append(r.Verdicts, r.kernelVerdicts()...)
	if r.Path != nil {
		r.Verdicts = append(r.Verdicts, r.allocations())
	}
	for _, size := range vethSizes {
		v := Verdict{
			Goal: fmt.Sprintf("IPv4 over veth, %d bytes", size), Unit: "Mpps a CPU", Peer: "testpmd net_af_xdp", Limit: vethLimit, AtLeast: true,
			Nave: r.rate("nave ipv4", size), Other: r.rate("testpmd net_af_xdp", size),
		}
		if v.Nave > 0 && v.Other > 0 {
			r.Verdicts = append(r.Verdicts, v.judge())
		}
	}
	r.Verdicts = append(r.Verdicts, r.vethVPP()...)
	pmd, strict, adaptive := r.median("testpmd net_af_xdp"), r.median("nave strict"), r.median("nave adaptive")
	if strict > 0 && pmd > 0 {
		r.Verdicts = append(r.Verdicts, Verdict{Goal: "latency of a lone packet, strict", Unit: "ns", Nave: strict, Other: pmd, Peer: "testpmd net_af_xdp", Limit: strictLimit}.judge())
	}
	if adaptive > 0 {
		r.Verdicts = append(r.Verdicts, Verdict{Goal: "latency of a lone packet, adaptive", Unit: "ns", Nave: adaptive, Other: adaptiveNano, Peer: "60 µs", Limit: 1}.judge())
	}
	for _, g := range r.Workers {
		r.Verdicts = append(r.Verdicts, Verdict{Goal: fmt.Sprintf("two workers on two queues, %d bytes", g.Size), Unit: "times", Nave: g.Queues, Other: 1, Peer: "one worker", Limit: twoLimit, AtLeast: true}.judge())
	}
	r.Verdicts = append(r.Verdicts, r.stallVerdicts()...)
	if len(r.Streams) == 2 {
		wg, nave := r.Streams[0], r.Streams[1]
		r.Verdicts = append(r.Verdicts, Verdict{Goal: "TCP between hosts, a CPU-second", Unit: "Gbit/s", Nave: nave.GbpsCPU, Other: wg.GbpsCPU, Peer: wg.Through, Limit: 1, AtLeast: true}.judge())
	}
}

// vethVPP carries VPP's rates over veth over by testpmd's.
func (r *Result) vethVPP() (out []Verdict) {
	for _, work := range []struct{ nave, vpp, name string }{{"nave ipv4", "ipv4", "IPv4"}, {"nave esp-encap", "esp", "GRE and ESP"}} {
		for i, size := range vethSizes {
			there, vpp := publishedVeth["testpmd"][i], publishedVeth[work.vpp][i]
			here, nave := r.rate("testpmd net_af_xdp", size), r.rate(work.nave, size)
			if vpp > 0 && here > 0 && nave > 0 {
				out = append(out, Verdict{
					Goal: fmt.Sprintf("%s over veth, %d bytes", work.name, size), Unit: "Mpps a CPU", Peer: "VPP af_xdp, normalised", Limit: vethLimit, AtLeast: true,
					Nave: nave, Other: vpp * here / there,
				}.judge())
			}
		}
	}
	return out
}

// allocations is the goal of none.
func (r *Result) allocations() Verdict {
	var most float64
	for _, row := range r.Path.Rows {
		most = max(most, row.AllocsPerPacket)
	}
	// A run that the collector or a timer falls into may count one of theirs; a packet's own would be 1 or more.
	return Verdict{Goal: "allocations a packet, all rows", Unit: "at most", Nave: most, Peer: "none", Met: most < 0.001}
}

// rate is a device's, a CPU-second, where it was measured.
func (r *Result) rate(device string, size int) float64 {
	for _, x := range r.Veth {
		if x.Device == device && x.Size == size {
			return x.MppsCPU
		}
	}
	return 0
}

func (r *Result) median(device string) float64 {
	for _, l := range r.Latency {
		if l.Device == device {
			return float64(l.P50)
		}
	}
	return 0
}

// print is the result for people.
func (r *Result) print(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, time stamp counter at %.3f GHz\n", r.CPU, r.TSCHz/1e9)
	for _, mode := range []string{"io", "mac"} {
		if v := r.Null[mode]; v > 0 {
			fmt.Fprintf(&b, "testpmd %s over null     %.0f ticks a packet\n", mode, v)
		}
	}
	for _, driver := range []string{"crypto_aesni_gcm", "crypto_aesni_mb"} {
		if c, ok := r.Cipher[driver]; ok {
			fmt.Fprintf(&b, "%-24s %.0f / %.0f / %.0f ticks a packet at 64, 512, 1400 bytes\n", driver, c[0], c[1], c[2])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Kernel)) {
		c := r.Kernel[name]
		fmt.Fprintf(&b, "nave's %-17s %.0f / %.0f / %.0f ticks a packet at 72, 520, 1408 bytes\n", name, c[0], c[1], c[2])
	}
	for _, x := range r.Veth {
		fmt.Fprintf(&b, "%-24s %.3f Mpps, %.3f a CPU-second, at %d bytes\n", x.Device, x.Mpps, x.MppsCPU, x.Size)
	}
	for _, l := range r.Latency {
		fmt.Fprintf(&b, "%-24s %.1f µs median, %.1f p99 for a lone packet\n", l.Device, float64(l.P50)/1e3, float64(l.P99)/1e3)
	}
	if r.Stall != nil {
		for i := range r.Stall.Rows {
			w := &r.Stall.Rows[i]
			fmt.Fprintf(&b, "%-24s %.1f µs p99.9, %.1f p99.99 of the gaps between polls, %.1f in the worst of a round\n", "stall, "+w.Kind, w.P999/1e3, w.P9999/1e3, w.Worst/1e3)
		}
	}
	for _, s := range r.Streams {
		fmt.Fprintf(&b, "%-24s %.2f Gbit/s of TCP, %.2f a CPU-second\n", s.Through, s.Gbps, s.GbpsCPU)
	}
	fmt.Fprintf(&b, "\n%-36s %10s %10s %-24s %7s %7s\n", "goal", "nave", "other", "", "ratio", "limit")
	met := 0
	for _, v := range r.Verdicts {
		word, sign := "missed", "<="
		if v.Met {
			word = "met"
			met++
		}
		if v.AtLeast {
			sign = ">="
		}
		mark := ""
		if v.Estimate {
			mark = " (between measured sizes)"
		}
		fmt.Fprintf(&b, "%-36s %10s %10s %-24s %7.2f %s%5.2f %s%s\n", v.Goal, number(v.Nave), number(v.Other), v.Peer, v.Ratio, sign, v.Limit, word, mark)
	}
	fmt.Fprintf(&b, "%d of %d met\n", met, len(r.Verdicts))
	for _, f := range r.Failed {
		fmt.Fprintf(&b, "not measured: %s\n", f)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// number is short: three digits for small ones.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 10:
		return fmt.Sprintf("%.3f", v)
	}
	return fmt.Sprintf("%.0f", v)
}
