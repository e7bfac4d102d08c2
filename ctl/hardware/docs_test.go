package hardware

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"nave/hwprofiles"
)

// The page about hardware lists every rule; the keys that a rule names are keys.
func TestDocs(t *testing.T) {
	const docs, first, last = "../../docs/hardware.md", "<!-- rules -->\n", "<!-- end of rules -->"
	table := "\n| rule | what is restricted | effect | follows from |\n| --- | --- | --- | --- |\n"
	known := map[string]bool{}
	for _, k := range hwprofiles.Keys() {
		known[k.Name] = true
		group := k.Name[:strings.LastIndex(k.Name, ".")+1]
		known[group+"*"] = true
	}
	for _, r := range Rules() {
		var names []string
		for k := range strings.SplitSeq(r.Keys, ", ") {
			if !known[k] {
				t.Errorf("%s follows from %s, which is no key", r.Code, k)
			}
			names = append(names, "`"+k+"`")
		}
		table += fmt.Sprintf("| `%s` | %s | %s | %s |\n", r.Code, r.Title, r.Effects, strings.Join(names, ", "))
	}
	b, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), first)
	old, after, ok2 := strings.Cut(rest, last)
	if !ok || !ok2 {
		t.Fatal("the page has no place for the rules")
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(docs, []byte(before+first+table+"\n"+last+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if old != table+"\n" {
		t.Error("the rules in docs/hardware.md are not what they are; UPDATE=1 writes them anew")
	}
	effects := regexp.MustCompile(`(?m)^\| ([a-z -]+) \| it |^\| ([a-z -]+) \| the |^\| ([a-z -]+) \| there `)
	for _, e := range []string{refused, noEffect, software, scale, advised} {
		found := false
		for _, m := range effects.FindAllStringSubmatch(string(b), -1) {
			found = found || m[1]+m[2]+m[3] == e
		}
		if !found {
			t.Errorf("the page does not explain %q", e)
		}
	}
}
