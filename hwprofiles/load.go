package hwprofiles

import (
	"embed"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

//go:embed data/*.yaml
var embedded embed.FS

// None is the name that stands for no profile.
const None = "none"

// Set is all profiles that there are.
type Set struct {
	byName map[string]*Profile
	names  []string
}

// Names lists the profiles, sorted so that variants follow what they are of.
func (s *Set) Names() []string { return s.names }

// Profiles lists them in the same order.
func (s *Set) Profiles() []*Profile {
	out := make([]*Profile, len(s.names))
	for i, n := range s.names {
		out[i] = s.byName[n]
	}
	return out
}

// Profile returns the profile with the name, or an error that says which was meant, or which there are.
func (s *Set) Profile(name string) (*Profile, error) {
	if p := s.byName[name]; p != nil {
		return p, nil
	}
	if name == "" {
		name = `""`
	}
	known := append(slices.Clone(s.names), None)
	if len(name) >= 8 { // a short name is as near to any other short one
		if best := nearest(strings.ToLower(name), known); best != "" {
			return nil, fmt.Errorf("there is no hardware profile %s: did you mean %s?", clip(name), best)
		}
	}
	return nil, fmt.Errorf("there is no hardware profile %s: there are %s; and %s is without one", clip(name), strings.Join(s.names, ", "), None)
}

// Load reads the profiles that come with nave and, if dir is not empty, those of its *.yaml files: a file there wins
// over the profile or part of the same name, or extends it. The error is of type Problems where a file is at fault.
func Load(dir string) (*Set, error) {
	own, problems := readEmbedded()
	layers := [][]*document{own}
	if dir != "" {
		docs, ps, err := readDir(dir)
		if err != nil {
			return nil, err
		}
		problems = append(problems, ps...)
		layers = append(layers, docs)
	}
	if err := problems.err(); err != nil {
		return nil, err
	}
	return assemble(layers)
}

func readEmbedded() (docs []*document, problems Problems) {
	files, err := embedded.ReadDir("data")
	if err != nil {
		panic(err) // the directory is compiled in
	}
	for _, f := range files {
		text, err := embedded.ReadFile("data/" + f.Name())
		if err != nil {
			panic(err)
		}
		d, ps := parse(f.Name(), text)
		docs, problems = append(docs, d), append(problems, ps...)
	}
	return docs, problems
}

func readDir(dir string) (docs []*document, problems Problems, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("directory of hardware profiles: %w", err)
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext != ".yaml" && ext != ".yml" {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // a pipe would be waited for
			return nil, nil, fmt.Errorf("hardware profile: %s is no file; remove it, or give it a name that does not end in %s", path, filepath.Ext(path))
		}
		text, err := readFile(path)
		if err != nil {
			return nil, nil, fmt.Errorf("hardware profile: %w", err)
		}
		d, ps := parse(path, text)
		if problems = append(problems, ps...); d != nil {
			docs = append(docs, d)
		}
	}
	if docs == nil && problems == nil {
		return nil, nil, fmt.Errorf("directory of hardware profiles: there is no *.yaml file in %s", dir)
	}
	return docs, problems, nil
}

// readFile reads a file as far as parse looks at it, and a byte more.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// node is a profile or a part in the making.
type node struct {
	name  ref
	layer int
	part  bool
	doc   *document
	// below are nodes whose values hold where doc has none; refs the same by name.
	below []*node
	refs  []ref
	// what comes out
	done     bool
	busy     bool
	identity identity
	values   map[*Key]setting
}

// assembly puts nodes together.
type assembly struct {
	nodes    map[string][]*node // by name, lower layers first
	problems Problems
}

func assemble(layers [][]*document) (*Set, error) {
	a := &assembly{nodes: map[string][]*node{}}
	for layer, docs := range layers {
		for _, d := range docs {
			a.add(layer, d)
		}
	}
	s := &Set{byName: map[string]*Profile{}}
	for _, name := range a.sorted() {
		n := a.top(name, math.MaxInt)
		a.resolve(n)
		if n.part {
			continue
		}
		if p := a.profile(n); p != nil {
			s.byName[name] = p
			s.names = append(s.names, name)
		}
	}
	if len(a.problems) > 0 {
		return nil, dedupe(a.problems)
	}
	return s, nil
}

