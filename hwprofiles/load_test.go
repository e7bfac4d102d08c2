package hwprofiles

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func load(t *testing.T, dir string) *Set {
	t.Helper()
	s, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func profile(t *testing.T, s *Set, name string) *Profile {
	t.Helper()
	p, err := s.Profile(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// write makes a directory of files, by name.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// There is a profile of each supervisor engine, in either chassis, with each module and without.
func TestNames(t *testing.T) {
	names := load(t, "").Names()
	var want []string
	for _, chassis := range []string{"", "-7600"} {
		for _, module := range []string{"", "-vpnsm", "-spa", "-vspa"} {
			for _, supervisor := range []string{"sup720-3a", "sup720-3b", "sup720-3bxl"} {
				want = append(want, supervisor+chassis+module)
			}
		}
		want = append(want, "sup2"+chassis, "sup2"+chassis+"-vpnsm")
	}
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
}

// Parts come together: what the engine, the chassis and the module say stands in one profile.
func TestInheritance(t *testing.T) {
	s := load(t, "")
	for _, c := range []struct {
		name, platform, supervisor, module string
		units                              int
		mpls, crypto, found                bool
		ciphers                            string
	}{
		{"sup720-3a", "Catalyst 6500", "PFC3A", "", 262144, false, false, false, ""},
		{"sup720-3b-vpnsm", "Catalyst 6500", "PFC3B", "VPNSM", 262144, true, true, false, "des 3des"},
		{"sup720-3bxl-7600-spa", "Cisco 7600", "PFC3BXL", "SPA", 1048576, true, true, true, "des 3des aes"},
		{"sup720-3bxl-7600-vspa", "Cisco 7600", "PFC3BXL", "VSPA", 1048576, true, true, true, "des 3des aes"},
	} {
		p := profile(t, s, c.name)
		if p.Platform != c.platform || !strings.HasSuffix(p.Supervisor, c.supervisor) || !strings.Contains(p.Module, c.module) || (p.Module == "") != (c.module == "") {
			t.Errorf("%s is %q, %q, %q", c.name, p.Platform, p.Supervisor, p.Module)
		}
		if p.FIB.Units.Int() != c.units || p.MPLS.Hardware.Yes != c.mpls || p.Crypto.Hardware.Yes != c.crypto || p.MPLS.OverGRE.Found != c.found {
			t.Errorf("%s: %+v %+v %+v", c.name, p.FIB.Units, p.MPLS, p.Crypto)
		}
		if got := strings.Join(p.Crypto.Ciphers.List, " "); got != c.ciphers {
			t.Errorf("%s encrypts by %q", c.name, got)
		}
	}
	if p := profile(t, s, "sup2-7600"); !p.DMVPN.Supported.No() || p.Platform != "Cisco 7600" {
		t.Errorf("%+v", p)
	}
}

// The profiles of the Supervisor Engine 720 know every key but those of modules that they have not, and each value has
// a source.
func TestComplete(t *testing.T) {
	for _, p := range load(t, "").Profiles() {
		have := map[string]bool{}
		for _, v := range p.Values {
			have[v.Key.Name] = true
			if v.Source == "" || v.File == "" || v.Line == 0 || v.Text == "" || !v.Known {
				t.Errorf("%s: %s: %+v", p.Name, v.Key.Name, v)
			}
		}
		if !strings.HasPrefix(p.Name, "sup720") {
			continue
		}
		for _, k := range Keys() {
			module := strings.HasPrefix(k.Name, "crypto.") && k.Name != "crypto.in_hw"
			if have[k.Name] || module && (p.Module == "" || strings.HasPrefix(p.Module, "VPNSM")) {
				continue
			}
			t.Errorf("%s does not say %s", p.Name, k.Name)
		}
	}
}

func TestUnknownProfile(t *testing.T) {
	_, err := load(t, "").Profile("sup32")
	if err == nil || !strings.Contains(err.Error(), "sup720-3bxl-7600-spa") || !strings.Contains(err.Error(), "none") {
		t.Errorf("%v", err)
	}
}

const own = "name: iron\nplatform: A box\nsupervisor: its engine\nvalues:\n  dmvpn.supported: {value: yes, basis: found, source: its manual}\n"

// A user's directory adds profiles, replaces those of the same name, and extends them; parts that are replaced show in
// all profiles that are made of them.
func TestDirectory(t *testing.T) {
	s := load(t, write(t, map[string]string{
		"iron.yaml":    own,
		"sup2.yml":     strings.Replace(own, "iron", "sup2", 1),
		"bxl.yaml":     "name: pfc3bxl\npart: yes\nextends: [pfc3bxl]\nvalues:\n  fib.units72: {value: 2097152, unit: units, basis: found, source: a bigger one}\n",
		"extends.yaml": "name: sup720-3b-spa\nextends: sup720-3b-spa\nvalues:\n  crypto.tunnels: {value: 16000, unit: tunnels, basis: found, source: later software}\n",
		"README":       "not read",
	}))
	if p := profile(t, s, "iron"); p.Platform != "A box" || p.FIB.Units.Known || p.GRE.Key.No() {
		t.Errorf("iron: %+v", p)
	}
	if p := profile(t, s, "sup2"); p.Platform != "A box" || p.DMVPN.Supported.No() {
		t.Errorf("sup2 was not replaced: %+v", p)
	}
	if p := profile(t, s, "sup2-7600"); !p.DMVPN.Supported.No() {
		t.Errorf("sup2-7600 was: %+v", p)
	}
	if p := profile(t, s, "sup720-3b-spa"); p.Crypto.Tunnels.Int() != 16000 || p.FIB.Units.Int() != 262144 || p.Crypto.Rate.Value != 2.5 {
		t.Errorf("sup720-3b-spa was not extended: %+v", p)
	}
	for _, n := range []string{"sup720-3bxl", "sup720-3bxl-7600-vspa"} {
		if p := profile(t, s, n); p.FIB.Units.Int() != 2097152 || p.FIB.IPMPLS.Int() != 524288 {
			t.Errorf("%s does not have the part: %+v", n, p.FIB)
		}
	}
	if p := profile(t, load(t, ""), "sup720-3bxl"); p.FIB.Units.Int() != 1048576 {
		t.Errorf("the user's file changed what is embedded: %+v", p.FIB)
	}
}

func TestDirectoryMissing(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error")
	}
	if _, err := Load(write(t, map[string]string{"x.txt": ""})); err == nil || !strings.Contains(err.Error(), "*.yaml") {
		t.Errorf("%v", err)
	}
}

// What is no file is not waited for.
func TestDirectoryWithoutFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "x.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "x.yaml is no file") {
		t.Errorf("%v", err)
	}
}

