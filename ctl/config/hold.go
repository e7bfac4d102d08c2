package config

// Hold marks tunnels that can't run beside others: of two with the same ends, or with one source and protection that differs, one has Interface.Held set, which says why. It is the
// one that was changed since was, the configuration that ran before, so that a tunnel that works goes on while another is configured line by line; without was, or if both are new, it is
// the one with the higher number. A configuration that checks has none. It tells which are held.
func (c *Config) Hold(was *Config) (held []string) {
	var established, others []*Interface
	for _, i := range c.tunnels() {
		i.Held = ""
		if was != nil && i.sameTunnel(was.Interface(i.Name)) {
			established = append(established, i)
		} else {
			others = append(others, i)
		}
	}
	var run []*Interface
	for _, i := range append(established, others...) {
		for _, o := range run {
			k := &checker{c: c}
			if k.tunnelPair(o, i); k.diags.HasErrors() {
				i.Held = Held(k.firstError())
				break
			}
		}
		if i.Held != "" {
			held = append(held, i.Name)
			continue
		}
		run = append(run, i)
	}
	return held
}

// sameTunnel tells whether a tunnel ran before with the same ends and protection.
func (i *Interface) sameTunnel(was *Interface) bool {
	return was != nil && was.Held == "" && same(i.Tunnel, was.Tunnel)
}

// firstError is what the first error among the findings says.
func (k *checker) firstError() string {
	for _, d := range k.diags {
		if d.Severity == Error {
			return d.Message
		}
	}
	return ""
}
