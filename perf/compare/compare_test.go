package compare

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/perf/report"
	"nave/perf/stall"
)

func near(a, b float64) bool { return math.Abs(a-b) < 1e-6*math.Max(1, math.Abs(b)) }

func TestCurve(t *testing.T) {
	c := curve{100, 200, 400}
	for size, want := range map[report.Size]float64{64: 100, 512: 200, 1400: 400, 288: 150, 956: 300, 40: 100 - 24*100.0/448} {
		if got := c.at(size); !near(got, want) {
			t.Errorf("at %v: %v, want %v", size, got, want)
		}
	}
	if got, want := c.at(report.IMIX), (7*c.line(40)+4*c.line(576)+c.line(1400))/12; !near(got, want) {
		t.Errorf("IMIX %v, want %v", got, want)
	}
}

// On the machine where VPP was measured its figures stay what they are; where everything takes twice as long, so do they; and where only the cipher does,
// only the cipher's part.
func TestNormalised(t *testing.T) {
	for i := range goals {
		g := &goals[i]
		for k, size := range []report.Size{64, 512, 1400} {
			same := Yardstick{publishedMAC, publishedCipher}
			twice := Yardstick{2 * publishedMAC, curve{2 * 97, 2 * 152, 2 * 302}}
			cipher := Yardstick{publishedMAC, curve{97 + 10, 152 + 10, 302 + 10}}
			if got := same.vpp(g, size); !near(got, g.vpp[k]) {
				t.Errorf("%s: %v, want %v", g.work, got, g.vpp[k])
			}
			if got := twice.vpp(g, size); !near(got, 2*g.vpp[k]) {
				t.Errorf("%s: %v, want %v", g.work, got, 2*g.vpp[k])
			}
			want := g.vpp[k]
			if g.sealed {
				want += 10
			}
			if got := cipher.vpp(g, size); !near(got, want) {
				t.Errorf("%s: %v, want %v", g.work, got, want)
			}
		}
	}
}

func row(work, transform string, size report.Size, tunnels int, ticks float64) report.Row {
	return report.Row{Work: work, Transform: transform, Size: size, Tunnels: tunnels, TicksPerPacket: ticks}
}

func TestVerdicts(t *testing.T) {
	r := &Result{
		Null: map[string]float64{"mac": publishedMAC}, Cipher: map[string]curve{"crypto_aesni_gcm": publishedCipher},
		Path: &report.Report{TSCHz: 1, Rows: []report.Row{
			row("esp-encap", "aes-128-gcm", 64, 1, 288), row("esp-encap", "aes-128-gcm", 512, 1, 323), row("esp-encap", "aes-256-gcm", 512, 1, 1),
			row("ipv4", "", 64, 1, 90), row("ipv4", "", 512, 10000, 94), row("hairpin", "aes-128-gcm", 64, 1, 5), row("ipv4", "", 100, 1, 5),
			row("esp-decap", "aes-128-gcm", report.IMIX, 1, 200),
		}},
		Veth: []Rate{
			{Device: "testpmd net_af_xdp", Size: 64, Mpps: 5, MppsCPU: 1.47}, {Device: "nave ipv4", Size: 64, Mpps: 1, MppsCPU: 1.40},
			{Device: "testpmd net_af_xdp", Size: 512, MppsCPU: 1}, {Device: "nave ipv4", Size: 512, MppsCPU: 0.94}, {Device: "nave esp-encap", Size: 64, MppsCPU: 1},
		},
		Latency: []Latency{{"testpmd net_af_xdp", 1000, 0, 0}, {"nave strict", 1501, 0, 0}, {"nave adaptive", 59000, 0, 0}},
		Stall:   &stall.Report{Rows: []stall.Row{{Kind: "process", Worst: 140e3}, {Kind: "loop", Worst: 30e3}, {Kind: "thread", Worst: 9e6}}},
		Streams: []Stream{{"wireguard-go", 3, 2}, {"nave", 3, 4}},
	}
	r.judge()
	want := map[string]bool{
		"esp-encap, 64 bytes": true, "esp-encap, 512 bytes": false, "ipv4, 64 bytes": true, "ipv4, 512 bytes, 10000": false, "esp-decap, IMIX": true,
		"allocations a packet, all rows": true, "IPv4 over veth, 64 bytes testpmd net_af_xdp": true, "IPv4 over veth, 512 bytes": false,
		"IPv4 over veth, 64 bytes VPP af_xdp, normalised": true, "GRE and ESP over veth, 64 bytes": false,
		"worst stall of a worker process": false, "latency of a lone packet, strict": false, "latency of a lone packet, adaptive": true, "TCP between hosts, a CPU-second": true,
	}
	seen := 0
	for _, v := range r.Verdicts {
		met, ok := want[v.Goal]
		if !ok {
			met, ok = want[v.Goal+" "+v.Peer]
		}
		if !ok || met != v.Met {
			t.Errorf("%+v: met should be %v (%v)", v, met, ok)
		}
		seen++
	}
	if seen != len(want) {
		t.Errorf("%d verdicts, want %d", seen, len(want))
	}
	var out bytes.Buffer
	if err := r.print(&out); err != nil || !strings.Contains(out.String(), "8 of 14 met") || !strings.Contains(out.String(), "1.20 met") {
		t.Errorf("%v\n%s", err, out.String())
	}
	r.Path.Rows[0].AllocsPerPacket = 1
	if r.allocations().Met {
		t.Error("an allocation a packet is fine")
	}
}

