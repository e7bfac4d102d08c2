package config

import (
	"fmt"
	"slices"
	"strings"
)

// talk is EIGRP on a tunnel.
type talk struct {
	f *EIGRPFamily
	s EIGRPInterface
}

// talks lists the processes that have neighbours on an interface.
func (c *Config) talks(i *Interface) []talk {
	var out []talk
	for _, e := range c.EIGRP {
		for _, f := range e.Families {
			if s := e.Settings(f, i); f.VRF == i.VRF && !e.Shutdown && !f.Shutdown && f.Covers(i.Address.Addr()) && !s.Passive.Or(false) && !s.Shutdown.Or(false) {
				out = append(out, talk{f, s})
			}
		}
	}
	return out
}

func processes(list []talk) string {
	var out []string
	for _, t := range list {
		out = append(out, itoa(int(t.f.AS)))
	}
	return "EIGRP with AS " + strings.Join(out, " and ")
}

// compareEIGRP checks whether a spoke and its hub can be neighbours of EIGRP.
func (k *checker) compareEIGRP(l tunnelLink, hub string) {
	a, b := l.hub.talks(l.hubIfc), l.spoke.talks(l.spokeIfc)
	switch {
	case len(a) == 0 && len(b) == 0:
		return
	case len(b) == 0:
		k.add(l.spokeIfc.Pos, Warning, "eigrp-peer", fmt.Sprintf("add `router eigrp %d` with `network`, and `ip nhrp map multicast NBMA`", a[0].f.AS),
			"%s has %s, %s does not run it: it has no routes of the hub's", hub, processes(a), l.spokeIfc.Name)
		return
	case len(a) == 0:
		k.add(b[0].f.Pos, Warning, "eigrp-peer", fmt.Sprintf("add `router eigrp %d` with `network` on the hub", b[0].f.AS), "%s has %s, %s does not run it: it finds no neighbour there",
			l.spokeIfc.Name, processes(b), hub)
		return
	}
	common := false
	for _, x := range a {
		for _, y := range b {
			if x.f.AS == y.f.AS {
				common = true
				k.compareProcess(l, hub, &x, &y)
			}
		}
	}
	if !common {
		k.add(b[0].f.Pos, Error, "eigrp-mismatch", "use one AS number on all routers of the network", "%s has %s, %s has %s", l.spokeIfc.Name, processes(b), hub, processes(a))
	}
}

// weights are the constants of the metric, K1 to K6.
func (f *EIGRPFamily) weights() (k [6]int) {
	if len(f.Weights) > 1 {
		copy(k[:], f.Weights[1:])
	}
	if k == [6]int{} {
		k = [6]int{1, 0, 1}
	}
	return k
}

func (k *checker) compareProcess(l tunnelLink, hub string, x, y *talk) {
	if x.f.weights() != y.f.weights() {
		k.add(y.f.Lines.at(y.f.Pos, "metric weights"), Error, "eigrp-mismatch", "use the same `metric weights` on all routers", "the constants of EIGRP's metric are not those of %s", hub)
	}
	if x.s.AuthMode != y.s.AuthMode {
		k.add(l.spokeIfc.Pos, Error, "eigrp-mismatch", "use the same `authentication mode` on all routers of the network",
			"EIGRP on %s has %s, %s has %s", l.spokeIfc.Name, authText(&y.s), hub, authText(&x.s))
	} else if x.s.AuthMode != "" && !sharedKey(l.hub.eigrpKeys(&x.s), l.spoke.eigrpKeys(&y.s)) {
		k.add(l.spokeIfc.Pos, Error, "eigrp-mismatch", "give both a key with the same number and the same `key-string`", "EIGRP on %s and on %s have no key in common", l.spokeIfc.Name, hub)
	}
}

func authText(s *EIGRPInterface) string {
	if s.AuthMode == "" {
		return "no authentication"
	}
	return "authentication by " + s.AuthMode
}

// eigrpKeys are the keys of an interface; a password is key 0.
func (c *Config) eigrpKeys(s *EIGRPInterface) (out []Key) {
	for _, chain := range c.KeyChains {
		if chain.Name == s.KeyChain {
			for _, key := range chain.Keys {
				out = append(out, Key{ID: key.ID, String: key.String})
			}
		}
	}
	if s.KeyChain == "" && s.AuthPassword != "" {
		out = append(out, Key{String: s.AuthPassword})
	}
	return out
}

func sharedKey(a, b []Key) bool {
	return slices.ContainsFunc(a, func(k Key) bool { return k.String != "" && slices.Contains(b, k) })
}
