package show

import (
	"fmt"
	"strings"
	"time"

	"nave/slowpath"
)

// KeyChain is a key chain of the configuration, without its secrets.
type KeyChain struct {
	Name string
	Keys []Key
}

// Key is one key of a chain.
type Key struct {
	ID           uint32
	HasText      bool     // there is a key string
	Accept, Send Lifetime // when it counts
}

// Lifetime is from when until when a key counts. The zero Time is no limit.
type Lifetime struct{ From, Until time.Time }

// always tells that there are no limits.
func (l Lifetime) always() bool { return l.From.IsZero() && l.Until.IsZero() }

func (l Lifetime) contains(t time.Time) bool {
	return (l.From.IsZero() || !t.Before(l.From)) && (l.Until.IsZero() || t.Before(l.Until))
}

func (l Lifetime) text(now time.Time) string {
	const form = "15:04:05 MST Jan 2 2006"
	from, until := "always valid", "always valid"
	if !l.always() {
		if !l.From.IsZero() {
			from = l.From.Format(form)
		}
		until = "infinite"
		if !l.Until.IsZero() {
			until = l.Until.Format(form)
		}
	}
	out := fmt.Sprintf("(%s) - (%s)", from, until)
	if l.contains(now) {
		out += " [valid now]"
	}
	return out
}

// KeyChains is `show key chain`: one of a name, or all. Where IOS has a key's string, it only says whether there is one.
func KeyChains(s *Status, name string) string {
	var b strings.Builder
	for _, c := range s.chains(name) {
		fmt.Fprintf(&b, "Key-chain %s:\n", c.Name)
		for _, k := range c.Keys {
			text := "(unset)"
			if k.HasText {
				text = "(hidden)"
			}
			fmt.Fprintf(&b, "    key %d -- text %q\n", k.ID, text)
			fmt.Fprintf(&b, "        accept lifetime %s\n", k.Accept.text(s.Time))
			fmt.Fprintf(&b, "        send lifetime %s\n", k.Send.text(s.Time))
		}
	}
	return b.String()
}

// chains are the key chains of a name, or all.
func (s *Status) chains(name string) (out []KeyChain) {
	for _, c := range s.KeyChains {
		if name == "" || c.Name == name {
			out = append(out, c)
		}
	}
	return out
}

// HasKeyChain tells whether a key chain is configured.
func (s *Status) HasKeyChain(name string) bool { return len(s.chains(name)) > 0 }

// UnknownKeyChain says that there is no key chain of a name, and which there are.
func UnknownKeyChain(s *Status, name string) error {
	if len(s.KeyChains) == 0 {
		return fmt.Errorf("%% No key chain named %s; none is configured (`key chain NAME`)", name)
	}
	return fmt.Errorf("%% No key chain named %s; `show key chain` lists them", name)
}

// keyChain is the chain by which a process authenticates on an interface.
func (p *Protocols) keyChain(s *Status, of *slowpath.EIGRPStatus, iface string) string {
	return p.eigrp(s.vrfName(of.Key.VRF), of.Key.AS).KeyChains[iface]
}
