package hwprofiles

import (
	"os"
	"strings"
	"testing"
)

// value is a file whose line 5 holds one value.
func value(line string) string {
	return "name: iron\nplatform: A box\nsupervisor: its engine\nvalues:\n  " + line + "\n"
}

// Every mistake is told with line, column and what to write.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "f:1:1: the file is empty (begin with `name: NAME`)"},
		{"a comment", "# x\n", "the file is empty"},
		{"no YAML", "name: iron\n\tvalues: {\n", "f:2:1: this is no YAML: "},
		{"a list", "- name\n", "f:1:1: a profile is a mapping, not a list"},
		{"a word", "iron\n", `f:1:1: a profile is a mapping, not "iron"`},
		{"two documents", "name: a\n---\nname: b\n", "the file has several documents"},
		{"unknown key", "name: iron\nplatfrom: x\n", `f:2:1: unknown key "platfrom" (did you mean platform?)`},
		{"value at the top", "name: iron\nfib.units72: 5\n", `f:2:1: unknown key "fib.units72" (put it under ` + "`values:`)"},
		{"key twice", "name: iron\nname: wood\n", `f:2:1: "name" is there twice, also in line 1 (keep one of them)`},
		{"no name", "platform: x\n", "f:1:1: the profile has no name"},
		{"bad name", "name: Iron Box\n", `f:1:7: "Iron Box" is no name of a profile`},
		{"name none", "name: none\n", `"none" is no name of a profile`},
		{"name of a list", "name: [a]\n", "f:1:7: a list is no name of a profile"},
		{"part", "name: a\npart: maybe\n", `f:2:7: "maybe" is neither yes nor no (write yes or no)`},
		{"part with variants", "name: a\npart: yes\nvariants:\n  - {\"\": b}\n", "a part makes no profiles"},
		{"extends", "name: a\nextends: {b: c}\n", "f:2:10: a list is wanted, not a mapping"},
		{"variants", "name: a\nvariants: [b]\n", `f:2:12: a mapping is wanted, not "b"`},
		{"suffix", "name: a\nvariants:\n  - {x: b}\n", `f:3:6: "x" can't be added to a name`},
		{"too many variants", "name: a\nvariants:\n" + strings.Repeat("  - {\"\": b, -c: d, -e: f, -g: h}\n", 5), "f:7:5: the variants are more than 256"},
		{"no text", "name: a\nplatform:\n", "f:2:10: a text is wanted, not nothing"},
		{"text of two lines", "name: a\nplatform: \"a\\nb\"\n", "characters in the text that do not print"},
		{"long text", "name: a\nplatform: " + strings.Repeat("x", 401) + "\n", "the text is 401 bytes long (write 400 bytes at most)"},
		{"values", "name: a\nvalues: 5\n", `f:2:9: a mapping is wanted, not "5"`},
		{"alias", "name: a\nplatform: &x y\nsupervisor: *x\n", "f:3:13: aliases are not read (write the value out)"},
		{"key of a key", "name: a\n? [b]\n: c\n", "f:2:3: a list is no key"},

		{"unknown value", value("fib.units27: {value: 1}"), `f:5:3: unknown key "fib.units27" (did you mean fib.units72?)`},
		{"unknown of a group", value("fib.something: {value: 1}"), "there are fib.units72, fib.split.ip_mpls"},
		{"unknown of none", value("frobnicate: {value: 1}"), "the documentation lists the keys"},
		{"bare value", value("fib.units72: 262144"), "f:5:16: fib.units72 says neither where its value comes from nor how sure it is (write {value: ..., unit: units, basis: found or assumed, source: ...})"},
		{"no source", value("fib.units72: {value: 262144, unit: units, basis: found}"), "f:5:3: fib.units72 has no source (add `source: ...`)"},
		{"empty source", value("fib.units72: {value: 262144, unit: units, basis: found, source: ''}"), "f:5:67: a text is wanted, not nothing"},
		{"no basis", value("fib.units72: {value: 262144, unit: units, source: x}"), "fib.units72 has no basis (add `basis: found` or `basis: assumed`)"},
		{"bad basis", value("fib.units72: {value: 262144, unit: units, basis: guessed, source: x}"), `f:5:52: "guessed" is no basis (write found or assumed)`},
		{"no unit", value("fib.units72: {value: 262144, basis: found, source: x}"), "fib.units72 has no unit (add `unit: units`)"},
		{"wrong unit", value("fib.units72: {value: 262144, unit: entries, basis: found, source: x}"), `f:5:38: the unit of fib.units72 is units, not "entries" (give the number in units)`},
		{"unit of a flag", value("mpls.hw: {value: yes, unit: x, basis: found, source: x}"), "f:5:31: mpls.hw has no unit (remove it)"},
		{"no value", value("fib.units72: {unit: units, basis: found, source: x}"), "fib.units72 has no value"},
		{"text for a number", value("fib.units72: {value: many, unit: units, basis: found, source: x}"), `f:5:24: the value of fib.units72 is "many" (write a number, in units)`},
		{"no number", value("fib.units72: {value: .nan, unit: units, basis: found, source: x}"), `the value of fib.units72 is ".nan"`},
		{"infinite", value("fib.units72: {value: -.inf, unit: units, basis: found, source: x}"), `the value of fib.units72 is "-.inf"`},
		{"too large", value("tunnel.ip_mtu: {value: 65536, unit: bytes, basis: found, source: x}"), "f:5:26: tunnel.ip_mtu is from 68 to 65535 bytes, not 65536 (check the number and its unit)"},
		{"too small", value("hw.bus_mpps: {value: 0, unit: Mpps, basis: found, source: x}"), "hw.bus_mpps is from 0.001 to 100000 Mpps, not 0"},
		{"not whole", value("crypto.tunnels: {value: 10.5, unit: tunnels, basis: found, source: x}"), "crypto.tunnels counts tunnels, and 10.5 is no whole number (write a whole number)"},
		{"no flag", value("mpls.hw: {value: 1, basis: found, source: x}"), `f:5:20: "1" is neither yes nor no`},
		{"no such cipher", value("crypto.ciphers: {value: [des, rot13], basis: found, source: x}"), `f:5:33: "rot13" is none of the words of crypto.ciphers (there are null, des,`},
		{"no words", value("crypto.ciphers: {value: [], basis: found, source: x}"), "f:5:27: crypto.ciphers has no words"},
		{"unknown member", value("mpls.hw: {value: yes, basis: found, sauce: x}"), `f:5:39: unknown key "sauce" (did you mean source?)`},
	} {
		_, ps := parse("f", []byte(c.text))
		if !strings.Contains(ps.Error(), c.want) {
			t.Errorf("%s:\n%v\nwant %s", c.name, ps, c.want)
		}
	}
}

