package compare

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// kernelSizes is what nave's kernel is measured at: payloads of ESP whose inner packets are those of a curve, with GRE in front.
var kernelSizes = curve{72, 520, 1408}

// kernelLimit is how many times ipsec-mb's time that nave's kernel may take.
const kernelLimit = 1.1

// runKernel runs the benchmark of nave's kernel, which no program outside of the fast path can call.
func runKernel(ctx context.Context, m *machine, r *Result, say func(string)) error {
	text, err := m.benchmark(ctx, "^BenchmarkGCM$/^kernel=.*/^seal$/^keys=1$/^burst=32$/^(72|520|1408)$", "100ms", "./fastpath/internal/aesgcm")
	if err != nil {
		return err
	}
	if r.Kernel, err = parseKernel(text, m.hz); err != nil {
		return err
	}
	for name, c := range r.Kernel {
		say(fmt.Sprintf("  nave's, %-14s %.0f / %.0f / %.0f ticks a packet at %.0f, %.0f, %.0f bytes", name, c[0], c[1], c[2], kernelSizes[0], kernelSizes[1], kernelSizes[2]))
	}
	return nil
}

var kernelLine = regexp.MustCompile(`(?m)^BenchmarkGCM/kernel=([^/]+)/seal/keys=1/burst=32/(\d+)\S*\s.*?([\d.]+) best-ns/op`)

// parseKernel finds the least times of each kernel in what the benchmark prints, as ticks.
func parseKernel(text string, hz float64) (map[string]curve, error) {
	out := make(map[string]curve)
	for _, l := range kernelLine.FindAllStringSubmatch(text, -1) {
		ns, err := strconv.ParseFloat(l[3], 64)
		if err != nil || !(ns > 0) {
			return nil, fmt.Errorf("compare: the kernel's benchmark: %q ns", l[3])
		}
		name := strings.ReplaceAll(l[1], "_", " ")
		c := out[name]
		for i, size := range kernelSizes {
			if ticks := ns * hz / 1e9; l[2] == fmt.Sprint(size) && (c[i] == 0 || ticks < c[i]) {
				c[i] = ticks
			}
		}
		out[name] = c
	}
	for name, c := range out {
		if c[0] == 0 || c[1] == 0 || c[2] == 0 {
			delete(out, name)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("compare: the kernel's benchmark printed no times (does this CPU have VAES?):\n%s", tail(text))
	}
	return out, nil
}

// kernelVerdicts puts the best kernel of nave's beside the best of ipsec-mb's two drivers.
func (r *Result) kernelVerdicts() (out []Verdict) {
	gcm, mb := r.Cipher["crypto_aesni_gcm"], r.Cipher["crypto_aesni_mb"]
	if len(r.Kernel) == 0 || gcm[0] == 0 {
		return nil
	}
	for i, size := range kernelSizes {
		best := 0.0
		for _, c := range r.Kernel {
			if best == 0 || c[i] < best {
				best = c[i]
			}
		}
		other := gcm.line(size)
		if mb[0] > 0 {
			other = min(other, mb.line(size))
		}
		out = append(out, Verdict{Goal: fmt.Sprintf("cipher kernel, %.0f bytes", size), Unit: "ticks", Nave: best, Other: other, Peer: "ipsec-mb by DPDK", Limit: kernelLimit}.judge())
	}
	return out
}
