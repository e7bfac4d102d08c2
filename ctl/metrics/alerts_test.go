package metrics

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"nave/testbed/need"
)

// Prometheus' own tool finds nothing to complain of.
func TestPromtool(t *testing.T) {
	need.Command(t, "promtool")
	cmd := exec.Command("promtool", "check", "metrics")
	ours := regexp.MustCompile(`(?m)^(# (HELP|TYPE) )?nave_.*\n`).FindAllString(scrape(t, full(t), Options{Peers: true}), -1)
	cmd.Stdin = strings.NewReader(strings.Join(ours, ""))
	if out, err := cmd.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// The alert rules are such, and fire when they are to, by Prometheus' own tool.
func TestAlerts(t *testing.T) {
	need.Command(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil || !bytes.Contains(out, []byte("SUCCESS")) {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	rules, err := os.ReadFile("alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := os.ReadFile("alerts_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(string(rules), -1)
	for _, m := range names {
		if !bytes.Contains(tests, []byte("alertname: "+m[1]+"\n")) {
			t.Errorf("no test has %s fire", m[1])
		}
		if !regexp.MustCompile(`(?m)^\| ([\w, ]+, )?` + m[1] + `[, |]`).Match(doc) {
			t.Errorf("docs/metrics.md does not say what to do about %s", m[1])
		}
	}
	if len(names) < 10 {
		t.Errorf("only %d rules", len(names))
	}
}

var (
	aName     = regexp.MustCompile(`nave_[a-z_]+`)
	aSelector = regexp.MustCompile(`(nave_[a-z_]+)\{([^}]*)\}`)
	aMatcher  = regexp.MustCompile(`(\w+)(=~|=)\\?"([^"\\]*)\\?"`)
)

// What rules, their tests and the dashboard ask for is what there is: a name, label or reason that there is not makes a rule that never fires.
func TestAskedFor(t *testing.T) {
	page := scrape(t, full(t), Options{})
	byName := make(map[string]*family)
	for _, f := range families {
		byName[f.name] = f
	}
	for _, file := range []string{"alerts.yaml", "alerts_test.yaml", "dashboard.json"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		asked := 0
		for _, name := range aName.FindAllString(string(text), -1) {
			asked++
			if byName[strings.TrimSuffix(name, "_bucket")] == nil {
				t.Errorf("%s: there is no %s", file, name)
			}
		}
		if asked < 20 {
			t.Errorf("%s: only %d metrics", file, asked)
		}
		for _, m := range aSelector.FindAllStringSubmatch(string(text), -1) {
			f := byName[strings.TrimSuffix(m[1], "_bucket")]
			for _, l := range aMatcher.FindAllStringSubmatch(m[2], -1) {
				if f == nil || l[1] == "instance" {
					continue
				}
				if !slices.Contains(f.labels, l[1]) {
					t.Errorf("%s: %s has no label %s", file, f.name, l[1])
				}
				if l[1] != "reason" && l[1] != "state" {
					continue
				}
				for _, v := range strings.Split(l[3], "|") {
					if !regexp.MustCompile(`(?m)^` + f.name + `\{[^}]*` + l[1] + `="` + v + `"`).MatchString(page) {
						t.Errorf("%s: %s has no %s %s", file, f.name, l[1], v)
					}
				}
			}
		}
	}
}
