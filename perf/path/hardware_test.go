package path

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/hwprofiles"
	"nave/perf/report"
)

// Iron of a user's own, small enough for tests: what each feature comes to follows by hand.
const testIron = `
name: iron
platform: bench
supervisor: small
values:
  dmvpn.supported: {value: yes, basis: assumed, source: test}
  hw.bus_mpps: {value: 4, unit: Mpps, basis: assumed, source: test}
  rp.sw_cef_kpps: {value: 100, unit: kpps, basis: assumed, source: test}
  rp.process_kpps: {value: 1, unit: kpps, basis: assumed, source: test}
  fib.units72: {value: 1024, unit: units, basis: assumed, source: test}
  fib.split.ip_mpls: {value: 500, unit: entries, basis: assumed, source: test}
  fib.exception_pps: {value: 500, unit: pps, basis: assumed, source: test}
  mpls.hw: {value: yes, basis: assumed, source: test}
  mpls.over_gre: {value: no, basis: assumed, source: test}
  mpls.aggregate_labels: {value: 5, unit: labels, basis: assumed, source: test}
  gre.key_in_hw: {value: no, basis: assumed, source: test}
  gre.recirc_passes: {value: 1, unit: passes, basis: assumed, source: test}
  mcast.encrypted_gre: {value: no, basis: assumed, source: test}
  ratelimit.l3_registers: {value: 8, unit: registers, basis: assumed, source: test}
`

// noModule and module are what makes two profiles of it.
const (
	noModule = "  crypto.in_hw: {value: no, basis: assumed, source: test}\n"
	module   = "  crypto.in_hw: {value: yes, basis: assumed, source: test}\n  crypto.gbps: {value: 0.256, unit: Gbps, basis: assumed, source: test}\n"
)

