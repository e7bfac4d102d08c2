package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"nave/ctl/config/grammar"
)

const jsonHead = "# Names in JSON\n\n`nave show ... --json`, and `show ... | json` in the shell. Names stay what they are: a test compares this page with what the commands print of sample data, and a name that goes or changes is a\n" +
	"change of the interface. New names may come. `[]` is a list, `{}` an object by the name of an interface, a VRF, a profile or the like, `null` stands where something is not there. What the sample has nothing of\n" +
	"is shown as `[]` alone; [operations.md](operations.md) and [show.md](show.md) say what the names mean. `UPDATE=1 go test -run JSONNames ./ctl/cli` writes this page.\n\n| command | names |\n| --- | --- |\n"

// fixedName tells the names of parts from those of interfaces and the like.
var fixedName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// names lists the names of a value: a, b (c, d), e [] (f).
func names(v any) string {
	switch v := v.(type) {
	case []any:
		var all []string
		for _, e := range v {
			if n := names(e); n != "" && !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
		return strings.TrimSpace("[] " + longest(all))
	case map[string]any:
		var fixed, values []string
		for k := range v {
			if fixedName.MatchString(k) {
				fixed = append(fixed, k)
				continue
			}
			if n := names(v[k]); n != "" {
				values = append(values, n)
			}
		}
		if len(fixed) == 0 {
			return strings.TrimSpace("{} " + longest(values))
		}
		slices.Sort(fixed)
		for i, k := range fixed {
			fixed[i] = "`" + k + "`"
			if n := names(v[k]); n != "" && k != "output" { // that of another command
				fixed[i] += " " + n
			}
		}
		return "(" + strings.Join(fixed, ", ") + ")"
	}
	return ""
}

// longest is the fullest of several forms of one thing.
func longest(list []string) string {
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// jsonOf lists the names that a command prints; none: it has no sample.
func jsonOf(t *testing.T, c *grammar.Command) string {
	t.Helper()
	out, _, err := runLine(exampleOf(c), true)
	if err != nil {
		return ""
	}
	var v any
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Errorf("%s prints no JSON: %v\n%s", exampleOf(c), err, out)
		return ""
	}
	return names(v)
}

// The page of names says what the commands print.
func TestJSONNames(t *testing.T) {
	const file = "../../docs/json.md"
	var b strings.Builder
	b.WriteString(jsonHead)
	rows := 0
	for _, c := range Commands() {
		if !strings.HasPrefix(c.Syntax, "show ") {
			continue
		}
		if n := jsonOf(t, c); n != "" {
			rows++
			fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(exampleOf(c), "|", "\\|"), n)
		}
	}
	if rows < 50 {
		t.Errorf("only %d commands print JSON", rows)
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != b.String() {
		t.Error("docs/json.md is not what the commands print; UPDATE=1 writes it anew")
	}
}