// What was not measured is judged as nothing.
func TestNothingMeasured(t *testing.T) {
	r := &Result{}
	if r.judge(); len(r.Verdicts) != 0 {
		t.Errorf("%+v", r.Verdicts)
	}
	if v := (Verdict{Nave: 1, Limit: 5}).judge(); v.Met {
		t.Error("met beside nothing")
	}
	if v := (Verdict{Other: 1, AtLeast: true}).judge(); v.Met {
		t.Error("met by nothing")
	}
}

const pmdText = `Telling cores to stop...
Waiting for lcores to finish...

  ---------------------- Forward statistics for port 0  ----------------------
  RX-packets: 17203104       RX-dropped: 0             RX-total: 17203104
  TX-packets: 17203104       TX-dropped: 0             TX-total: 17203104
  ----------------------------------------------------------------------------

  +++++++++++++++ Accumulated forward statistics for all ports+++++++++++++++
  RX-packets: 34406208       RX-dropped: 0             RX-total: 34406208
  TX-packets: 34406208       TX-dropped: 0             TX-total: 34406208
  ++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++++

Done.`

const cipherText = `EAL: Detected CPU lcores: 2
Allocated pool "sess_mp_0" on socket 0
#lcore id,Buffer Size(B),Burst Size,Enqueued,Dequeued,Failed Enq,Failed Deq,Ops(Millions),Throughput(Gbps),Cycles/Buf

1,64,32,1000000,1000000,0,0,16.587,8.493,156.745
1,512,32,1000000,1000000,0,0,19.610,80.321,132.588
1,1400,32,1000000,1000000,0,0,6.425,71.960,404.667
1,64,32,1000000,1000000,0,0,16.587,8.493,120.5

`

const kernelText = `cpu: AMD EPYC
BenchmarkGCM/kernel=VAES,_AVX2/seal/keys=1/burst=32/72-2         	  658023	        39.91 ns/op	        21.63 best-ns/op	       3 B/op	       0 allocs/op
BenchmarkGCM/kernel=VAES,_AVX2/seal/keys=1/burst=32/72-2         	  658023	        39.91 ns/op	        20 best-ns/op	       3 B/op	       0 allocs/op
BenchmarkGCM/kernel=VAES,_AVX2/seal/keys=1/burst=32/520-2        	  270936	       133.1 ns/op	        60 best-ns/op	       8 B/op	       0 allocs/op
BenchmarkGCM/kernel=VAES,_AVX2/seal/keys=1/burst=32/1408         	  106843	       232.4 ns/op	       130.0 best-ns/op	      20 B/op	       0 allocs/op
BenchmarkGCM/kernel=none/seal/keys=1/burst=32/72-2         	  658023	        39.91 ns/op	        20 best-ns/op	       3 B/op	       0 allocs/op
PASS
`

