// Package hardware says what the hardware of a profile would do with a configuration: what it refuses, what has no
// effect on it, what its route processor has to forward, and what is too much for its tables.
//
// Each rule has a name, which is the code of its findings. It looks at the tree and at values of the profile; where the
// profile does not know the value, the rule says nothing. The page or document that a finding names is the source of
// that value. Rules between routers look at all configurations that are checked together.
package hardware

import (
	"fmt"
	"io"
	"slices"

	"nave/ctl/config"
	"nave/hwprofiles"
)

// Options choose the profile of a check.
type Options struct {
	// Profile is for all files, whatever they say themselves; "none" is none. Empty: what each file says with
	// `platform hardware profile`.
	Profile string
	// Dir has profiles of the user; empty: there are none.
	Dir string
}

// CheckFiles is config.CheckFiles with hardware profiles.
func CheckFiles(w io.Writer, asJSON bool, o Options, files ...string) (int, error) {
	trees, all, err := config.ReadFiles(files...)
	if err != nil {
		return 2, err
	}
	set, err := hwprofiles.Load(o.Dir)
	if err != nil {
		return 2, err
	}
	found, profiles, err := Check(set, o.Profile, trees)
	if err != nil {
		return 2, err
	}
	general := append(all, config.Check(trees...)...)
	var out config.Diagnostics
	for _, d := range general {
		if n := slices.Index(files, d.File); n >= 0 {
			out = append(out, Amend(profiles[n], trees[n], config.Diagnostics{d})...)
		} else {
			out = append(out, d)
		}
	}
	return append(out, found...).Write(w, asJSON)
}

// Check checks routers against their profiles: the named one for all, or where the name is empty what each says. It
// returns the findings and the profile of each, nil where it has none. The error is that there is no profile with the
// name; a name in a configuration is a finding.
func Check(set *hwprofiles.Set, name string, files []*config.Config) (config.Diagnostics, []*hwprofiles.Profile, error) {
	var named *hwprofiles.Profile
	if name != "" && name != hwprofiles.None {
		var err error
		if named, err = set.Profile(name); err != nil {
			return nil, nil, err
		}
	}
	k := &check{files: files, profiles: make([]*hwprofiles.Profile, len(files)), links: config.Links(files)}
	for n, c := range files {
		k.profiles[n] = named
		if own := c.Platform.HardwareProfile; name == "" && own != "" && own != hwprofiles.None {
			p, err := set.Profile(own)
			if err != nil {
				pos := c.Lines.At(config.Pos{}, "platform hardware profile")
				k.diags = append(k.diags, config.Diagnostic{File: pos.File, Line: pos.Line, Column: pos.Column, Severity: config.Error,
					Code: "hw-unknown-profile", Message: err.Error(), Action: "name one of them; `nave show hwprofiles` describes them"})
			}
			k.profiles[n] = p
		}
	}
	k.run()
	return k.diags, k.profiles, nil
}

// run tries all rules.
func (k *check) run() {
	for n, c := range k.files {
		if p := k.profiles[n]; p != nil {
			k.router(&router{c: c, p: p})
		}
	}
	for _, r := range rules {
		if r.network != nil {
			k.rule = r
			r.network(k)
		}
	}
}

// router is a configuration with the profile that it is checked against.
type router struct {
	c *config.Config
	p *hwprofiles.Profile
}

// check is one run over some routers.
type check struct {
	files    []*config.Config
	profiles []*hwprofiles.Profile // of each file, or nil
	links    []config.Link
	rule     *Rule // that runs
	diags    config.Diagnostics
}

func (k *check) router(r *router) {
	for _, rule := range rules {
		if rule.router == nil {
			continue
		}
		k.rule = rule
		rule.router(k, r)
		if rule.last != nil && rule.last(r) {
			return
		}
	}
}

// profile returns the profile that a configuration is checked against, nil if there is none.
func (k *check) profile(c *config.Config) *hwprofiles.Profile {
	for n, f := range k.files {
		if f == c {
			return k.profiles[n]
		}
	}
	return nil
}

// Effects of hardware on a line.
const (
	refused  = "refused"
	noEffect = "no effect"
	software = "software-switched"
	scale    = "scale"
	advised  = "advised against"
)

// why is which value of which profile a finding follows from.
type why struct {
	p    *hwprofiles.Profile
	fact hwprofiles.Fact
}

func (r *router) because(f hwprofiles.Fact) why { return why{r.p, f} }

// add reports a finding.
func (k *check) add(pos config.Pos, s config.Severity, effect string, w why, action, format string, args ...any) {
	k.diags = append(k.diags, config.Diagnostic{File: pos.File, Line: pos.Line, Column: pos.Column, Severity: s, Code: k.rule.Code,
		Message: fmt.Sprintf(format, args...), Action: action,
		Hardware: &config.Verdict{Profile: w.p.Name, Effect: effect, Source: w.fact.Source, Assumed: !w.fact.Found}})
}