// dedupe drops what several profiles have from one line.
func dedupe(ps Problems) Problems {
	var out Problems
	for _, p := range ps {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

func (a *assembly) sorted() []string {
	var names []string
	for n := range a.nodes {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func (a *assembly) wrong(file string, at ref, action, format string, args ...any) {
	a.problems = append(a.problems, Problem{File: file, Line: at.line, Column: at.column, Message: fmt.Sprintf(format, args...), Action: action})
}

// add makes the nodes of a document: itself, or one of each combination of its variants.
func (a *assembly) add(layer int, d *document) {
	base := &node{name: d.name, layer: layer, part: d.part, doc: d, refs: d.extends}
	if len(d.variants) == 0 {
		a.put(base)
		return
	}
	made := []*node{{name: d.name, layer: layer, doc: d, below: []*node{base}}}
	for _, set := range d.variants {
		var next []*node
		for _, m := range made {
			for _, c := range set {
				name := m.name
				name.name += c.suffix
				next = append(next, &node{name: name, layer: layer, doc: d, below: m.below, refs: append(slices.Clone(m.refs), c.part)})
			}
		}
		made = next
	}
	for _, m := range made {
		a.put(m)
	}
}

func (a *assembly) put(n *node) {
	have := a.nodes[n.name.name]
	if len(have) > 0 && have[len(have)-1].layer == n.layer {
		o := have[len(have)-1]
		a.wrong(n.doc.file, n.name, "give it another name", "there is a profile %s already, by %s", n.name.name, o.doc.file)
		return
	}
	a.nodes[n.name.name] = append(have, n)
}

// top returns the node with the name in the highest layer below the limit.
func (a *assembly) top(name string, limit int) *node {
	list := a.nodes[name]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].layer < limit {
			return list[i]
		}
	}
	return nil
}

// resolve works out the values of a node: those of what it extends, in order, then its own.
func (a *assembly) resolve(n *node) {
	if n.done {
		return
	}
	n.busy, n.values = true, map[*Key]setting{}
	defer func() { n.busy, n.done = false, true }()
	for _, o := range n.below {
		a.inherit(n, o, n.name)
	}
	for _, r := range n.refs {
		limit := math.MaxInt
		if r.name == n.doc.name.name {
			limit = n.layer // its own name is what it replaces
		}
		o := a.top(r.name, limit)
		if o == nil {
			a.wrong(n.doc.file, r, near(r.name, a.sorted()), "there is no profile or part %s to extend", r.name)
			continue
		}
		a.inherit(n, o, r)
	}
	if len(n.below) == 0 {
		n.identity = n.identity.under(n.doc.identity)
		for k, v := range n.doc.values {
			n.values[k] = v
		}
	}
}

func (a *assembly) inherit(n, o *node, at ref) {
	if o.busy {
		a.wrong(n.doc.file, at, "remove the name", "%s extends itself by %s", n.name.name, o.name.name)
		return
	}
	a.resolve(o)
	n.identity = n.identity.under(o.identity)
	for k, v := range o.values {
		n.values[k] = v
	}
}

// under returns the identity with what another one, which wins, says.
func (i identity) under(o identity) identity {
	for _, f := range []struct{ to, from *string }{{&i.platform, &o.platform}, {&i.supervisor, &o.supervisor}, {&i.module, &o.module}} {
		if *f.from != "" {
			*f.to = *f.from
		}
	}
	return i
}

// profile makes the typed values of a node; nil where something is missing.
func (a *assembly) profile(n *node) *Profile {
	before := len(a.problems)
	for _, f := range []struct{ what, have string }{{"platform", n.identity.platform}, {"supervisor", n.identity.supervisor}} {
		if f.have == "" {
			a.wrong(n.doc.file, n.name, "add `"+f.what+": ...`, or `part: yes` if this is not meant to be a profile", "profile %s has no %s", n.name.name,
				f.what)
		}
	}
	p := &Profile{Name: n.name.name, Platform: n.identity.platform, Supervisor: n.identity.supervisor}
	if m := n.identity.module; m != None {
		p.Module = m
	}
	for _, k := range keys {
		s, ok := n.values[k]
		if !ok {
			continue
		}
		f := Fact{Known: true, Found: s.found, Source: s.source, File: s.file, Line: s.line}
		v := Value{Key: k, Text: s.text, Fact: f}
		switch k.Kind {
		case KindNumber:
			*k.number(p), v.Any = Number{f, s.number}, s.number
		case KindFlag:
			*k.flag(p), v.Any = Flag{f, s.yes}, s.yes
		case KindWords:
			*k.words(p), v.Any = Words{f, s.list}, s.list
		}
		p.Values = append(p.Values, v)
	}
	if !p.DMVPN.Supported.Known {
		a.wrong(n.doc.file, n.name, "add dmvpn.supported under `values:`", "profile %s does not say whether it can be hub or spoke", n.name.name)
	}
	a.fits(p, n)
	if len(a.problems) > before {
		return nil
	}
	return p
}

// fits compares values that depend on each other.
func (a *assembly) fits(p *Profile, n *node) {
	f := &p.FIB
	if f.Units.Known && f.IPMPLS.Known && f.IPv6Multicast.Known {
		units := f.IPMPLS.Value*width(f.IPv4Width) + f.IPv6Multicast.Value*width(f.IPv6Width)
		if units > f.Units.Value {
			s := n.values[keyNamed("fib.units72")]
			a.wrong(s.file, ref{line: s.line, column: s.column}, "make fib.split.ip_mpls or fib.split.ipv6_mcast smaller",
				"the split of %s takes %s units, and fib.units72 is %s", p.Name, plain(units), plain(f.Units.Value))
		}
	}
	if nf := &p.NetFlow; nf.Entries.Known && nf.Effective.Known && nf.Effective.Value > nf.Entries.Value {
		s := n.values[keyNamed("netflow.effective")]
		a.wrong(s.file, ref{line: s.line, column: s.column}, "make it smaller", "netflow.effective of %s is more than netflow.entries", p.Name)
	}
}

// width is how many units an entry takes, one where that is not known.
func width(n Number) float64 {
	if !n.Known {
		return 1
	}
	return n.Value
}