// mbLine is the second driver's figure for the longest payload.
func mbLine() float64 { return curve{60, 110, 180}.line(1408) }

func TestParse(t *testing.T) {
	if n, err := parseAccumulated(pmdText); err != nil || n != 34406208 {
		t.Errorf("testpmd: %d, %v", n, err)
	}
	if _, err := parseAccumulated(pmdText[:400]); err == nil {
		t.Error("half of testpmd's text was understood")
	}
	if c, err := parseCipher(cipherText); err != nil || c != (curve{120.5, 132.588, 404.667}) {
		t.Errorf("crypto-perf: %v, %v", c, err)
	}
	for cut, want := range map[string]string{"#lcore": "no table", "Cycles/Buf": "no buffer size or cycles", "404.667": "cycles", "1,1400": "nothing of 1400"} {
		text := strings.Replace(cipherText, cut, "x", 1)
		if _, err := parseCipher(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without %q: %v", cut, err)
		}
	}
	for n := range cipherText {
		_, _ = parseCipher(cipherText[:n]) // may be anything but a panic
	}
	k, err := parseKernel(kernelText, 2e9)
	if err != nil || len(k) != 1 || k["VAES, AVX2"] != (curve{40, 120, 260}) {
		t.Errorf("kernel: %v, %v", k, err)
	}
	const two = `BenchmarkTwoWorkers/64-2         	       1	         1.750 hand-over-gain	       200.0 hand-over-ticks	       300.0 one-ticks	         1.800 queues-gain
BenchmarkTwoWorkers/64-2         	       1	         1.600 hand-over-gain	         1.900 queues-gain
BenchmarkTwoWorkers/1400         	       1	         1.700 queues-gain
`
	g, err := parseWorkers(two)
	if err != nil || len(g) != 2 || !near(g[0].Queues, 1.85) || !near(g[0].HandOver, 1.675) || g[1] != (Gain{1400, 1.7, 0}) {
		t.Errorf("workers: %+v, %v", g, err)
	}
	for _, bad := range []string{"PASS", "BenchmarkTwoWorkers/64 1 x queues-gain", "BenchmarkTwoWorkers/64 1 5 ns/op"} {
		if _, err := parseWorkers(bad); err == nil {
			t.Errorf("%q was understood", bad)
		}
	}
	if _, err := parseKernel("PASS", 1); err == nil {
		t.Error("no times were understood")
	}
	r := &Result{Kernel: k, Cipher: map[string]curve{"crypto_aesni_gcm": {50, 100, 200}, "crypto_aesni_mb": {60, 110, 180}}}
	if v := r.kernelVerdicts(); len(v) != 3 || !v[0].Met || v[2].Met || !near(v[2].Other, mbLine()) {
		t.Errorf("%+v", v)
	}
	s, err := parseIperf(`{"end":{"sum_received":{"bits_per_second":3.1e9,"seconds":2}}}`, time.Second)
	if err != nil || s.Gbps != 3.1 || s.GbpsCPU != 6.2 {
		t.Errorf("iperf3: %+v, %v", s, err)
	}
	if _, err := parseIperf(`{"error":"no route"}`, 0); err == nil || !strings.Contains(err.Error(), "no route") {
		t.Errorf("iperf3's error: %v", err)
	}
}