// What goes wrong between files is told with the place.
func TestAssembly(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"extends nobody", map[string]string{"a.yaml": own + "extends: [x, sup720-3x]\n"}, "a.yaml:6:14: there is no profile or part sup720-3x to extend (did you mean sup720-3a?)"},
		{"extends itself", map[string]string{"a.yaml": own + "extends: iron\n"}, "a.yaml:6:10: there is no profile or part iron to extend"},
		{"in a circle", map[string]string{"a.yaml": own + "extends: wood\n", "b.yaml": "name: wood\npart: yes\nextends: iron\n"}, "b.yaml:3:10: wood extends itself by iron"},
		{"twice", map[string]string{"a.yaml": own, "b.yaml": own}, "b.yaml:1:7: there is a profile iron already, by "},
		{"variant twice", map[string]string{"a.yaml": own + "variants:\n  - {\"\": module-none, -vpnsm: module-vpnsm}\n  - {\"\": module-none, -vpnsm: module-spa}\n"}, "there is a profile iron-vpnsm already"},
		{"no platform", map[string]string{"a.yaml": strings.Replace(own, "platform: A box\n", "", 1)}, "a.yaml:1:7: profile iron has no platform (add `platform: ...`, or `part: yes` if this is not meant to be a profile)"},
		{"no engine", map[string]string{"a.yaml": strings.Replace(own, "supervisor: its engine\n", "", 1)}, "profile iron has no supervisor"},
		{"hub or not", map[string]string{"a.yaml": "name: iron\nplatform: a\nsupervisor: b\n"}, "profile iron does not say whether it can be hub or spoke"},
		{"split too large", map[string]string{"a.yaml": own + "  fib.units72: {value: 2048, unit: units, basis: found, source: s}\n  fib.split.ip_mpls: {value: 1024, unit: entries, basis: found, source: s}\n  fib.split.ipv6_mcast: {value: 1025, unit: entries, basis: found, source: s}\n"},
			"a.yaml:6:3: the split of iron takes 2049 units, and fib.units72 is 2048"},
		{"more flows than entries", map[string]string{"a.yaml": own + "  netflow.entries: {value: 5, unit: entries, basis: found, source: s}\n  netflow.effective: {value: 6, unit: entries, basis: found, source: s}\n"}, "a.yaml:7:3: netflow.effective of iron is more than netflow.entries"},
	} {
		_, err := Load(write(t, c.files))
		var ps Problems
		if !errors.As(err, &ps) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.name, err, c.want)
		}
	}
}
