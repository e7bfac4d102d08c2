package path

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nave/perf/report"
)

func TestBadFlags(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--work frob", `--work "frob": there are ipv4, gre-encap`},
		{"--work ipv4,,esp", `--work "esp"`},
		{"--size 64,big", `--size "big"`},
		{"--size 0", `--size "0"`},
		{"--size -5", `--size "-5"`},
		{"--size 27", "size 27: want 28"},
		{"--size 1401", "size 1401: want 28"},
		{"--tunnels x", `--tunnels "x"`},
		{"--tunnels 0", "--tunnels 0: want 1 to"},
		{"--tunnels 60001", "--tunnels 60001"},
		{"--transform rot13", `--transform "rot13": there are aes-128-gcm`},
		{"--prices none,dear", `--prices "dear": there are none, zero, paid`},
		{"--runs 0", "--runs 0"},
		{"--passes 0", "--passes 0"},
		{"--time 0s", "--time 0s"},
		{"--burst 257", "--burst 257"},
		{"--burst 0", "--burst 0"},
		{"--cpu 4095 --work ipv4 --size 64 --tunnels 1", "--cpu 4095"},
		{"--reference a.json", "--html"},
		{"--reference /nowhere.json --html x.html", "/nowhere.json"},
		{"--what", "not defined"},
		{"ipv4", `"ipv4": there are flags only`},
	} {
		var out, errs bytes.Buffer
		err := Command(t.Context(), strings.Fields(c.args), &out, &errs)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.args, err, c.want)
		}
		if out.Len() > 0 {
			t.Errorf("%s: printed %s", c.args, out.String())
		}
	}
}

func keys(t *testing.T, o Options) (list []string) {
	t.Helper()
	o.Runs, o.Passes, o.Time, o.Burst = 1, 1, 1, 1
	groups, err := o.groups()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		for _, size := range g.sizes {
			r := report.Row{Work: g.work.name, Size: size, Tunnels: g.n}
			if g.tr != nil {
				r.Transform = g.tr.name
			}
			list = append(list, r.Key())
		}
	}
	return list
}

// TestDefaultRows: all works and sizes, and many tunnels.
func TestDefaultRows(t *testing.T) {
	got := keys(t, Options{})
	for _, want := range []string{
		"ipv4/64/1", "ipv4/imix/1", "ipv4/64/10000", "gre-decap/1400/1", "esp-encap/aes-128-gcm/64/10000", "esp-decap/aes-128-gcm/1400/10000", "esp-encap/aes-128-gcm/imix/1",
		"hairpin/aes-128-gcm/512/1000", "mpls-swap/64/10000", "mpls-push/512/1", "mpls-pop/imix/1",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no row %s", want)
		}
	}
	if len(got) > 80 {
		t.Errorf("%d rows take more than a minute", len(got))
	}
	sorted := slices.Sorted(slices.Values(got))
	if len(slices.Compact(sorted)) != len(got) {
		t.Error("a row is there twice")
	}
}

func TestSelect(t *testing.T) {
	got := keys(t, Options{Works: []string{"esp-decap", "ipv4"}, Sizes: []report.Size{64}, Tunnels: []int{1, 5}, Transforms: []string{"null-sha1", "3des-sha1"}})
	want := []string{"ipv4/64/1", "ipv4/64/5", "esp-decap/null-sha1/64/1", "esp-decap/null-sha1/64/5", "esp-decap/3des-sha1/64/1", "esp-decap/3des-sha1/64/5"}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got := keys(t, Options{Works: []string{"esp-encap"}, Transforms: parseTransforms("all"), Sizes: []report.Size{64}}); len(got) != len(transforms) {
		t.Errorf("%v", got)
	}
}

// TestCommand: the table, JSON and page of a short measurement.
func TestCommand(t *testing.T) {
	few := []string{"--work", "ipv4,esp-encap", "--size", "64,imix", "--tunnels", "2", "--runs", "2", "--time", "20us", "--burst", "16", "--cpu", "0"}
	var out, errs bytes.Buffer
	if err := Command(t.Context(), few, &out, &errs); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != 6 || errs.Len() != 0 {
		t.Errorf("%d lines:\n%s%s", n, out.String(), errs.String())
	}
	out.Reset()
	page := filepath.Join(t.TempDir(), "page.html")
	if err := Command(t.Context(), append(few, "--json", "--html", page), &out, &errs); err != nil {
		t.Fatal(err)
	}
	r, err := report.Read(bytes.NewReader(out.Bytes()))
	if err != nil || len(r.Rows) != 4 || r.CPU == "" || r.TSCHz < 1e6 {
		t.Fatalf("%+v, %v", r, err)
	}
	if strings.Count(errs.String(), "\n") != 6 {
		t.Errorf("the table went elsewhere: %s", errs.String())
	}
	reference := filepath.Join(t.TempDir(), "reference.json")
	if err := os.WriteFile(reference, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Command(t.Context(), append(few, "--html", page, "--reference", reference), &out, &errs); err != nil {
		t.Fatal(err)
	}
	html, err := os.ReadFile(page)
	if err != nil || !bytes.Contains(html, []byte("reference:")) || !bytes.Contains(html, []byte("</html>")) {
		t.Errorf("%d bytes of page, %v", len(html), err)
	}
	if err := Command(t.Context(), append(few, "--html", filepath.Join(t.TempDir(), "no", "page.html")), &out, &errs); err == nil {
		t.Error("a page where there is no directory")
	}
}
