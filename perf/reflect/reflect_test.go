package reflect

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"nave/slowpath/bgp"
	"nave/testbed/ports"
)

// role is the variable by which this program is the reflector: "swap PORT" or "reflect PORT".
const role = "NAVE_REFLECT"

func TestMain(m *testing.M) {
	if how, port, ok := strings.Cut(os.Getenv(role), " "); ok {
		n, err := strconv.ParseUint(port, 10, 16)
		if err == nil {
			err = runHub(uint16(n), how == "swap", os.Stdin, os.Stdout)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestReflector is the benchmark with few prefixes.
func TestReflector(t *testing.T) {
	for _, how := range []string{"swap", "reflect"} {
		m := measure(t, startHub(t, how), 500)
		if m.labels < 500 && how == "swap" || m.labels > 0 && how == "reflect" {
			t.Errorf("%s: %d labels for 500 prefixes", how, m.labels)
		}
	}
}

func BenchmarkReflector(b *testing.B) {
	count := 100_000
	if testing.Short() {
		count = 5000
	}
	run := func(how string) func(*testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				m := measure(b, startHub(b, how), count)
				b.ReportMetric(m.took.Seconds(), "s")
				b.ReportMetric(m.inTable.Seconds(), "s-to-labels")
				b.ReportMetric(m.cpu.Seconds(), "cpu-s")
				b.ReportMetric(m.resident, "MB")
				b.ReportMetric(0, "ns/op")
			}
		}
	}
	b.Run("swap", run("swap"))
	b.Run("reflect", run("reflect"))
	if os.Getenv("NAVE_GOBGPD") != "" { // `go build github.com/osrg/gobgp/v4/cmd/gobgpd` in a module of its own makes it
		b.Run("gobgpd", run("gobgpd"))
	}
}

// process is a reflector.
type process struct {
	cmd   *exec.Cmd
	port  uint16
	in    io.Writer
	out   *bufio.Scanner // nil: it tells nothing of labels
	ended chan struct{}
}

func startHub(t testing.TB, how string) *process {
	p := &process{port: ports.TCP(t), ended: make(chan struct{})}
	if how == "gobgpd" {
		file := filepath.Join(t.TempDir(), "gobgpd.toml")
		if err := os.WriteFile(file, gobgpdConfig(p.port), 0o600); err != nil {
			t.Fatal(err)
		}
		p.cmd = exec.Command(os.Getenv("NAVE_GOBGPD"), "-f", file, "--api-hosts", "127.0.1.1:0", "-l", "warn")
	} else {
		p.cmd = exec.Command(os.Args[0])
		p.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d", role, how, p.port))
		in, err := p.cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		p.in = in
		out, err := p.cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		p.out = bufio.NewScanner(out)
	}
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	})
	return p
}

func gobgpdConfig(port uint16) []byte {
	c := fmt.Sprintf("[global.config]\nas = 1\nrouter-id = \"10.0.0.1\"\nport = %d\nlocal-address-list = [\"%s\"]\n", port, hubAddr)
	for _, a := range []netip.Addr{fromAddr, toAddr} {
		c += fmt.Sprintf("[[neighbors]]\n[neighbors.config]\nneighbor-address = \"%s\"\npeer-as = 1\n[neighbors.transport.config]\npassive-mode = true\nlocal-address = \"%s\"\n"+
			"[neighbors.route-reflector.config]\nroute-reflector-client = true\nroute-reflector-cluster-id = \"10.0.0.1\"\n"+
			"[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = \"l3vpn-ipv4-unicast\"\n", a, hubAddr)
	}
	return []byte(c)
}

// labels asks for the number of labels that are installed.
func (p *process) labels(t testing.TB) int {
	if p.out == nil {
		return 0
	}
	fmt.Fprintln(p.in)
	if !p.out.Scan() {
		t.Fatal("the reflector has ended")
	}
	n, err := strconv.Atoi(p.out.Text())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// usage is what a process has taken: memory now, in MB, and time of CPUs.
func (p *process) usage(t testing.TB) (resident float64, cpu time.Duration) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmRSS:" {
			kb, _ := strconv.Atoi(f[1])
			resident = float64(kb) / 1024
		}
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return resident, time.Duration(user+system) * time.Second / 100 // the kernel's unit for processes
}

// measurement is what moving the prefixes took.
type measurement struct {
	took     time.Duration // until whoever listens had all
	inTable  time.Duration // until all labels were installed
	cpu      time.Duration // of the reflector
	resident float64       // MB that the reflector has more than before
	labels   int
}

// end is a neighbour of the reflector, with a VRF.
func end(t testing.TB, own netip.Addr, n byte, port uint16, deliver func(bgp.Effects)) *bgp.Speaker {
	s := bgp.New(bgp.Env{Deliver: deliver})
	t.Cleanup(s.Close)
	d, err := bgp.ParseRD("1:1")
	if err != nil {
		t.Fatal(err)
	}
	rt, err := bgp.ParseRouteTarget("1:1")
	if err != nil {
		t.Fatal(err)
	}
	err = s.Configure(bgp.Config{
		AS: 1, RouterID: netip.AddrFrom4([4]byte{10, 0, 0, n}), Port: port, Listen: []netip.Addr{own}, Neighbours: []bgp.Neighbour{neighbour(own, hubAddr, "")},
		VRFs: []bgp.VRF{{Name: "red", RD: d, Import: []bgp.RouteTarget{rt}, Export: []bgp.RouteTarget{rt}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func measure(t testing.TB, p *process, count int) (m measurement) {
	t.Helper()
	var got atomic.Int64
	var up atomic.Int64
	sessions := func(e bgp.Effects) {
		for _, s := range e.Sessions {
			if s.Up {
				up.Add(1)
			}
		}
	}
	from := end(t, fromAddr, 2, p.port, sessions)
	defer from.Close()
	to := end(t, toAddr, 3, p.port, func(e bgp.Effects) { sessions(e); got.Add(int64(len(e.Routes))) })
	defer to.Close()
	wait := func(what string, until time.Duration, f func() bool) {
		for deadline := time.Now().Add(until); !f(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain: %s", what)
			}
		}
	}
	wait("the sessions", time.Minute, func() bool { return up.Load() >= 2 })
	p.labels(t)
	before, busy := p.usage(t)
	locals := make([]bgp.Local, count)
	for i := range locals {
		locals[i] = bgp.Local{VRF: "red", Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), 32), Label: uint32(100 + i)}
	}
	began := time.Now()
	if err := from.Announce(locals...); err != nil {
		t.Fatal(err)
	}
	wait("all prefixes", 5*time.Minute, func() bool {
		if m.inTable == 0 && p.out != nil && p.labels(t) >= count {
			m.inTable = time.Since(began)
		}
		return int(got.Load()) >= count
	})
	m.took, m.labels = time.Since(began), p.labels(t)
	after, all := p.usage(t)
	m.resident, m.cpu = after-before, all-busy
	return m
}
