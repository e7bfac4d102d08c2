package hardware

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nave/ctl/config"
	"nave/testbed/need"
)

var update = flag.Bool("update", false, "write the golden file anew")

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A profile by option, in the file, both, or none; and what the text alone says of commands for hardware.
func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	const ike = "crypto isakmp policy 10\n encryption aes\n authentication pre-share\n group 14\ncrypto isakmp key k address 198.51.100.0 255.255.255.0\n"
	keyed := "mls mpls tunnel-recursive\n" + head + hub + " tunnel key 5\n" + ike
	bare, own := write(t, dir, "bare.cfg", keyed), write(t, dir, "own.cfg", "platform hardware profile sup720-3b\n"+keyed)
	odd, phase3 := write(t, dir, "odd.cfg", "platform hardware profile sup9\n"), write(t, dir, "phase3.cfg", head+hub+" ip nhrp redirect\n"+ike)
	typo := write(t, dir, "typo.cfg", "platform hardware profile sup720-3BXL-spar\n")
	unsure := write(t, dir, "none.cfg", "platform hardware profile none\n"+keyed)
	for _, tc := range []struct {
		name  string
		o     Options
		files []string
		code  int
		with  []string
		not   []string
	}{
		{"none", Options{}, []string{bare}, 0, []string{"no effect without a hardware profile"}, []string{"software-switched"}},
		{"by option", Options{Profile: "sup720-3b"}, []string{bare}, 0, []string{"[sup720-3b: software-switched; DMVPN guide 12.2SR, pages 2-3, Tunnel Key"}, []string{"without a hardware profile"}},
		{"in the file", Options{}, []string{own}, 0, []string{"[sup720-3b: software-switched;"}, []string{"without a hardware profile"}},
		{"the option wins", Options{Profile: "sup720-3a-7600"}, []string{own}, 0, []string{"[sup720-3a-7600: "}, []string{"[sup720-3b: "}},
		{"none by option", Options{Profile: "none"}, []string{own}, 0, []string{"without a hardware profile"}, []string{"software-switched"}},
		{"none in the file", Options{}, []string{unsure}, 0, []string{"without a hardware profile"}, []string{"software-switched"}},
		{"each its own", Options{}, []string{bare, own}, 0, []string{"bare.cfg:1:1: info: `mls mpls tunnel-recursive` has no effect", "own.cfg:20:2: warning"}, []string{"own.cfg:2:1"}},
		{"unknown in the file", Options{}, []string{odd}, 1, []string{"odd.cfg:1:1: error: there is no hardware profile sup9: there are sup2,"}, nil},
		{"misspelled in the file", Options{}, []string{typo}, 1, []string{"typo.cfg:1:1: error: there is no hardware profile sup720-3BXL-spar: did you mean sup720-3bxl-spa? (name"}, nil},
		{"what is refused is an error", Options{Profile: "sup720-3bxl-spa"}, []string{phase3}, 1, []string{"error: a Catalyst 6500 does not have `ip nhrp redirect` [sup720-3bxl-spa: refused; "}, nil},
		{"and is none without", Options{}, []string{phase3}, 0, nil, []string{"does not have `ip nhrp redirect`"}},
	} {
		var out bytes.Buffer
		code, err := CheckFiles(&out, false, tc.o, tc.files...)
		if err != nil || code != tc.code {
			t.Errorf("%s: code %d, %v; want %d\n%s", tc.name, code, err, tc.code, &out)
		}
		for _, w := range tc.with {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s: no %q in\n%s", tc.name, w, &out)
			}
		}
		for _, w := range tc.not {
			if strings.Contains(out.String(), w) {
				t.Errorf("%s: %q in\n%s", tc.name, w, &out)
			}
		}
	}
	for _, o := range []Options{{Profile: "sup9"}, {Dir: filepath.Join(dir, "absent")}} {
		if code, err := CheckFiles(&bytes.Buffer{}, false, o, bare); code != 2 || err == nil {
			t.Errorf("%+v: code %d, %v", o, code, err)
		}
	}
	if code, err := CheckFiles(&bytes.Buffer{}, false, Options{}, filepath.Join(dir, "absent")); code != 2 || err == nil {
		t.Errorf("absent: code %d, %v", code, err)
	}
}

