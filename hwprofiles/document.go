package hwprofiles

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// Limits of what is read.
const (
	maxFile     = 1 << 20 // bytes
	maxVariants = 256     // profiles that one file makes
	maxText     = 400     // bytes of a text
)

// document is one file: a profile or a part of some.
type document struct {
	file     string
	name     ref
	part     bool
	identity identity
	extends  []ref
	variants [][]choice // one profile of each combination of one choice from each
	values   map[*Key]setting
}

// identity is what a profile says of itself beside its values; empty where it leaves that to what it extends.
type identity struct {
	platform, supervisor, module string
}

// ref is a name and where it stands.
type ref struct {
	name         string
	line, column int
}

// choice is a part of a variant, and what it adds to the name of the profile.
type choice struct {
	suffix string
	part   ref
}

// setting is a value with its place.
type setting struct {
	file         string
	line, column int
	number       float64
	yes          bool
	list         []string
	text         string // as it is shown
	found        bool
	source       string
}

var (
	nameForm   = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,63}$`)
	suffixForm = regexp.MustCompile(`^(-[a-z0-9.-]{1,31})?$`)
)

// reader reads one file and notes what is wrong with it.
type reader struct {
	file     string
	problems Problems
}

func (r *reader) wrong(n *yaml.Node, action, format string, args ...any) {
	r.problems = append(r.problems, Problem{File: r.file, Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...), Action: action})
}

// parse reads a file. The document is nil where nothing of it can be used.
func parse(file string, text []byte) (*document, Problems) {
	r := &reader{file: file}
	if len(text) > maxFile {
		return nil, Problems{{File: file, Message: fmt.Sprintf("%d bytes, %d are read at most", len(text), maxFile), Action: "split it"}}
	}
	root := r.root(text)
	if root == nil {
		return nil, r.problems
	}
	d := &document{file: file, values: map[*Key]setting{}}
	r.pairs(root, func(key, value *yaml.Node) { r.top(d, key, value) })
	if d.name.name == "" && len(r.problems) == 0 {
		r.wrong(root, "add `name: NAME`", "the profile has no name")
	}
	if d.part && len(d.variants) > 0 {
		r.wrong(root, "remove one of them", "a part makes no profiles: it has both `part` and `variants`")
	}
	return d, r.problems
}

var syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// root returns the mapping that the file is.
func (r *reader) root(text []byte) *yaml.Node {
	var doc, more yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&doc); err != nil {
		p := Problem{File: r.file, Line: 1, Message: "this is no YAML: " + err.Error(), Action: "see the schema in the documentation"}
		if err == io.EOF {
			p.Message, p.Action = "the file is empty", "begin with `name: NAME`"
		} else if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
			p.Message = "this is no YAML: " + m[2]
			_, _ = fmt.Sscan(m[1], &p.Line) // the library names a line for most errors, else it stays 1
		}
		r.problems = append(r.problems, p)
		return nil
	}
	if err := dec.Decode(&more); err != io.EOF {
		r.wrong(&doc, "write one profile a file", "the file has several documents")
		return nil
	}
	n := doc.Content[0]
	if n.Kind != yaml.MappingNode {
		r.wrong(n, "begin with `name: NAME`", "a profile is a mapping, not %s", kindOf(n))
		return nil
	}
	return n
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	if n.Value == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", clip(n.Value))
}

func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "..."
	}
	return s
}

// pairs goes through a mapping, of which each key may be there once.
func (r *reader) pairs(n *yaml.Node, each func(key, value *yaml.Node)) {
	seen := map[string]int{}
	for k := 0; k+1 < len(n.Content); k += 2 {
		key, value := n.Content[k], n.Content[k+1]
		if key.Kind != yaml.ScalarNode {
			r.wrong(key, "write a name", "%s is no key", kindOf(key))
			continue
		}
		if line, twice := seen[key.Value]; twice {
			r.wrong(key, "keep one of them", "%q is there twice, also in line %d", clip(key.Value), line)
			continue
		}
		seen[key.Value] = key.Line
		if value.Kind == yaml.AliasNode {
			r.wrong(value, "write the value out", "aliases are not read")
			continue
		}
		each(key, value)
	}
}

// topKeys are those of a file, with what they are for.
var topKeys = []struct{ name, help string }{
	{"name", "name of the profile or part"},
	{"part", "`yes`: this is a part of profiles, and none itself"},
	{"extends", "profiles and parts whose values hold where this file has none; later ones win"},
	{"variants", "choices of parts: a profile is made of each combination, with what the choice adds to the name"},
	{"platform", "the chassis, as people call it"},
	{"supervisor", "forwarding engine and route processor"},
	{"module", "crypto module, or `none`"},
	{"values", "what is known, by key"},
}

func (r *reader) top(d *document, key, value *yaml.Node) {
	switch key.Value {
	case "name":
		d.name = r.name(value)
	case "part":
		d.part = r.yes(value)
	case "extends":
		r.list(value, func(n *yaml.Node) { d.extends = append(d.extends, r.name(n)) })
	case "variants":
		r.variants(d, value)
	case "platform":
		d.identity.platform = r.line(value)
	case "supervisor":
		d.identity.supervisor = r.line(value)
	case "module":
		d.identity.module = r.line(value)
	case "values":
		if r.mapping(value) {
			r.pairs(value, func(key, value *yaml.Node) { r.setting(d, key, value) })
		}
	default:
		var names []string
		for _, k := range topKeys {
			names = append(names, k.name)
		}
		action := near(key.Value, names)
		if keyNamed(key.Value) != nil {
			action = "put it under `values:`"
		}
		r.wrong(key, action, "unknown key %q", clip(key.Value))
	}
}

// name reads the name of a profile.
func (r *reader) name(n *yaml.Node) ref {
	if n.Kind != yaml.ScalarNode || !nameForm.MatchString(n.Value) || n.Value == None {
		r.wrong(n, "write small letters, digits, dots and hyphens, 64 at most", "%s is no name of a profile", kindOf(n))
		return ref{}
	}
	return ref{n.Value, n.Line, n.Column}
}

func (r *reader) mapping(n *yaml.Node) bool {
	if n.Kind != yaml.MappingNode {
		r.wrong(n, "write `KEY: VALUE` lines below it", "a mapping is wanted, not %s", kindOf(n))
		return false
	}
	return true
}

// list goes through a list; a single word is a list of one.
func (r *reader) list(n *yaml.Node, each func(*yaml.Node)) {
	switch n.Kind {
	case yaml.ScalarNode:
		each(n)
	case yaml.SequenceNode:
		for _, e := range n.Content {
			each(e)
		}
	default:
		r.wrong(n, "write [A, B]", "a list is wanted, not %s", kindOf(n))
	}
}

// line reads a text of one line.
func (r *reader) line(n *yaml.Node) string {
	s := strings.TrimSpace(n.Value)
	switch {
	case n.Kind != yaml.ScalarNode || s == "":
		r.wrong(n, "write some words", "a text is wanted, not %s", kindOf(n))
		return ""
	case len(s) > maxText:
		r.wrong(n, fmt.Sprintf("write %d bytes at most", maxText), "the text is %d bytes long", len(s))
		return ""
	case strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }):
		r.wrong(n, "write one line of letters", "there are characters in the text that do not print")
		return ""
	}
	return s
}

func (r *reader) yes(n *yaml.Node) bool {
	if n.Kind == yaml.ScalarNode {
		switch n.Value {
		case "yes", "true":
			return true
		case "no", "false":
			return false
		}
	}
	r.wrong(n, "write yes or no", "%s is neither yes nor no", kindOf(n))
	return false
}

func (r *reader) variants(d *document, n *yaml.Node) {
	total := 1
	r.list(n, func(n *yaml.Node) {
		if !r.mapping(n) {
			return
		}
		var set []choice
		r.pairs(n, func(key, value *yaml.Node) {
			if !suffixForm.MatchString(key.Value) {
				r.wrong(key, `write "" or something like "-7600"`, "%q can't be added to a name", clip(key.Value))
				return
			}
			set = append(set, choice{key.Value, r.name(value)})
		})
		if total *= max(1, len(set)); total > maxVariants {
			r.wrong(n, fmt.Sprintf("make %d at most", maxVariants), "the variants are more than %d", maxVariants)
			total = maxVariants
			return
		}
		d.variants = append(d.variants, set)
	})
}

// setting reads one value: a mapping of value, unit, basis and source.
func (r *reader) setting(d *document, at, n *yaml.Node) {
	k := keyNamed(at.Value)
	if k == nil {
		names := make([]string, len(keys))
		for i, k := range keys {
			names[i] = k.Name
		}
		r.wrong(at, near(at.Value, names), "unknown key %q", clip(at.Value))
		return
	}
	if n.Kind != yaml.MappingNode {
		r.wrong(n, "write {value: ..., "+unitOf(k)+"basis: found or assumed, source: ...}", "%s says neither where its value comes from nor how sure it is",
			k.Name)
		return
	}
	s := setting{file: r.file, line: at.Line, column: at.Column}
	before, have := len(r.problems), map[string]bool{}
	r.pairs(n, func(key, value *yaml.Node) {
		have[key.Value] = true
		r.member(k, &s, key, value)
	})
	need := []string{"value", "basis", "source"}
	if k.Kind == KindNumber {
		need = append(need, "unit")
	}
	for _, m := range need {
		if !have[m] {
			r.wrong(at,
				"add `"+map[string]string{"value": "value: ...", "basis": "basis: found` or `basis: assumed", "source": "source: ...",
					"unit": "unit: " + k.Unit}[m]+"`", "%s has no %s", k.Name, m)
		}
	}
	if len(r.problems) == before {
		d.values[k] = s
	}
}

