package compare

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"nave/perf/report"
	"nave/perf/stall"
	"nave/perf/tsc"
)

// Result is all that was measured, and what it says of the goals.
type Result struct {
	CPU      string             `json:"cpu"`
	TSCHz    float64            `json:"tsc_hz"`
	Null     map[string]float64 `json:"testpmd_null_ticks,omitempty"` // by mode
	Cipher   map[string]curve   `json:"cipher_ticks,omitempty"`       // by driver, at 64, 512 and 1400 bytes
	Kernel   map[string]curve   `json:"kernel_ticks,omitempty"`       // nave's, by name, at 72, 520 and 1408 bytes
	Path     *report.Report     `json:"path,omitempty"`
	Veth     []Rate             `json:"veth,omitempty"`
	Latency  []Latency          `json:"latency,omitempty"`
	Workers  []Gain             `json:"workers,omitempty"`
	Stall    *stall.Report      `json:"stall,omitempty"`
	Streams  []Stream           `json:"streams,omitempty"`
	Verdicts []Verdict          `json:"verdicts"`
	Failed   []string           `json:"failed,omitempty"` // what could not be measured, and why
}

// part is a section of the comparison.
type part struct {
	name, what string
	run        func(ctx context.Context, m *machine, r *Result, say func(string)) error
}

// parts in the order that they run in.
var parts = []part{
	{"null", "testpmd over the null device", runNull},
	{"crypto", "the cipher of dpdk-test-crypto-perf", runCrypto},
	{"kernel", "nave's cipher kernel alone, by its benchmark", runKernel},
	{"path", "nave's path in memory", runPath},
	{"veth", "rates over two veths", runVeth},
	{"latency", "a lone packet over two veths", runLatency},
	{"workers", "two workers beside one, on links in memory, by their benchmark", runWorkers},
	{"stall", "the longest that a worker's loop stands still while a busy process allocates", runStall},
	{"stream", "TCP through wireguard-go and through two naved", runStream},
}

func partNames() []string {
	var out []string
	for _, p := range parts {
		out = append(out, p.name)
	}
	return out
}

// Command is `naveperf compare`.
func Command(ctx context.Context, args []string, out, errs io.Writer) error {
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	f.SetOutput(errs)
	only := f.String("only", "", "`parts` to run, with commas between them: "+strings.Join(partNames(), ", ")+" (default all)")
	withInstall := f.Bool("install", false, "install by apt what is missing (Debian 12, root)")
	asJSON := f.Bool("json", false, "print JSON")
	limit := f.Duration("limit", 10*time.Minute, "end after this `time`")
	m := &machine{}
	f.DurationVar(&m.time, "time", time.Second, "length of one measurement")
	f.IntVar(&m.runs, "runs", 3, "`times` that each is measured; the median counts")
	f.IntVar(&m.genCPU, "gen-cpu", 0, "`CPU` of the generator and of what is not measured")
	f.IntVar(&m.dutCPU, "dut-cpu", 1, "`CPU` of what is measured")
	f.StringVar(&m.bin, "bin", "", "`folder` of naved and nave; default is this program's own")
	if err := f.Parse(args); err != nil {
		return err
	}
	wanted, err := m.check(f, *only)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, *limit)
	defer stop()
	if names := missing(wanted); len(names) > 0 {
		if !*withInstall {
			return errMissing(names)
		}
		fmt.Fprintf(errs, "installing %s\n", strings.Join(names, " "))
		if err := install(ctx, names); err != nil {
			return err
		}
	}
	m.hz = tsc.Hz(200 * time.Millisecond)
	r := &Result{CPU: tsc.CPU(), TSCHz: m.hz}
	for _, p := range wanted {
		fmt.Fprintf(errs, "%s: %s\n", p.name, p.what)
		err := p.run(ctx, m, r, func(line string) { fmt.Fprintln(errs, line) })
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		if err != nil { // the others are worth something without it
			r.Failed = append(r.Failed, p.name+": "+err.Error())
			fmt.Fprintf(errs, "%s: %v\n", p.name, err)
		}
	}
	r.judge()
	if *asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		err = e.Encode(r)
	} else {
		err = r.print(out)
	}
	if len(r.Failed) > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d parts could not be measured", len(r.Failed), len(wanted)))
	}
	return err
}