// testDir is a directory with that iron, with and without a module, and with iron that nothing is known of.
func testDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"iron":        testIron + noModule,
		"iron-module": strings.Replace(testIron, "name: iron", "name: iron-module", 1) + module,
		"unknown":     "name: unknown\nplatform: bench\nsupervisor: none\nvalues:\n  dmvpn.supported: {value: yes, basis: assumed, source: test}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func testProfiles(t *testing.T, names ...string) []*hwprofiles.Profile {
	t.Helper()
	list, err := loadProfiles(testDir(t), names)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func measureHardware(t *testing.T, o HardwareOptions) map[string]HardwareRow {
	t.Helper()
	o.Runs, o.Time = 1, 10*time.Microsecond
	rows := map[string]HardwareRow{}
	err := MeasureHardware(t.Context(), o, testHz, func(list []HardwareRow) error {
		for _, r := range list {
			rows[fmt.Sprintf("%s %s %s", r.Feature, r.Size, r.Profile)] = r
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestHardwareRates: each feature comes to what the numbers of the profile say, by what they say.
func TestHardwareRates(t *testing.T) {
	rows := measureHardware(t, HardwareOptions{Profiles: testProfiles(t, "iron")})
	if got := len(rows); got != len(features)+3 { // those that are sealed come in two sizes
		t.Errorf("%d rows", got)
	}
	want := []struct {
		row   string
		mpps  float64
		limit string
	}{
		{"ipv4 64", 4, "engine-over"}, {"ipv4-full 64", 0.0005, "exception-over"}, {"fragment 1400", 0.001, "process-over"},
		{"ttl 64", 0.001, "ttl-expired, lost"}, {"ttl-limited 64", 0.001, "ttl-expired, lost"},
		{"gre-encap 64", 2, "engine-over"}, {"gre-decap 64", 2, "engine-over"}, {"gre-hairpin 64", 4. / 3, "engine-over"}, {"multicast 64", 4. / 3, "engine-over"},
		{"key-encap 64", 0.1, "cef-over"}, {"key-decap 64", 0.1, "cef-over"}, {"key-hairpin 64", 0.1, "cef-over"}, {"esp-multicast 64", 0, "encrypted-multicast"},
		{"mpls-push 64", 4, "engine-over"}, {"mpls-swap 64", 4, "engine-over"}, {"mpls-pop-vrf 64", 4, "engine-over"}, {"mpls-pop-many 64", 2, "engine-over"},
		{"mpls-gre 64", 0.1, "cef-over"},
	}
	for _, c := range want {
		r := rows[c.row+" iron"]
		if math.Abs(r.Mpps-c.mpps) > 0.01*c.mpps || r.Limit != c.limit || r.Unlimited || r.Refused != "" || !(r.NoneMpps > 0) || r.Overload > 1.01*r.Mpps {
			t.Errorf("%s: %+v, want %g Mpps by %s", c.row, r, c.mpps, c.limit)
		}
	}
	// A protected packet costs what is in it, once in and once out: 32 MB a second are 500 000 of 64 bytes.
	with := measureHardware(t, HardwareOptions{Profiles: testProfiles(t, "iron-module"), Features: []string{"esp-encap", "esp-decap", "esp-hairpin"}})
	for row, mpps := range map[string]float64{
		"esp-encap 64": 0.5, "esp-decap 64": 0.5, "esp-hairpin 64": 0.25, "esp-encap 1400": 32. / 1400, "esp-decap 1400": 32. / 1400, "esp-hairpin 1400": 16. / 1400,
	} {
		if r := with[row+" iron-module"]; math.Abs(r.Mpps-mpps) > 0.01*mpps || r.Limit != "crypto-over" {
			t.Errorf("%s with a module: %+v, want %g Mpps", row, r, mpps)
		}
		if r := rows[row+" iron"]; math.Abs(r.Mpps-0.001) > 1e-5 || r.Limit != "process-over" {
			t.Errorf("%s without a module: %+v", row, r)
		}
	}
}

// TestHardwareRefused: what a profile does not do, or nothing is known of, has no rate and says why.
func TestHardwareRefused(t *testing.T) {
	rows := measureHardware(t, HardwareOptions{Profiles: testProfiles(t, "sup2", "unknown"), Features: []string{"ipv4", "ipv4-full", "mpls-pop-many"}})
	for key, r := range measureHardware(t, HardwareOptions{Profiles: testProfiles(t, "sup2"), Features: []string{"gre-encap", "esp-decap"}}) {
		rows[key] = r
	}
	for row, want := range map[string]string{
		"ipv4 64 sup2": "", "gre-encap 64 sup2": "dmvpn.supported", "esp-decap 1400 sup2": "dmvpn.supported", "ipv4-full 64 sup2": "fib.split.ip_mpls",
		"ipv4 64 unknown": "", "ipv4-full 64 unknown": "fib.split.ip_mpls", "mpls-pop-many 64 unknown": "mpls.aggregate_labels",
	} {
		r, ok := rows[row]
		if !ok || want == "" && r.Refused != "" || !strings.Contains(r.Refused, want) || r.Refused != "" && r.Mpps != 0 {
			t.Errorf("%s: %+v, want it refused by %q", row, r, want)
		}
	}
	if r := rows["ipv4 64 unknown"]; !r.Unlimited || r.Mpps != 0 || !r.slower() {
		t.Errorf("iron that nothing is known of: %+v", r)
	}
	if r := rows["ipv4 64 sup2"]; math.Abs(r.Mpps-30) > 0.3 {
		t.Errorf("sup2: %+v", r)
	}
	small := measureHardware(t, HardwareOptions{Profiles: testProfiles(t, "iron"), Features: []string{"fragment"}, Sizes: []report.Size{64, 92}})
	if r := small["fragment 64 iron"]; r.Refused == "" {
		t.Errorf("64 bytes are cut: %+v", r)
	}
	if r := small["fragment 92 iron"]; math.Abs(r.Mpps-0.001) > 1e-5 {
		t.Errorf("92 bytes: %+v", r)
	}
}

func TestHardwareFlags(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--profile sup9000", "--profile: there is no hardware profile sup9000"},
		{"--profile ,", "name one at least"},
		{"--profile-dir /nowhere", "/nowhere"},
		{"--feature frob", `--feature "frob": there are ipv4, ipv4-full`},
		{"--size imix", "--size imix"},
		{"--size 27", "want 28"},
		{"--runs 0", "--runs 0"},
		{"--time 2m", "--time 2m"},
		{"--what", "not defined"},
	} {
		var out, errs bytes.Buffer
		err := HardwareCommand(t.Context(), strings.Fields(c.args), &out, &errs)
		if err == nil || !strings.Contains(err.Error(), c.want) || out.Len() > 0 {
			t.Errorf("%s: error %v, want %q; printed %s", c.args, err, c.want, out.String())
		}
	}
	f, err := parseHardware([]string{"--profile", "sup720-3a", "sup2", "sup720-3a"}, new(bytes.Buffer))
	if err != nil || len(f.Profiles) != 2 {
		t.Errorf("two names and one of them twice: %v, %v", f, err)
	}
	if f, err = parseHardware(nil, new(bytes.Buffer)); err != nil || len(f.Profiles) != len(defaultProfiles) {
		t.Errorf("default: %v, %v", f, err)
	}
	if f, err = parseHardware([]string{"--profile", "all"}, new(bytes.Buffer)); err != nil || len(f.Profiles) < 20 {
		t.Errorf("all: %v, %v", f, err)
	}
}

// TestHardwareCommand: the table puts together what comes to the same, JSON has each row.
func TestHardwareCommand(t *testing.T) {
	few := []string{
		"--profile-dir", testDir(t), "--profile", "iron,iron-module,sup2", "--feature", "ipv4,esp-encap", "--size", "100", "--runs", "1", "--time", "10us", "--cpu", "0",
	}
	var out, errs bytes.Buffer
	if err := HardwareCommand(t.Context(), few, &out, &errs); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2+2+3 || errs.Len() != 0 || !strings.HasSuffix(lines[2], " iron iron-module") || !strings.HasSuffix(lines[6], " sup2") {
		t.Errorf("%s%s", out.String(), errs.String())
	}
	for i, want := range []string{" 4.00 ", " 30.0 ", "0.00100", "0.320", "refused: no hub"} {
		if !strings.Contains(lines[2+i], want) {
			t.Errorf("line %q, want %s in it", lines[2+i], want)
		}
	}
	out.Reset()
	if err := HardwareCommand(t.Context(), append(slices.Clone(few), "--json"), &out, &errs); err != nil {
		t.Fatal(err)
	}
	var r HardwareReport
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || len(r.Rows) != 6 || r.CPU == "" || r.TSCHz < 1e6 {
		t.Fatalf("%+v, %v", r, err)
	}
	if got := r.Rows[0].Gbps; math.Abs(got-3.2) > 0.05 || r.Rows[0].Limit != "engine-over" || strings.Count(errs.String(), "\n") != 7 {
		t.Errorf("%g Gbit/s; the table:\n%s", got, errs.String())
	}
}

// TestHardwareRepeats: the same profile comes to the same after others, whatever these left in the tables.
func TestHardwareRepeats(t *testing.T) {
	ps := testProfiles(t, "iron", "iron-module")
	for _, name := range []string{"ipv4-full", "esp-hairpin", "mpls-pop-many"} {
		f := &features[slices.IndexFunc(features, func(f feature) bool { return f.name == name })]
		routes, labels := f.fillers(ps)
		s, err := newStand(f, 64, routes, labels)
		if err != nil {
			t.Fatal(err)
		}
		first := map[string]outcome{}
		for range 2 {
			for _, p := range ps {
				var r HardwareRow
				if err := s.by(p, &r); err != nil {
					t.Fatal(err)
				}
				o, known := first[p.Name]
				if now := (outcome{pps: r.Mpps, limit: r.Limit, free: r.Unlimited}); !known {
					first[p.Name] = now
				} else if math.Abs(now.pps-o.pps) > 0.005*o.pps || now.limit != o.limit || now.free != o.free {
					t.Errorf("%s, %s: %+v and then %+v", name, p.Name, o, now)
				}
			}
		}
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
}

// TestHardwareLines: where nave is the slower one, the table says so, whatever the hardware would end by.
func TestHardwareLines(t *testing.T) {
	text := hardwareLines([]HardwareRow{
		{Feature: "ipv4", Size: 64, Profile: "a", Mpps: 30, NoneMpps: 20, Limit: "engine-over"}, {Feature: "ipv4", Size: 64, Profile: "b", Mpps: 0.5, NoneMpps: 20, Limit: "cef-over"},
		{Feature: "ipv4", Size: 64, Profile: "c", Mpps: 30.2, NoneMpps: 20, Limit: "engine-over"}, {Feature: "ipv4", Size: 64, Profile: "d", Unlimited: true, NoneMpps: 20},
		{Feature: "ipv4", Size: 64, Profile: "e", Refused: "refused: why", NoneMpps: 20},
	})
	var got []string
	for line := range strings.Lines(text) {
		got = append(got, strings.Join(strings.Fields(line)[2:], " "))
	}
	if want := []string{"20.0 30.0 nave itself a c", "20.0 0.500 cef-over b", "20.0 no limit nave itself d", "20.0 - refused: why e"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if all := hardwareLines([]HardwareRow{{Profile: "a", Mpps: 1, NoneMpps: 2}, {Profile: "b", Mpps: 1, NoneMpps: 2}}); !strings.HasSuffix(all, " all\n") {
		t.Errorf("%q", all)
	}
}

func TestHardwareCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := HardwareOptions{Profiles: testProfiles(t, "iron"), Runs: 1, Time: time.Microsecond}
	if err := MeasureHardware(ctx, o, testHz, func([]HardwareRow) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	stop := errors.New("enough")
	if err := MeasureHardware(t.Context(), o, testHz, func([]HardwareRow) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}
