// Package debug is which debugging is on: what the `debug` commands have set, by their names, the conditions, and the
// rules for the protocols that both come to. It is pure: a change makes another value, and who carries it out is
// elsewhere.
//
//	debug.go      flags by name; a change
//	condition.go  by whom to select
//	pace.go       how much of it is written
package debug

import (
	"fmt"
	"slices"

	"nave/slowpath/trace"
)

// Flag is one thing that can be debugged, by the words behind `debug`: "nhrp packet", "dmvpn error crypto".
type Flag string

// Family is whose conditions a flag goes by.
type Family string

// The families. What is no word of NHRP's own goes by the conditions of `debug dmvpn condition`.
const (
	NHRP  Family = "nhrp"
	DMVPN Family = "dmvpn"
)

// known is a flag that there is.
type known struct {
	flag   Flag
	family Family
	topics trace.Topics
}

// Facilities and levels of `debug dmvpn`, in the order of detail. Each level has what the one before it has.
var (
	Facilities = []string{"nhrp", "crypto", "tunnel", "socket"}
	Levels     = []string{"error", "detail", "packet"}
)

const (
	nhrpError  = trace.NHRPError | trace.NHRPRate
	nhrpDetail = nhrpError | trace.NHRPDetail | trace.NHRPCache
	cryptoErr  = trace.IKEv1Error | trace.IKEv2Error | trace.IPsecError
	cryptoDet  = cryptoErr | trace.IKEv1Detail | trace.IKEv2Detail | trace.IPsecDetail
)

// byLevel are the topics of a facility at each level.
var byLevel = map[string][3]trace.Topics{
	"nhrp":   {nhrpError, nhrpDetail, trace.NHRP},
	"crypto": {cryptoErr, cryptoDet, trace.IKEv1 | trace.IKEv2 | trace.IPsec},
	"tunnel": {trace.TunnelError, trace.Tunnel, trace.Tunnel},
	"socket": {trace.SocketError, trace.Socket, trace.Socket},
}

// flags are all that there are, in the order that they are shown in.
var flags = makeFlags()

func makeFlags() []known {
	list := []known{
		{"nhrp", NHRP, trace.NHRPDetail | trace.NHRPError},
		{"nhrp cache", NHRP, trace.NHRPCache},
		{"nhrp detail", NHRP, nhrpDetail},
		{"nhrp error", NHRP, trace.NHRPError},
		{"nhrp extension", NHRP, trace.NHRPExtension},
		{"nhrp packet", NHRP, trace.NHRPPacket},
		{"nhrp rate", NHRP, trace.NHRPRate},
	}
	for _, facility := range Facilities {
		for k, level := range Levels {
			list = append(list, known{DMVPNFlag(level, facility), DMVPN, byLevel[facility][k]})
		}
	}
	return append(list,
		known{"crypto ikev2", DMVPN, trace.IKEv2}, known{"crypto ikev2 error", DMVPN, trace.IKEv2Error},
		known{"crypto ipsec", DMVPN, trace.IPsec}, known{"crypto ipsec error", DMVPN, trace.IPsecError},
		known{"crypto isakmp", DMVPN, trace.IKEv1}, known{"crypto isakmp error", DMVPN, trace.IKEv1Error},
		known{"crypto socket", DMVPN, trace.Socket}, known{"tunnel protection", DMVPN, trace.Tunnel},
		known{"eigrp packets", DMVPN, trace.EIGRP}, known{"eigrp packets terse", DMVPN, trace.EIGRPPacket},
	)
}

// DMVPNFlag is the flag of a level and a facility of `debug dmvpn`.
func DMVPNFlag(level, facility string) Flag { return Flag("dmvpn " + level + " " + facility) }

// Flags are all flags that there are.
func Flags() []Flag {
	out := make([]Flag, len(flags))
	for i, k := range flags {
		out[i] = k.flag
	}
	return out
}

func find(f Flag) (known, int) {
	k := slices.IndexFunc(flags, func(k known) bool { return k.flag == f })
	if k < 0 {
		return known{}, -1
	}
	return flags[k], k
}

// Set is what is on. The zero Set is nothing.
type Set struct {
	Flags []Flag     `json:"flags,omitempty"` // in the order of Flags
	NHRP  Conditions `json:"nhrp_conditions,omitzero"`
	DMVPN Conditions `json:"dmvpn_conditions,omitzero"`
}

// State is a Set with what was made of it.
type State struct {
	Set
	Told    uint64 `json:"told"`     // things that were written, each in one or more lines
	LeftOut uint64 `json:"left_out"` // and those that were not, as there were too many
}

// Change is one `debug`, `no debug` or `undebug`.
type Change struct {
	Off bool `json:"off,omitempty"`
	// All, with Off, is every flag. Conditions stay, as in IOS.
	All   bool   `json:"all,omitempty"`
	Flags []Flag `json:"flags,omitempty"`
	// Family has a condition set or removed: Condition, or Unmatched. With neither, and Off, all of the family are removed.
	Family    Family     `json:"family,omitempty"`
	Condition *Condition `json:"condition,omitempty"`
	Unmatched bool       `json:"unmatched,omitempty"`
}

// Apply is s after a change; s stays as it is.
func (s Set) Apply(c Change) (Set, error) {
	for _, f := range c.Flags {
		if _, k := find(f); k < 0 {
			return s, fmt.Errorf("debug: nothing is called %q that could be debugged", f)
		}
	}
	out := Set{Flags: slices.Clone(s.Flags), NHRP: s.NHRP.clone(), DMVPN: s.DMVPN.clone()}
	switch {
	case c.Family != "":
		list, err := out.conditions(c.Family)
		if err != nil {
			return s, err
		}
		return out, list.apply(c)
	case c.All && !c.Off:
		return s, fmt.Errorf("debug: everything at once can only be turned off; say what to debug")
	case c.All:
		out.Flags = nil
	case c.Off:
		out.Flags = slices.DeleteFunc(out.Flags, func(f Flag) bool { return slices.Contains(c.Flags, f) })
	default:
		for _, f := range c.Flags {
			if !slices.Contains(out.Flags, f) {
				out.Flags = append(out.Flags, f)
			}
		}
		slices.SortFunc(out.Flags, func(a, b Flag) int {
			_, i := find(a)
			_, j := find(b)
			return i - j
		})
	}
	return out, nil
}

func (s *Set) conditions(f Family) (*Conditions, error) {
	switch f {
	case NHRP:
		return &s.NHRP, nil
	case DMVPN:
		return &s.DMVPN, nil
	}
	return nil, fmt.Errorf("debug: %q has no conditions; dmvpn and nhrp have", f)
}

// Conditions are those of a family; nil for one that has none.
func (s *Set) Conditions(f Family) *Conditions {
	c, _ := s.conditions(f)
	return c
}

// Rules are what the protocols are told: the topics of each family's flags, with its conditions. None: nothing is on.
func (s Set) Rules() []trace.Rule {
	var out []trace.Rule
	for _, family := range []Family{NHRP, DMVPN} {
		r := trace.Rule{}
		for _, f := range s.Flags {
			if k, at := find(f); at >= 0 && k.family == family {
				r.Topics |= k.topics
			}
		}
		if r.Topics == 0 {
			continue
		}
		c := s.Conditions(family)
		for _, one := range c.List {
			r.Conditions = append(r.Conditions, one.Condition())
		}
		r.Unmatched = c.Unmatched
		out = append(out, r)
	}
	return out
}
