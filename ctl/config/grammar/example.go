package grammar

import "strconv"

// Example is the shortest line that is an instance of the command: of a choice what needs the fewest words, and nothing that may be left out. value says what stands for an
// argument, by its name and type (see Completion); the empty string leaves it to the package, which knows something of each type.
func (c *Command) Example(value func(name, typ string) string) string {
	type step struct {
		at   *state
		line string
	}
	seen := map[*state]bool{}
	for now := []step{{c.start, ""}}; len(now) > 0; {
		var next []step
		for _, s := range now {
			for _, st := range closure(nil, s.at) {
				if seen[st] {
					continue
				}
				seen[st] = true
				if st.accept != nil {
					return s.line
				}
				for _, e := range st.edges {
					word := e.keyword
					if e.arg != nil {
						if e.arg.kind == kindInterfaceType {
							continue
						}
						word = e.arg.example(value)
					}
					line := word
					if s.line != "" {
						line = s.line + " " + word
					}
					next = append(next, step{e.to, line})
				}
			}
		}
		now = next
	}
	return "" // there is no way to the end; New would have panicked
}

// example is a word that the argument takes.
func (a *argument) example(value func(name, typ string) string) string {
	if value != nil {
		if v := value(a.name, a.typeName()); v != "" {
			return v
		}
	}
	switch a.kind {
	case kindInt:
		return strconv.FormatUint(a.min, 10)
	case kindIP:
		return "192.0.2.1"
	case kindMask:
		return "255.255.255.0"
	case kindWildcard:
		return "0.0.0.255"
	case kindPrefix:
		return "192.0.2.0/24"
	case kindRD:
		return "65000:1"
	case kindASN:
		return "65000"
	case kindInterface:
		return "Tunnel0"
	case kindLine:
		return "some text"
	}
	return "NAME"
}
