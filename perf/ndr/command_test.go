package ndr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"nave/perf/mix"
	"nave/perf/rig"
	"nave/testbed/need"
	"nave/testbed/netns"
	"nave/testbed/topo"
)

func TestMain(m *testing.M) {
	code := m.Run()
	topo.CleanUp()
	os.Exit(code)
}

// The command finds the highest rate of a range that any machine can do, through a naved that tunnels in clear and two that seal, and leaves nothing behind.
func TestLabs(t *testing.T) {
	need.Root(t)
	need.Command(t, "ip", "ethtool", "nsenter")
	bin, err := topo.Binaries()
	if err != nil {
		t.Fatal(err)
	}
	for lab, driver := range map[string]string{"gre": "afxdp", "esp": "xdp"} {
		t.Run(lab, func(t *testing.T) {
			var out, errs bytes.Buffer
			args := fmt.Sprintf("--lab %s --driver %s --bin %s --trial 200ms --settle 500ms --max 2kpps --loss 0,0.5 --resolution 0.2 --repeats 5 --json", lab, driver, bin)
			if err := Command(t.Context(), strings.Fields(args), &out, &errs); err != nil {
				t.Fatalf("%v\n%s", err, errs.String())
			}
			var r report
			if err := json.Unmarshal(out.Bytes(), &r); err != nil {
				t.Fatalf("%v in %s", err, out.String())
			}
			if len(r.Results) != 2 || r.Where != "lab "+lab {
				t.Fatalf("%s", out.String())
			}
			ndr, pdr := r.Results[0], r.Results[1]
			if ndr.Rate < 500 || ndr.Rate > 2100 || pdr.Rate < ndr.Rate || ndr.Best.Received != ndr.Best.Sent {
				t.Errorf("%s\n%s", out.String(), errs.String())
			}
			if l := ndr.Best.Latency; l.Count != ndr.Best.Received || l.Min < 1000 {
				t.Errorf("latency %+v", l)
			}
		})
	}
	if left, err := netns.Namespaces(fmt.Sprintf("np%d-", os.Getpid())); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// The lab in memory needs nothing of the machine: the search runs through a worker, and finds less than can't be.
func TestMemory(t *testing.T) {
	var out, errs bytes.Buffer
	args := "--lab mem --trial 50ms --settle 200ms --max 3kpps --resolution 0.3 --repeats 5"
	if err := Command(t.Context(), strings.Fields(args), &out, &errs); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	if !strings.Contains(out.String(), "lab mem, mix imix") || !strings.Contains(out.String(), "no-drop rate") || strings.Contains(out.String(), "rate               0.0000") {
		t.Errorf("%s\n%s", out.String(), errs.String())
	}
}

// What can't be measured is refused before anything is made.
func TestFlags(t *testing.T) {
	for args, want := range map[string]string{
		"":                             "say --lab NAME (mem, forward, gre, gre-decap, esp)",
		"--lab x --tx a --rx b":        "say --lab NAME",
		"--tx a":                       "both --tx and --rx",
		"--lab x":                      `there is no lab "x"`,
		"--lab forward --loss 1":       "--loss 1",
		"--lab forward --loss 0,x":     "--loss 0,x",
		"--lab forward --max 5":        "--max 5",
		"--lab forward --min max":      "--min max",
		"--lab forward --trial 1ms":    "10ms at least",
		"--lab forward --mix none":     "neither built in",
		"--lab forward --bin /nowhere": "no naved in /nowhere",
		"--lab forward more":           `"more"`,
		"--tx lo --rx nothing0":        "--mac ADDRESS or --gateway",
		"--tx lo --rx nothing0 --mac 02:00:00:00:00:01": "nothing0",
	} {
		err := Command(t.Context(), strings.Fields(args), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ndr %s: %v, want %q", args, err, want)
		}
	}
	p, err := rig.FindPlace("esp")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Up(t.Context(), tooLong(t), rig.Options{Bin: "/nowhere"}); err == nil || !strings.Contains(err.Error(), "without fragments") {
		t.Errorf("packets that need fragments: %v", err)
	}
}

func tooLong(t *testing.T) *mix.Mix {
	t.Helper()
	m, err := mix.Load("imix")
	if err != nil {
		t.Fatal(err)
	}
	return m
}