func unitOf(k *Key) string {
	if k.Kind == KindNumber {
		return "unit: " + k.Unit + ", "
	}
	return ""
}

func (r *reader) member(k *Key, s *setting, key, n *yaml.Node) {
	switch key.Value {
	case "value":
		r.value(k, s, n)
	case "unit":
		switch {
		case k.Kind != KindNumber:
			r.wrong(n, "remove it", "%s has no unit", k.Name)
		case n.Kind != yaml.ScalarNode || n.Value != k.Unit:
			r.wrong(n, "give the number in "+k.Unit, "the unit of %s is %s, not %s", k.Name, k.Unit, kindOf(n))
		}
	case "basis":
		if n.Kind != yaml.ScalarNode || n.Value != "found" && n.Value != "assumed" {
			r.wrong(n, "write found or assumed", "%s is no basis", kindOf(n))
			return
		}
		s.found = n.Value == "found"
	case "source":
		s.source = r.line(n)
	default:
		r.wrong(key, near(key.Value, []string{"value", "unit", "basis", "source"}), "unknown key %q", clip(key.Value))
	}
}

func (r *reader) value(k *Key, s *setting, n *yaml.Node) {
	switch k.Kind {
	case KindFlag:
		s.yes = r.yes(n)
		s.text = map[bool]string{true: "yes", false: "no"}[s.yes]
	case KindWords:
		r.list(n, func(n *yaml.Node) {
			w := r.line(n)
			if w != "" && k.allowed != nil && !slices.Contains(k.allowed, w) {
				r.wrong(n, "there are "+strings.Join(k.allowed, ", "), "%q is none of the words of %s", clip(w), k.Name)
				return
			}
			s.list = append(s.list, w)
		})
		if s.text = strings.Join(s.list, ", "); s.text == "" {
			r.wrong(n, "write [A, B]", "%s has no words", k.Name)
		}
	default:
		r.numeral(k, s, n)
	}
}

func (r *reader) numeral(k *Key, s *setting, n *yaml.Node) {
	var v float64
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" && n.Tag != "!!float" || n.Decode(&v) != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		r.wrong(n, "write a number, in "+k.Unit, "the value of %s is %s", k.Name, kindOf(n))
		return
	}
	switch {
	case v < k.Min || v > k.Max:
		r.wrong(n, "check the number and its unit", "%s is from %s to %s %s, not %s", k.Name, plain(k.Min), plain(k.Max), k.Unit, plain(v))
	case k.Whole && v != math.Trunc(v):
		r.wrong(n, "write a whole number", "%s counts %s, and %s is no whole number", k.Name, k.Unit, plain(v))
	}
	s.number, s.text = v, plain(v)
}
