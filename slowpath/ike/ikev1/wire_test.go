package ikev1

import (
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/ike/suite"
)

type (
	wire = iketest.Wire[*Engine]
	node = iketest.Node[*Engine]
)

// version is IKEv1 for the rig.
var version = &iketest.Version[*Engine]{
	New: New, Config: config,
	Keepalive: func(c *ike.Config, k ike.Keepalive) { c.V1.Keepalive = k },
	SAs:       func(e *Engine) int { return len(e.sas) },
	Name:      func(h ikemsg.Header) string { return exchangeNames[h.Exchange] },
}

var exchangeNames = map[uint8]string{
	ikev1msg.MainMode: "MM", ikev1msg.AggressiveMode: "AG", ikev1msg.QuickMode: "QM", ikev1msg.Informational: "INFO", ikev1msg.Transaction: "TRANS",
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// config is a protection with a pre-shared key for everybody.
func config(local netip.Addr) ike.Config {
	return ike.Config{
		Protections: []ike.Protection{{
			ID: 1, Profile: "vpn", Local: local, Version: 1, Window: 64,
			Transforms: []ike.Transform{{Cipher: suite.CipherDES, Auth: suite.HashMD5}},
		}},
		Keyrings: []ike.Keyring{{Keys: []ike.KeyEntry{{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Local: ike.Secret("secret"), Remote: ike.Secret("secret")}}}},
		V1:       ike.V1{Policies: []ike.V1Policy{{Priority: 1}}, Identity: ike.IDIPv4},
	}
}

// join makes two nodes; change is given both configurations.
func join(t *testing.T, seed uint64, change func(a, b *ike.Config)) *wire {
	t.Helper()
	return iketest.Join(t, version, seed, change)
}

// say has a node send something on its first SA.
func say(n *node, f func(s *sa)) {
	n.Engine.begin(n.Wire.Now)
	f(n.Engine.saList()[0])
	n.Do(n.Engine.end())
}

// use is a packet in each direction: it is heard on the child that it came by.
func use(w *wire) {
	for _, n := range []*node{w.A, w.B} {
		c := n.Children[n.Active]
		if c == nil {
			continue
		}
		for id, o := range w.Other(n).Children {
			if o.ESP.InSPI == c.ESP.OutSPI {
				w.Other(n).Event(ike.Heard{Child: id})
			}
		}
	}
}

// busy runs with traffic in both directions, which shows each side what the other uses.
func busy(w *wire, d time.Duration) {
	for limit := w.Now.Add(d); w.Step(limit); {
		use(w)
	}
}

// traffic asserts, whenever anything happens, that what either side sends by arrives at an SA that the other has.
func traffic(w *wire, d time.Duration) (checks int) {
	limit := w.Now.Add(d)
	for w.Step(limit) {
		for _, n := range []*node{w.A, w.B} {
			if err := w.Paired(n); err != nil {
				w.T.Fatalf("after %v: %v\n%v", w.Now.Sub(iketest.Start), err, w.Ladder[max(0, len(w.Ladder)-20):])
			}
			checks++
		}
		if len(w.Ladder) > 100 {
			w.Ladder = w.Ladder[50:]
		}
		use(w)
	}
	return checks
}