// check looks at the flags and says which parts are wanted.
func (m *machine) check(f *flag.FlagSet, only string) ([]part, error) {
	var wanted []part
	for _, name := range strings.FieldsFunc(only, func(r rune) bool { return r == ',' }) {
		k := slices.Index(partNames(), name)
		if k < 0 {
			return nil, fmt.Errorf("--only %s: there are %s", only, strings.Join(partNames(), ", "))
		}
		wanted = append(wanted, parts[k])
	}
	if only == "" {
		wanted = parts
	}
	var err error
	if m.self, err = executable(); err != nil {
		return nil, err
	}
	if m.bin == "" {
		m.bin = filepath.Dir(m.self)
	}
	n := runtime.NumCPU()
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("%q: everything is a flag; --help tells them", f.Arg(0))
	case m.time < 100*time.Millisecond || m.runs < 1 || m.runs > 100:
		return nil, fmt.Errorf("--time %v --runs %d: want 100ms at least, 1 to 100 times", m.time, m.runs)
	case m.genCPU < 0 || m.dutCPU < 0 || m.genCPU == m.dutCPU || max(m.genCPU, m.dutCPU) >= n:
		return nil, fmt.Errorf("--gen-cpu %d --dut-cpu %d: want two different CPUs of the %d here", m.genCPU, m.dutCPU, n)
	case os.Geteuid() != 0:
		return nil, errors.New("needs root: network namespaces, XDP programs, DPDK")
	}
	return wanted, nil
}

func runNull(ctx context.Context, m *machine, r *Result, say func(string)) error {
	r.Null = make(map[string]float64)
	for _, mode := range []string{"io", "mac"} {
		var all []float64
		for range m.runs {
			v, err := m.null(ctx, mode)
			if err != nil {
				return err
			}
			all = append(all, v)
		}
		r.Null[mode] = median(all)
		say(fmt.Sprintf("  %-22s %.0f ticks a packet", "testpmd "+mode, r.Null[mode]))
	}
	return nil
}

func runCrypto(ctx context.Context, m *machine, r *Result, say func(string)) error {
	r.Cipher = make(map[string]curve)
	for _, driver := range []string{"crypto_aesni_gcm", "crypto_aesni_mb"} {
		best := curve{}
		for range m.runs { // it counts the time that others have the CPU, too: the least is what it takes
			c, err := m.cipher(ctx, driver)
			if err != nil {
				return err
			}
			for i := range c {
				if best[i] == 0 || c[i] < best[i] {
					best[i] = c[i]
				}
			}
		}
		r.Cipher[driver] = best
		say(fmt.Sprintf("  %-22s %.0f / %.0f / %.0f ticks a packet at 64, 512, 1400 bytes", driver, best[0], best[1], best[2]))
	}
	return nil
}

func runPath(ctx context.Context, m *machine, r *Result, say func(string)) error {
	p, err := start(nil, "", m.self, "path", "--json", "--cpu", fmt.Sprint(m.dutCPU), "--work", "ipv4,mpls-swap,gre-encap,gre-decap,esp-encap,esp-decap,hairpin",
		"--tunnels", "1,1000,10000", "--size", "64,512,1400,imix")
	if err != nil {
		return err
	}
	text, err := p.wait(ctx)
	if err != nil {
		return err
	}
	if k := strings.Index(text, "{"); k > 0 { // progress goes before
		text = text[k:]
	}
	if r.Path, err = report.Read(strings.NewReader(text)); err != nil {
		return err
	}
	say(fmt.Sprintf("  %d rows", len(r.Path.Rows)))
	return nil
}

var vethSizes = []int{64, 512, 1400}

func runVeth(ctx context.Context, m *machine, r *Result, say func(string)) (err error) {
	r.Veth, err = m.rates(ctx, []device{
		m.testpmdOn("net_af_xdp"), m.nave("ipv4", "strict"), m.nave("gre-encap", "strict"), m.nave("esp-encap", "strict"), m.testpmdOn("net_af_packet"),
	}, vethSizes, say)
	return err
}

func runLatency(ctx context.Context, m *machine, r *Result, say func(string)) (err error) {
	adaptive := m.nave("ipv4", "adaptive")
	adaptive.name = "nave adaptive"
	strict := m.nave("ipv4", "strict")
	strict.name = "nave strict"
	r.Latency, err = m.latencies(ctx, []device{m.testpmdOn("net_af_xdp"), strict, adaptive}, say)
	return err
}

func runStream(ctx context.Context, m *machine, r *Result, say func(string)) error {
	for _, f := range []func(context.Context) (Stream, error){m.wireguard, m.naveStream} {
		s, err := f(ctx)
		if err != nil {
			return err
		}
		say(fmt.Sprintf("  %-28s %.2f Gbit/s, %.2f a CPU-second of the sealing gateway", s.Through, s.Gbps, s.GbpsCPU))
		r.Streams = append(r.Streams, s)
	}
	return nil
}
