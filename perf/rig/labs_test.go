package rig

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"nave/ctl/config"
	"nave/perf/mix"
)

// Every place has a configuration that naved takes without a word, a mix that fits through it, and a network that can be built.
func TestPlaces(t *testing.T) {
	for _, p := range Places() {
		if p.Name == Memory {
			continue
		}
		top, err := p.topology()
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
			continue
		}
		if err := top.Check(); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		for _, n := range top.Nodes {
			if n.Config == "" {
				continue
			}
			c, diags := config.Parse(n.Name, []byte(n.Config))
			if diags = append(diags, config.Check(c)...); len(diags) > 0 {
				t.Errorf("%s: %v", p.Name, diags)
			}
		}
		m, err := mix.Load(p.Mix)
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
			continue
		}
		for _, s := range m.Sizes {
			if s.Bytes > p.Longest {
				t.Errorf("%s: its mix has packets of %d bytes", p.Name, s.Bytes)
			}
		}
	}
	if !orphan("np999999999-gen") || orphan(fmt.Sprintf("nb%d-dut", os.Getpid())) || orphan("nb1") || orphan("npx-gen") || orphan("gen") {
		t.Error("orphans are not known")
	}
	if _, err := FindPlace("nowhere"); err == nil || !strings.Contains(err.Error(), "forward") {
		t.Errorf("%v", err)
	}
}