// A program that is started is heard, answers, is counted, and ends when it is told to, whether it listens or not.
func TestProcess(t *testing.T) {
	p, err := start(nil, "0", "sh", "-c", "echo ready; while read x; do echo got $x; done; echo bye")
	if err != nil {
		t.Fatal(err)
	}
	at, err := p.expect(t.Context(), "ready", 0, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.say("this"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.expect(t.Context(), "got this", at, 10*time.Second); err != nil {
		t.Error(err)
	}
	if d, err := cpuTime(p.cmd.Process.Pid); err != nil || d <= 0 {
		t.Errorf("CPU time %v, %v", d, err)
	}
	if d, err := cpuTime(p.cmd.Process.Pid, "nothing-like-it"); err != nil || d != 0 {
		t.Errorf("CPU time of no thread: %v, %v", d, err)
	}
	if _, err := p.expect(t.Context(), "never", at, 20*time.Millisecond); err == nil || !strings.Contains(err.Error(), "has not printed") {
		t.Errorf("%v", err)
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if _, err := p.expect(t.Context(), "never", 0, time.Second); err == nil || !strings.Contains(err.Error(), "has ended") || !strings.Contains(err.Error(), "bye") {
		t.Errorf("%v", err)
	}
	p, err = start(nil, "", "sh", "-c", "exit 3")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.wait(t.Context()); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("%v", err)
	}
	if _, err := start(nil, "", "/no/such/program"); err == nil {
		t.Error("what does not exist was started")
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	p, err = start(nil, "", "sleep", "60")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err == nil {
		t.Error("it still runs")
	}
}

// A process's time has that of its children in it.
func TestTree(t *testing.T) {
	p, err := start(nil, "", "sh", "-c", "exec 3<&0; (i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo worked; read x <&3) & wait")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.expect(t.Context(), "worked", 0, 30*time.Second); err != nil {
		t.Fatal(err)
	}
	own, err := cpuTime(p.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	all, err := treeTime(p.cmd.Process.Pid)
	if err != nil || all < own+10*time.Millisecond {
		t.Errorf("%v alone, %v with its child, %v", own, all, err)
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	for line, want := range map[string][2]int{"12 (a) S 7 1": {12, 7}, "12 (a) b) (c) R 9 1 2": {12, 9}} {
		if pid, parent, ok := parseStat(line); !ok || pid != want[0] || parent != want[1] {
			t.Errorf("%q: %d, %d, %v", line, pid, parent, ok)
		}
	}
	for _, line := range []string{"", "12", "12 (a", "12 (a)", "12 (a) S", "x (a) S 1", "12 (a) S x"} {
		if _, _, ok := parseStat(line); ok {
			t.Errorf("%q was understood", line)
		}
	}
}

func TestFlags(t *testing.T) {
	for args, want := range map[string]string{
		"--only x": "there are null, crypto, kernel, path", "--time 1ms": "100ms at least", "--runs 0": "1 to 100", "--gen-cpu 1 --dut-cpu 1": "two different CPUs",
		"--dut-cpu 5000": "two different CPUs", "more": `"more"`,
	} {
		if err := Command(t.Context(), strings.Fields(args), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("compare %s: %v, want %q", args, err, want)
		}
	}
	if err := Command(t.Context(), []string{"-h"}, io.Discard, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("%v", err)
	}
	if text := errMissing([]string{"dpdk-dev", "iperf3"}).Error(); !strings.Contains(text, "apt-get install --no-install-recommends dpdk-dev iperf3") {
		t.Error(text)
	}
}

// Parts want their own packages only, and every package is some part's.
func TestPackages(t *testing.T) {
	if list := missing(parts[3:4]); len(list) != 0 || parts[3].name != "path" {
		t.Errorf("%s wants %v", parts[3].name, list)
	}
	for _, p := range packages {
		for _, name := range strings.Fields(p.parts) {
			if !slices.Contains(partNames(), name) {
				t.Errorf("%s is for %q, which is no part", p.name, name)
			}
		}
		if (p.program == "") == (p.library == "") {
			t.Errorf("%s: a program or a library", p.name)
		}
	}
}

func TestMedian(t *testing.T) {
	if median(nil) != 0 || median([]float64{3, 1, 2}) != 2 || median([]float64{4, 1}) != 2.5 {
		t.Error("median")
	}
}
