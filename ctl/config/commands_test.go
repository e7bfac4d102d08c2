package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nave/ctl/config/grammar"
)

var updateGolden = flag.Bool("update", false, "write the golden files anew")

// golden compares text with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *updateGolden {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if string(want) == got {
		return
	}
	a, b := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range max(len(a), len(b)) {
		x, y := at(a, i), at(b, i)
		if x != y {
			t.Fatalf("%s:%d: got\n%s\nwant\n%s\n(go test -update writes it anew)", path, i+1, y, x)
		}
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

// examples returns two lines of a command: the shortest, with the first of each choice, and one with everything that may
// be added and the last of each choice.
func examples(syntax string) (short, long string) {
	for _, full := range []bool{false, true} {
		e := &example{text: syntax, full: full}
		e.sequence(true)
		if full {
			long = strings.Join(e.words, " ")
		} else {
			short = strings.Join(e.words, " ")
		}
	}
	return short, long
}

// example writes a line of a command without chance.
type example struct {
	text  string
	at    int
	full  bool
	words []string
}

func (e *example) sequence(use bool) {
	for e.at < len(e.text) {
		switch c := e.text[e.at]; c {
		case ' ', '~':
			e.at++
		case ']', '}', '|':
			return
		case '[', '{':
			e.group(use && (c == '{' || e.full))
		case '<':
			end := e.at + strings.IndexByte(e.text[e.at:], '>')
			name, typ, _ := strings.Cut(e.text[e.at+1:end], ":")
			e.at = end + 1
			e.skip()
			if use {
				e.words = append(e.words, exampleValue(name, typ, e.full))
			}
		default:
			end := e.at
			for end < len(e.text) && !strings.ContainsRune(" []{}|<>~", rune(e.text[end])) {
				end++
			}
			if use {
				e.words = append(e.words, e.text[e.at:end])
			}
			e.at = end
		}
	}
}

func (e *example) skip() {
	if strings.HasPrefix(e.text[e.at:], "...") {
		e.at += 3
	}
}

func (e *example) group(use bool) {
	s := &sentence{text: e.text, at: e.at}
	end, n := s.measure()
	pick := 0
	if e.full {
		pick = n - 1
	}
	e.at++
	for i := 0; ; i++ {
		e.sequence(use && i == pick)
		if e.text[e.at] != '|' {
			break
		}
		e.at++
	}
	e.at = end
	e.skip()
}

func exampleValue(name, typ string, full bool) string {
	if lo, hi, ok := strings.Cut(typ, "-"); ok {
		if full {
			return hi
		}
		return lo
	}
	switch {
	case strings.HasSuffix(name, "eq"), strings.HasSuffix(name, "lt"), strings.HasSuffix(name, "gt"), strings.HasSuffix(name, "from"), strings.HasSuffix(name, "to"):
		return "500"
	case name == "neighbor" && typ == "ip":
		return "10.1.1.1"
	case name == "neighborgroup":
		return "alpha"
	case name == "value" && typ == "secret":
		return "$9$2MJBozw/9R3UsU$2lFhcKvpghcyw8deP25GOfyZaagyUOGBymkryvOdfo6"
	case name == "logfile":
		return "/var/log/nave/nave.log"
	case name == "cpulist":
		return "1,3-5"
	case name == "lifetime":
		return map[bool]string{false: "0:00:00 1 jan 2026 inf", true: "local 08:30:00 February 28 2026 duration 86400"}[full]
	case name == "number":
		return "7"
	case strings.HasSuffix(name, "map") || name == "acl":
		return strings.ToUpper(name)
	}
	return map[string]string{"ip": map[bool]string{false: "10.0.0.0", true: "10.20.30.40"}[networkArgument(name)], "mask": "255.255.255.0", "wildcard": "0.0.0.255",
		"prefix": "10.20.0.0/16", "rd": "65010:7", "asn": "65011", "interface": "Ethernet0/1", "line": "free text of " + name, "secret": "S3cret!" + name,
		"name": "the-" + name, "": "the-" + name}[typ]
}

// networkArgument tells whether an address argument is a host's.
func networkArgument(name string) bool {
	return !slices.Contains([]string{"prefix", "net", "protocol"}, name)
}

// TestEveryCommand gives each command in its mode, in its shortest and its longest form, then with `no`, and compares
// what is reported and what the running configuration gains with the golden file.
func TestEveryCommand(t *testing.T) {
	var out strings.Builder
	for id := range numModes {
		if id == mSwallow {
			continue
		}
		fmt.Fprintf(&out, "# %s\n\n", strings.Join(entry[id], " / "))
		for _, c := range modes()[id].set.Commands {
			short, long := examples(c.Syntax)
			for _, line := range slices.Compact([]string{short, long, "no " + short}) {
				fmt.Fprintf(&out, "%s\n", line)
				for _, r := range tryLine(t, id, line) {
					fmt.Fprintf(&out, "    %s\n", r)
				}
			}
			out.WriteByte('\n')
		}
	}
	golden(t, "commands.golden", out.String())
}

// TestDefaultUndoes gives each command, then its `default` form, and asserts that nothing is left of it.
func TestDefaultUndoes(t *testing.T) {
	for id := range numModes {
		if id == mSwallow {
			continue
		}
		head := strings.Join(entry[id], "\n") + "\n"
		base, _ := Parse("base", []byte(head))
		for _, c := range modes()[id].set.Commands {
			short, long := examples(c.Syntax)
			for _, line := range []string{short, long} {
				once, diags := Parse("once", []byte(head+line))
				if diags.HasErrors() || strings.HasPrefix(line, "exit-") ||
					strings.Contains(line, " remote-as ") || strings.HasSuffix(line, " peer-group") {
					continue
				}
				c, diags := Parse("undone", []byte(head+line+"\n"+head+"default "+line))
				if diags.HasErrors() || !c.Equal(base) {
					t.Errorf("%s: default %s leaves\n%s%v", entry[id], line, c.Running(), diags.Err())
				}
				again, diags := once.Apply("again", []byte(head+line))
				if diags.HasErrors() || !again.Equal(once) && !repeats(line) {
					t.Errorf("%s: %s twice is\n%s%v", entry[id], line, again.Running(), diags.Err())
				}
			}
		}
	}
}

// repeats tells whether giving the command again adds another entry: access lists and prefix lists without a number.
func repeats(line string) bool {
	for _, p := range []string{"permit", "deny", "remark", "access-list", "ip prefix-list"} {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	return false
}

// tryLine gives a line in a mode and returns the findings and the change of the running configuration.
func tryLine(t *testing.T, id modeID, line string) []string {
	t.Helper()
	base, diags := Parse("base", []byte(strings.Join(entry[id], "\n")))
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	c, diags := Parse("line", []byte(strings.Join(entry[id], "\n")+"\n"+line))
	var out []string
	for _, d := range diags {
		if d.Line > len(entry[id]) {
			out = append(out, strings.TrimPrefix(d.String(), fmt.Sprintf("line:%d:", len(entry[id])+1)))
			if d.Syntax() && d.Code != CodeBadValue {
				t.Errorf("%s: %s", line, d)
			}
		}
	}
	before, after := strings.Split(base.Running(), "\n"), strings.Split(c.Running(), "\n")
	for _, l := range after {
		if l != "!" && l != "" && !slices.Contains(before, l) {
			out = append(out, "+ "+l)
		}
	}
	for _, l := range before {
		if l != "!" && l != "" && !slices.Contains(after, l) {
			out = append(out, "- "+l)
		}
	}
	return out
}

// TestRanges gives each number argument of each command its least and its greatest value, and refuses the next ones.
func TestRanges(t *testing.T) {
	tested := 0
	for id := range numModes {
		for _, c := range modes()[id].set.Commands {
			for _, full := range []bool{false, true} {
				short, long := examples(c.Syntax)
				line := map[bool]string{false: short, true: long}[full]
				if _, err := modes()[id].set.Match(line, false); err != nil {
					t.Errorf("%s: example %q: %v", c.Syntax, line, err)
				}
			}
			tested += rangesOf(t, modes()[id].set, c)
		}
	}
	if tested < 200 {
		t.Errorf("only %d ranges", tested)
	}
}

// rangesOf replaces the arguments of a command one by one by values out of range.
func rangesOf(t *testing.T, set *grammar.Set, c *grammar.Command) int {
	n := 0
	for _, full := range []bool{false, true} {
		words := exampleWords(c.Syntax, full)
		for i, w := range words {
			lo, hi, ok := strings.Cut(w.typ, "-")
			if !ok {
				continue
			}
			n++
			low, _ := strconv.ParseUint(lo, 10, 64)
			high, _ := strconv.ParseUint(hi, 10, 64)
			try := map[string]bool{lo: true, hi: true, fmt.Sprint(high + 1): false, "-1": false, "99999999999999999999": false}
			if low > 0 {
				try[fmt.Sprint(low-1)] = false
			}
			for value, good := range try {
				var line []string
				for j, o := range words {
					if j == i {
						line = append(line, value)
					} else {
						line = append(line, o.text)
					}
				}
				m, err := set.Match(strings.Join(line, " "), false)
				same := err == nil && m.Command == c
				if value == "-1" && strings.Contains(c.Syntax, ":name>") {
					continue // a name may look like that
				}
				if same != good && (good || sameArgument(m, value)) {
					t.Errorf("%s: %s: accepted %v; want %v (%v)", c.Syntax, strings.Join(line, " "), same, good, err)
				}
			}
		}
	}
	return n
}

// sameArgument tells whether the value was taken by a number argument and not by a word beside it.
func sameArgument(m *grammar.Match, value string) bool {
	return m != nil && strings.Contains(" "+m.Canonical+" ", " "+value+" ")
}

type exampleWord struct{ text, typ string }

// exampleWords is examples with the types of the arguments.
func exampleWords(syntax string, full bool) []exampleWord {
	short, long := examples(syntax)
	line := map[bool]string{false: short, true: long}[full]
	// The same walk with values replaced by their types.
	e := &example{text: markTypes(syntax), full: full}
	e.sequence(true)
	values := strings.Fields(line)
	var out []exampleWord
	i := 0
	for _, w := range e.words {
		if typ, ok := strings.CutPrefix(w, "type:"); ok {
			name, kind, _ := strings.Cut(typ, ":")
			text := exampleValue(name, kind, full)
			out = append(out, exampleWord{text, kind})
			i += len(strings.Fields(text))
			continue
		}
		out = append(out, exampleWord{text: values[i]})
		i++
	}
	return out
}

// markTypes turns arguments into words: <seconds:1-60> into type:seconds:1-60.
func markTypes(syntax string) string {
	return strings.NewReplacer("<", "type:", ">...", "", ">", "").Replace(syntax)
}
