package pktgen

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nave/perf/mix"
	"nave/testbed/need"
)

func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	need.Command(t, "bash")
	out, err := exec.Command("bash", append([]string{"pktgen.sh"}, args...)...).CombinedOutput()
	return string(out), err
}

func dry(t *testing.T, file string, more ...string) (string, error) {
	t.Helper()
	return run(t, append([]string{"--iface", "eth9", "--mac", "02:00:00:00:00:01", "--mix", file, "--dry-run"}, more...)...)
}

func TestSyntax(t *testing.T) {
	need.Command(t, "bash")
	if out, err := exec.Command("bash", "-n", "pktgen.sh").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Every mix that pktgen can send is told to it: sizes with Ethernet's header, weights, flows, destinations, labels. The others are refused by line.
func TestEveryMix(t *testing.T) {
	for _, name := range mix.Names() {
		m, err := mix.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		out, err := dry(t, "../mix/mixes/"+name+".mix")
		if m.GRE != nil || m.ESP != nil {
			if err == nil || !strings.Contains(out, "pktgen can't send gre") {
				t.Errorf("%s: %v, %s", name, err, out)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
			continue
		}
		want := []string{"/proc/net/pktgen/kpktgend_0: add_device eth9@0\n", "dst_mac 02:00:00:00:00:01\n", fmt.Sprintf("pkt_size %d\n", m.Sizes[0].Bytes+14),
			fmt.Sprintf("src_min %v\n", m.From), fmt.Sprintf("dst_min %v\n", m.To), "pgctrl: start\n"}
		if len(m.Sizes) > 1 {
			var words []string
			for _, s := range m.Sizes {
				words = append(words, fmt.Sprintf("%d,%d", s.Bytes+14, s.Weight))
			}
			want = append(want, "imix_weights "+strings.Join(words, " ")+"\n")
		}
		if m.Flows > 1 {
			want = append(want, fmt.Sprintf("udp_src_max %d\n", 1024+min(m.Flows, 60000)))
		}
		if m.Over == 4096 {
			want = append(want, "dst_max 10.2.31.255\n")
		}
		if len(m.Labels) > 0 {
			want = append(want, "mpls 00064140\n")
		}
		if m.Burst > 1 {
			want = append(want, ": burst 64\n")
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: %q is not in\n%s", name, w, out)
			}
		}
	}
}

func TestThreads(t *testing.T) {
	out, err := dry(t, "../mix/mixes/ip-64.mix", "--rate", "3000000", "--threads", "3", "--cpu", "2", "--seconds", "7")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, w := range []string{"kpktgend_4: add_device eth9@4\n", "eth9@4: queue_map_min 2\n", "eth9@2: ratep 1000000\n", "after 7 s: stop"} {
		if !strings.Contains(out, w) {
			t.Errorf("%q is not in\n%s", w, out)
		}
	}
	if strings.Count(out, "ratep") != 3 {
		t.Errorf("%s", out)
	}
}

func TestRefused(t *testing.T) {
	file := func(text string) string {
		f := filepath.Join(t.TempDir(), "a.mix")
		if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return f
	}
	for text, want := range map[string]string{
		"mix a\nsize x\n": ":2: 'x' is no number", "mix a\nsize 20\n": ":2: packet of 20 bytes", "mix a\nfoo\n": ":2: unknown word 'foo'", "mix a\n": "no name or no size",
		"mix a\nsize 64 weight 0\n": ":2: weight '0'",
	} {
		if out, err := dry(t, file(text)); err == nil || !strings.Contains(out, want) {
			t.Errorf("%q: %v, %s", text, err, out)
		}
	}
	for args, want := range map[string]string{
		"": "say --iface", "--iface eth9": "say --mac", "--iface eth9 --mac 1": "say --mac", "--iface eth9 --mac 02:00:00:00:00:01": "say --mix",
		"--what": "unknown argument", "--rate": "wants a value", "--iface eth9 --mac 02:00:00:00:00:01 --mix pktgen.sh --rate x": "--rate x: want a number",
	} {
		if out, err := run(t, strings.Fields(args)...); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: %v, %s", args, err, out)
		}
	}
}