func TestCheckJSON(t *testing.T) {
	var out bytes.Buffer
	if _, err := CheckFiles(&out, true, Options{Profile: "sup720-3b"}, write(t, t.TempDir(), "a.cfg", head+hub+" tunnel checksum\n")); err != nil {
		t.Fatal(err)
	}
	var got []struct {
		Code     string
		Hardware *config.Verdict
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, d := range got {
		if d.Code == "hw-gre-options" {
			if h := d.Hardware; h == nil || h.Profile != "sup720-3b" || h.Effect != software || !h.Assumed || h.Source == "" {
				t.Errorf("%+v", h)
			}
			return
		}
	}
	t.Errorf("no finding of hw-gre-options in %s", &out)
}

// TestLabs compares what three platforms would do with the configurations of the labs with the golden file.
func TestLabs(t *testing.T) {
	set := profiles(t)
	dirs, err := filepath.Glob("../../testbed/labs/configs/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal(err, dirs)
	}
	var out strings.Builder
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.cfg"))
		if err != nil {
			t.Fatal(err)
		}
		var trees []*config.Config
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			c, _ := config.Parse(filepath.Base(dir)+"/"+filepath.Base(f), text)
			trees = append(trees, c)
		}
		for _, name := range []string{"sup2", "sup720-3a", "sup720-3bxl-7600-spa"} {
			diags, _, err := Check(set, name, trees)
			if err != nil {
				t.Fatal(err)
			}
			diags.Sort()
			fmt.Fprintf(&out, "# %s on %s\n", filepath.Base(dir), name)
			for _, d := range diags {
				fmt.Fprintf(&out, "%s:%d: %s %s (%s): %s\n", d.File, d.Line, d.Severity, d.Code, d.Hardware.Effect, d.Message)
			}
		}
	}
	const file = "testdata/labs.golden"
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, old := strings.Split(out.String(), "\n"), strings.Split(string(want), "\n")
	for n := range max(len(got), len(old)) {
		a, b := append(got, "")[min(n, len(got))], append(old, "")[min(n, len(old))]
		if a != b {
			t.Fatalf("%s:%d: got\n%s\nwant\n%s\n(go test -update writes it anew)", file, n+1, a, b)
		}
	}
}

// TestReferenceConfigurations checks those of the guide, where they are at hand, for every profile.
func TestReferenceConfigurations(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "guide", "configs")
	need.Optional(t, dir)
	set := profiles(t)
	pages := map[string]string{"hw-tunnel-key": "Tunnel Key", "hw-adjust-mss": "mGRE Interfaces", "hw-multicast": "Encrypted Multicast with GRE",
		"hw-eigrp-vrf": "VRF-Aware DMVPN Scenarios", "hw-mtu": "VRF-Aware DMVPN Scenarios", "hw-supervisor": "Supervisor Engine", "hw-nat-unknown": "As a DMVPN Hub"}
	for _, group := range []string{"hub.cfg spoke.cfg", "vrf-hub.cfg vrf-spoke1-blue.cfg vrf-spoke2-red.cfg",
		"2547-bgp-hub.cfg 2547-bgp-spoke2.cfg 2547-bgp-spoke3.cfg", "2547-enterprise-hub.cfg 2547-enterprise-spoke2.cfg 2547-enterprise-spoke3.cfg"} {
		var files []string
		for f := range strings.FieldsSeq(group) {
			files = append(files, filepath.Join(dir, f))
		}
		trees, _, err := config.ReadFiles(files...)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range set.Names() {
			diags, _, err := Check(set, name, trees)
			if err != nil {
				t.Fatal(err)
			}
			count := map[string]int{}
			for _, d := range diags {
				count[d.Code]++
				if p := pages[d.Code]; p != "" && (!strings.Contains(d.Hardware.Source, "page") || !strings.Contains(d.Hardware.Source, p)) {
					t.Errorf("%s: %v does not name %s", name, d, p)
				}
			}
			t.Logf("%s on %s: %v", group, name, count)
			supported := !strings.HasPrefix(name, "sup2")
			if (count["hw-supervisor"] == 0) != supported {
				t.Errorf("%s on %s: %v", group, name, count)
			}
			if group == "hub.cfg spoke.cfg" && supported && (count["hw-tunnel-key"] != 2 || count["hw-adjust-mss"] != 2 || count["hw-multicast"] != 2) {
				t.Errorf("%s on %s: %v", group, name, count)
			}
		}
	}
}

// No configuration makes the rules panic: every beginning of the cases is checked.
func TestTruncated(t *testing.T) {
	set := profiles(t)
	for _, tc := range ruleCases {
		if len(tc.text) > 4000 {
			continue
		}
		for n := 0; n < len(tc.text); n += 113 {
			for _, name := range []string{"sup2", plain, "sup720-3a"} {
				if _, _, err := Check(set, name, parse(tc.text[:n])); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// FuzzCheck checks any text as two routers.
func FuzzCheck(f *testing.F) {
	set := profiles(f)
	for _, tc := range ruleCases {
		if len(tc.text) < 2000 {
			f.Add(tc.text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range []string{"", plain, "sup720-3a"} {
			diags, _, err := Check(set, name, parse(text))
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range diags {
				if d.Message == "" || d.Action == "" || d.File == "" {
					t.Fatalf("%+v", d)
				}
			}
		}
	})
}
