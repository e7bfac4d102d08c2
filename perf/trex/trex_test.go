package trex

import (
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nave/perf/mix"
	"nave/testbed/need"
)

func python(t *testing.T, args ...string) (string, error) {
	t.Helper()
	need.Command(t, "python3")
	c := exec.Command("python3", append([]string{"-B"}, args...)...)
	out, err := c.CombinedOutput()
	return string(out), err
}

// All of it is Python that compiles.
func TestCompiles(t *testing.T) {
	files, err := filepath.Glob("*.py")
	if err != nil || len(files) < 4 {
		t.Fatalf("%v, %v", files, err)
	}
	const script = "import py_compile, sys\nfor f in sys.argv[2:]: py_compile.compile(f, sys.argv[1] + '/' + f + 'c', doraise=True)"
	if out, err := python(t, append([]string{"-c", script, t.TempDir()}, files...)...); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The search and the reader of mixes pass their own tests.
func TestPython(t *testing.T) {
	if out, err := python(t, "ndr_test.py"); err != nil || !strings.Contains(out, "OK") {
		t.Errorf("%v\n%s", err, out)
	}
}

// The frames for TRex are those of naveperf gen, byte by byte, of every mix that does not seal.
func TestSameFrames(t *testing.T) {
	link := mix.Link{Src: [6]byte{2, 0, 0, 0, 0, 9}, Dst: [6]byte{2, 0, 0, 0, 0, 1}}
	const script = `
import sys, nave_mix
for name in sys.argv[1:]:
    print("mix", name, flush=True)
    nave_mix.main(["../mix/mixes/%s.mix" % name, "02:00:00:00:00:09", "02:00:00:00:00:01"])
    sys.stderr.flush()
    sys.stdout.flush()
`
	all, err := python(t, append([]string{"-c", script}, mix.Names()...)...)
	if err != nil {
		t.Fatalf("%v\n%s", err, all)
	}
	got := make(map[string][]string)
	for _, part := range strings.Split(strings.TrimSpace(all), "mix ")[1:] {
		lines := strings.Split(strings.TrimSpace(part), "\n")
		got[lines[0]] = lines[1:]
	}
	for _, name := range mix.Names() {
		m, err := mix.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := got[name]
		if m.ESP != nil && m.ESP.Key != nil {
			if len(lines) != 1 || !strings.Contains(lines[0], "can't seal") {
				t.Errorf("%s: %q", name, lines)
			}
			continue
		}
		if len(lines) != len(m.Sizes) {
			t.Errorf("%s: %d sizes, want %d: %q", name, len(lines), len(m.Sizes), lines)
			continue
		}
		for k, s := range m.Sizes {
			if want := fmt.Sprintf("%d %s", s.Weight, first(t, *m, s, link)); lines[k] != want {
				t.Errorf("%s, %d bytes:\n%s\nwant\n%s", name, s.Bytes, lines[k], want)
			}
		}
	}
}

// first is the length and the bytes of the first flow's packet of a size.
func first(t *testing.T, m mix.Mix, s mix.Size, l mix.Link) string {
	t.Helper()
	m.Sizes, m.Flows, m.Over = []mix.Size{s}, 1, 1
	train, err := m.Train(l)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, train.Slots[0].Len)
	train.Write(b, 0, mix.Stamp{})
	train.Unstamp(b, 0)
	return fmt.Sprintf("%d %s", len(b), hex.EncodeToString(b))
}

// The profile loads with a stand-in for TRex's API that has the names it asks for, and makes a stream a size and one for latency.
func TestProfile(t *testing.T) {
	dir := t.TempDir()
	const api = `
class Any:
    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs
STLFlowLatencyStats = STLPktBuilder = STLScVmRaw = STLStream = STLTXCont = STLTXMultiBurst = STLVmFixIpv4 = STLVmFlowVar = STLVmWrFlowVar = Any
`
	if err := os.MkdirAll(filepath.Join(dir, "trex", "stl"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"trex/__init__.py", "trex/stl/__init__.py"} {
		if err := os.WriteFile(filepath.Join(dir, f), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "trex/stl/api.py"), []byte(api), 0o600); err != nil {
		t.Fatal(err)
	}
	const script = `
import sys
sys.path.insert(0, sys.argv[1])
import nave
s = nave.register().get_streams(tunables=["--mix", sys.argv[2]])
print([x.kwargs["name"] for x in s], round(sum(x.kwargs["mode"].kwargs["pps"] for x in s[:-1]), 6))
`
	out, err := python(t, "-c", script, dir, "../mix/mixes/imix.mix")
	if want := "['imix-46', 'imix-576', 'imix-1500', 'latency'] 1.0\n"; err != nil || out != want {
		t.Errorf("%v, %q, want %q", err, out, want)
	}
	const bursts = `
import sys
sys.path.insert(0, sys.argv[1])
import nave
s = nave.register().get_streams(tunables=["--mix", sys.argv[2], "--pps", "1e6"])
m = [x.kwargs["mode"].kwargs for x in s[:-1]]
print(round(sum(k["pkts_per_burst"] / (k["pkts_per_burst"] / k["pps"] + k["ibg"] / 1e6) for k in m)), sum(k["pkts_per_burst"] for k in m))
try:
    nave.register().get_streams(tunables=["--mix", sys.argv[2]])
except ValueError as e:
    print(e)
`
	out, err = python(t, "-c", bursts, dir, "../mix/mixes/bursty.mix")
	if err != nil || !strings.HasPrefix(out, "1000000 255\nmix bursty comes in bursts: say its rate") {
		t.Errorf("%v, %q", err, out)
	}
	out, err = python(t, "-c", script, dir, "../mix/mixes/many-flows.mix")
	if err != nil || out != "['many-flows-64', 'latency'] 1.0\n" {
		t.Errorf("%v, %q", err, out)
	}
}