func TestLargeFile(t *testing.T) {
	if _, ps := parse("f", make([]byte, maxFile+1)); len(ps) != 1 || !strings.Contains(ps.Error(), "split it") {
		t.Errorf("%v", ps)
	}
}

// Numbers are read as YAML has them.
func TestNumerals(t *testing.T) {
	for text, want := range map[string]float64{"1e3": 1000, "0x10": 16, "1_000": 1000, "2.0": 2} {
		d, ps := parse("f", []byte(value("crypto.tunnels: {value: "+text+", unit: tunnels, basis: found, source: x}")))
		if len(ps) > 0 || d.values[keyNamed("crypto.tunnels")].number != want {
			t.Errorf("%s: %v, %v", text, d, ps)
		}
	}
}

// Every beginning of the files that come with nave is read without a panic, and what is no file says so.
func TestTruncated(t *testing.T) {
	files, err := os.ReadDir("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile("data/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		step := max(1, len(text)/200)
		for n := 0; n < len(text); n += step {
			checkParse(t, text[:n])
		}
	}
}

// checkParse asserts what holds of any text: a document or a problem, and problems have a place in the file.
func checkParse(t *testing.T, text []byte) {
	t.Helper()
	d, ps := parse("f", text)
	if d == nil && len(ps) == 0 {
		t.Fatalf("neither a document nor a problem of %q", text)
	}
	lines := 2 // YAML ends lines with more than one character
	for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
		lines += strings.Count(string(text), end)
	}
	for _, p := range ps {
		if p.Message == "" || p.Line < 0 || p.Line > lines {
			t.Fatalf("%+v of %q", p, text)
		}
	}
	if len(ps) > 0 {
		return
	}
	for k, s := range d.values {
		if s.source == "" || s.text == "" || k.Kind == KindNumber && !(s.number >= k.Min && s.number <= k.Max) {
			t.Fatalf("%s is %+v in %q", k.Name, s, text)
		}
	}
	own, problems := readEmbedded()
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if _, err := assemble([][]*document{own, {d}}); err != nil && err.Error() == "" {
		t.Fatal("an error without words")
	}
}

func FuzzParse(f *testing.F) {
	files, err := os.ReadDir("data")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range files {
		text, err := os.ReadFile("data/" + e.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(own))
	f.Add([]byte(value("crypto.ciphers: {value: [des, 3des], basis: found, source: x}")))
	f.Add([]byte("a: &a [b, *a]\n"))
	f.Add([]byte("name: x\nsupervisor: y\r\r\r\r0"))
	f.Add([]byte("<<: {name: x}\nname: !!binary aGk=\n"))
	f.Fuzz(func(t *testing.T, text []byte) { checkParse(t, text) })
}
