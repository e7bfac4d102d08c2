package compare

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"nave/testbed/netns"
)

// eal is what every program of DPDK is told: two cores, no NIC, no hugepages, and files that nobody else's get in the way of.
func (m *machine) eal(program string) []string {
	return []string{program, "-l", fmt.Sprintf("%d,%d", m.genCPU, m.dutCPU), "--no-pci", "--no-huge", "-m", "512", "--no-telemetry",
		"--file-prefix", fmt.Sprintf("naveperf%d", os.Getpid())}
}

// testpmd is one that forwards on one core.
type testpmd struct {
	p   *process
	at  int // where what it printed last ends
	dut int
}

// startTestpmd starts it on two virtual devices, in a namespace or ours.
func (m *machine) startTestpmd(ctx context.Context, ns *netns.NS, mode string, vdevs ...string) (*testpmd, error) {
	words := append([]string{"stdbuf", "-oL"}, m.eal("dpdk-testpmd")...)
	for _, v := range vdevs {
		words = append(words, "--vdev", v)
	}
	words = append(words, "--", "-i", "--forward-mode="+mode, "--nb-cores=1", "--total-num-mbufs=16384")
	p, err := start(ns, "", words...)
	if err != nil {
		return nil, err
	}
	t := &testpmd{p: p, dut: m.dutCPU}
	if t.at, err = p.expect(ctx, "testpmd> ", 0, 20*time.Second); err == nil {
		err = p.say("start")
	}
	if err == nil {
		t.at, err = p.expect(ctx, "packet forwarding", t.at, 10*time.Second)
	}
	if err != nil {
		return nil, errors.Join(err, t.stop())
	}
	return t, nil
}

// cpu is the time of the thread that forwards.
func (t *testpmd) cpu() (time.Duration, error) {
	return cpuTime(t.p.cmd.Process.Pid, fmt.Sprintf("rte-worker-%d", t.dut), fmt.Sprintf("lcore-worker-%d", t.dut))
}

var accumulated = regexp.MustCompile(`(?s)Accumulated forward statistics.*?RX-packets: (\d+)`)

// halt ends forwarding and says how many packets were received since it started.
func (t *testpmd) halt(ctx context.Context) (uint64, error) {
	if err := t.p.say("stop"); err != nil {
		return 0, fmt.Errorf("compare: testpmd: %w", err)
	}
	end, err := t.p.expect(ctx, "Done.", t.at, 20*time.Second)
	if err != nil {
		return 0, err
	}
	text := t.p.out.String()[t.at:end]
	t.at = end
	return parseAccumulated(text)
}

func parseAccumulated(text string) (uint64, error) {
	m := accumulated.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("compare: testpmd's statistics are not understood:\n%s", tail(text))
	}
	return strconv.ParseUint(m[1], 10, 64)
}

// stop ends it.
func (t *testpmd) stop() error {
	_ = t.p.say("quit") // it may have ended by itself
	return t.p.stop()
}

// null measures testpmd over the null device: ticks a packet.
func (m *machine) null(ctx context.Context, mode string) (float64, error) {
	t, err := m.startTestpmd(ctx, nil, mode, "net_null0,size=64", "net_null1,size=64")
	if err != nil {
		return 0, err
	}
	before, err := t.cpu()
	if err == nil {
		err = sleep(ctx, m.time)
	}
	var n uint64
	if err == nil {
		n, err = t.halt(ctx)
	}
	var after time.Duration
	if err == nil {
		after, err = t.cpu()
	}
	if err = errors.Join(err, t.stop()); err != nil {
		return 0, err
	}
	if n == 0 || after <= before {
		return 0, fmt.Errorf("compare: testpmd %s over null: %d packets in %v of CPU time", mode, n, after-before)
	}
	return (after - before).Seconds() * m.hz / float64(n), nil
}

// cipherTurns is how often each size is measured in one run of dpdk-test-crypto-perf, for a few milliseconds each: it counts the time that others have the
// CPU, too, so the least is what the cipher takes.
const cipherTurns = 10

// cipher measures dpdk-test-crypto-perf at the sizes of a curve: ticks a packet.
func (m *machine) cipher(ctx context.Context, driver string) (curve, error) {
	words := append(m.eal("dpdk-test-crypto-perf"), "--vdev", driver+"0", "--", "--ptest", "throughput", "--devtype", driver,
		"--optype", "aead", "--aead-algo", "aes-gcm", "--aead-op", "encrypt", "--aead-key-sz", "16", "--aead-iv-sz", "12", "--aead-aad-sz", "8", "--digest-sz", "16",
		"--buffer-sz", strings.TrimSuffix(strings.Repeat("64,512,1400,", cipherTurns), ","), "--burst-sz", "32", "--total-ops", "30000", "--silent", "--csv-friendly")
	p, err := start(nil, "", words...)
	if err != nil {
		return curve{}, err
	}
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	text, err := p.wait(ctx)
	if err != nil {
		return curve{}, err
	}
	return parseCipher(text)
}

// parseCipher finds the least cycles of each size in what dpdk-test-crypto-perf prints: CSV whose heading starts with a hash, among other lines.
func parseCipher(text string) (c curve, err error) {
	k := strings.Index(text, "#lcore id,")
	if k < 0 {
		return c, fmt.Errorf("compare: dpdk-test-crypto-perf printed no table:\n%s", tail(text))
	}
	r := csv.NewReader(strings.NewReader(text[k:]))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		return c, fmt.Errorf("compare: dpdk-test-crypto-perf's table: %w", err)
	}
	size, cycles := -1, -1
	for i, name := range rows[0] {
		switch {
		case strings.HasPrefix(name, "Buffer Size"):
			size = i
		case name == "Cycles/Buf":
			cycles = i
		}
	}
	if size < 0 || cycles < 0 {
		return c, fmt.Errorf("compare: dpdk-test-crypto-perf's table has columns %q: no buffer size or cycles", rows[0])
	}
	for _, row := range rows[1:] {
		if len(row) <= max(size, cycles) {
			continue
		}
		for i, at := range curveAt {
			if row[size] != strconv.Itoa(int(at)) {
				continue
			}
			v, err := strconv.ParseFloat(strings.TrimSpace(row[cycles]), 64)
			if err != nil {
				return c, fmt.Errorf("compare: dpdk-test-crypto-perf: cycles %q: %w", row[cycles], err)
			}
			if c[i] == 0 || v < c[i] {
				c[i] = v
			}
		}
	}
	for i, v := range c {
		if !(v > 0) {
			return c, fmt.Errorf("compare: dpdk-test-crypto-perf says nothing of %v bytes", curveAt[i])
		}
	}
	return c, nil
}

// sleep waits, or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
