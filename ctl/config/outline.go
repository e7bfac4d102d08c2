package config

import (
	"strings"
)

// Part is a line of a configuration as it prints, with the lines of the mode that it opens.
type Part struct {
	Line  string // in full, with its keys in clear
	Shown string // the same with keys masked
	Sub   []*Part
	// Close is the line that ends the mode, where one is needed (exit-address-family).
	Close string
}

// String is the line with keys masked, so that a part can be formatted without harm.
func (p *Part) String() string { return p.Shown }

// GoString is String, for %#v.
func (p *Part) GoString() string { return p.Shown }

// Outline is the configuration as it prints, line by line, as a tree of its modes. It has the keys: show Part.Shown.
func (c *Config) Outline() []*Part {
	var whole, hidden strings.Builder
	c.print(&printer{w: &whole})
	c.print(&printer{w: &hidden, mask: true})
	lines, shown := strings.Split(whole.String(), "\n"), strings.Split(hidden.String(), "\n")
	root := &Part{}
	stack := []*Part{root}
	for n, line := range lines {
		text := strings.TrimLeft(line, " ")
		depth := len(line) - len(text)
		if text == "" || text[0] == '!' || depth == 0 && text == "end" {
			continue
		}
		stack = stack[:min(depth+1, len(stack))]
		in := stack[len(stack)-1]
		if last := len(in.Sub) - 1; last >= 0 && strings.HasPrefix(text, "exit-") {
			in.Sub[last].Close = text
			continue
		}
		p := &Part{Line: text, Shown: strings.TrimLeft(shown[n], " ")}
		in.Sub = append(in.Sub, p)
		stack = append(stack, p)
	}
	return root.Sub
}

// Section selects the parts at the top whose lines begin with these words; all where there are none.
func Section(parts []*Part, words string) []*Part {
	want := strings.ToLower(strings.Join(strings.Fields(words), " "))
	var out []*Part
	for _, p := range parts {
		if line := strings.ToLower(p.Shown); want == "" || line == want || strings.HasPrefix(line, want+" ") {
			out = append(out, p)
		}
	}
	return out
}

// Text prints parts as a configuration, with keys masked if mask is set.
func Text(parts []*Part, mask bool) string {
	var b strings.Builder
	writeParts(&b, parts, 0, mask)
	return b.String()
}

func writeParts(b *strings.Builder, parts []*Part, depth int, mask bool) {
	for _, p := range parts {
		line := p.Line
		if mask {
			line = p.Shown
		}
		indent := strings.Repeat(" ", depth)
		b.WriteString(indent + line + "\n")
		writeParts(b, p.Sub, depth+1, mask)
		if p.Close != "" {
			b.WriteString(indent + p.Close + "\n")
		}
		if depth == 0 && len(p.Sub) > 0 {
			b.WriteString("!\n")
		}
	}
}

// DiffText writes what differs between two configurations: lines that are there in the first alone begin with "-", those of the second alone with "+", and each stands below
// the lines that lead to its mode. Keys are masked; where only a key differs, the line that has the new one says so. Equal configurations make an empty text.
func DiffText(from, to *Config) string { return diffParts(from.Outline(), to.Outline()) }

func diffParts(from, to []*Part) string {
	var b strings.Builder
	writeDiff(&b, from, to, 0)
	return b.String()
}

// writeDiff writes what differs between the lines of a mode.
func writeDiff(b *strings.Builder, from, to []*Part, depth int) {
	write := func(sign string, p *Part, note string) {
		b.WriteString(sign + strings.Repeat(" ", depth) + p.Shown + note + "\n")
	}
	// gone are the masked lines that were taken away here, by which a key that was replaced is known.
	gone := make(map[string]bool)
	for _, s := range align(from, to) {
		switch {
		case s.to == nil:
			gone[s.from.Shown] = true
			write("-", s.from, "")
			writeAll(b, "-", s.from.Sub, depth+1)
		case s.from == nil:
			note := ""
			if gone[s.to.Shown] {
				note = " ! another key"
			}
			write("+", s.to, note)
			writeAll(b, "+", s.to.Sub, depth+1)
		default:
			var sub strings.Builder
			writeDiff(&sub, s.from.Sub, s.to.Sub, depth+1)
			if sub.Len() > 0 {
				write(" ", s.to, "")
				b.WriteString(sub.String())
			}
		}
	}
}

func writeAll(b *strings.Builder, sign string, parts []*Part, depth int) {
	for _, p := range parts {
		b.WriteString(sign + strings.Repeat(" ", depth) + p.Shown + "\n")
		writeAll(b, sign, p.Sub, depth+1)
	}
}

// step is a line of two lists beside each other: of both, or of one.
type step struct{ from, to *Part }

// mostCells bounds the table by which the lines of a mode are aligned. Where there are more of them, as with thousands of routes, a line counts as there if it stands anywhere.
const mostCells = 1 << 22

// align puts two lists of lines beside each other, so that as few as possible stand alone. Lines that are taken away stand before those that take their place.
func align(from, to []*Part) (out []step) {
	for len(from) > 0 && len(to) > 0 && from[0].Line == to[0].Line {
		out = append(out, step{from[0], to[0]})
		from, to = from[1:], to[1:]
	}
	var tail []step
	for len(from) > 0 && len(to) > 0 && from[len(from)-1].Line == to[len(to)-1].Line {
		tail = append(tail, step{from[len(from)-1], to[len(to)-1]})
		from, to = from[:len(from)-1], to[:len(to)-1]
	}
	if len(from)*len(to) > mostCells {
		out = append(out, alignUnordered(from, to)...)
	} else {
		out = append(out, alignOrdered(from, to)...)
	}
	for k := len(tail) - 1; k >= 0; k-- {
		out = append(out, tail[k])
	}
	return out
}

// alignOrdered finds the longest common subsequence.
func alignOrdered(from, to []*Part) (out []step) {
	width := len(to) + 1
	longest := make([]int32, (len(from)+1)*width) // of from[i:] and to[j:]
	for i := len(from) - 1; i >= 0; i-- {
		for j := len(to) - 1; j >= 0; j-- {
			if from[i].Line == to[j].Line {
				longest[i*width+j] = longest[(i+1)*width+j+1] + 1
			} else {
				longest[i*width+j] = max(longest[(i+1)*width+j], longest[i*width+j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(from) || j < len(to) {
		switch {
		case i < len(from) && j < len(to) && from[i].Line == to[j].Line:
			out = append(out, step{from[i], to[j]})
			i, j = i+1, j+1
		case j == len(to) || i < len(from) && longest[(i+1)*width+j] >= longest[i*width+j+1]:
			out = append(out, step{from: from[i]})
			i++
		default:
			out = append(out, step{to: to[j]})
			j++
		}
	}
	return out
}

// alignUnordered takes lines for the same wherever they stand.
func alignUnordered(from, to []*Part) (out []step) {
	left := make(map[string][]*Part)
	for _, p := range to {
		left[p.Line] = append(left[p.Line], p)
	}
	pairs := make(map[*Part]*Part)
	for _, p := range from {
		if list := left[p.Line]; len(list) > 0 {
			pairs[list[0]], left[p.Line] = p, list[1:]
			continue
		}
		out = append(out, step{from: p})
	}
	for _, p := range to {
		out = append(out, step{from: pairs[p], to: p})
	}
	return out
}
