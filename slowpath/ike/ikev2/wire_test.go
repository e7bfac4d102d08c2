package ikev2

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/ikev2/ikev2msg"
	"nave/slowpath/ike/suite"
)

type (
	wire = iketest.Wire[*Engine]
	node = iketest.Node[*Engine]
)

// version is IKEv2 for the rig.
var version = &iketest.Version[*Engine]{
	New: New, Config: config, Name: messageName, Check: checkTimers, Others: true, Late: graceTime / 2,
	Keepalive: func(c *ike.Config, k ike.Keepalive) { c.V2.DPD = k },
	SAs:       func(e *Engine) int { return len(e.sas) },
}

var exchangeNames = map[uint8]string{
	ikev2msg.ExchangeInit: "INIT", ikev2msg.ExchangeAuth: "AUTH", ikev2msg.ExchangeCreateChild: "CHILD", ikev2msg.ExchangeInformational: "INFO",
	ikev2msg.ExchangeIntermediate: "INTERMEDIATE", ikev2msg.ExchangeFollowupKE: "FOLLOWUP",
}

func messageName(h ikemsg.Header) string {
	arrow := "req"
	if h.Flags&ikev2msg.FlagResponse != 0 {
		arrow = "rsp"
	}
	return fmt.Sprintf("%s %s %d", exchangeNames[h.Exchange], arrow, h.MessageID)
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// config is a protection with a pre-shared key for everybody.
func config(local netip.Addr) ike.Config {
	return ike.Config{
		Protections: []ike.Protection{{
			ID: 1, Profile: "vpn", Local: local, Version: 2, IKEv2Profile: "prof", Window: 64,
			Transforms: []ike.Transform{{Cipher: suite.CipherAESGCM, KeyBits: 128, ICV: 16}},
		}},
		Keyrings: []ike.Keyring{{Name: "ring", VRF: ike.AnyVRF, Keys: []ike.KeyEntry{{
			Name: "all", Prefix: netip.MustParsePrefix("0.0.0.0/0"), Local: ike.Secret("secret"), Remote: ike.Secret("secret"),
		}}}},
		V2: ike.V2{
			Fragmentation: true,
			Profiles: []ike.V2Profile{{
				Name: "prof", Match: []ike.Match{{VRF: ike.AnyVRF}}, VRF: ike.AnyVRF, AuthLocal: ike.AuthPSK, AuthRemote: []ike.AuthMethod{ike.AuthPSK}, Keyring: "ring",
			}},
		},
	}
}

// join makes two nodes; change is given both configurations.
func join(t *testing.T, seed uint64, change func(a, b *ike.Config)) *wire {
	t.Helper()
	return iketest.Join(t, version, seed, change)
}

// checkTimers compares the heap with what every SA would say now.
func checkTimers(n *node) {
	var want time.Time
	for _, s := range n.Engine.sas {
		want = earlier(want, s.wake())
	}
	if got := n.Engine.Deadline(); !got.Equal(want) {
		n.Wire.T.Fatalf("%s wakes at %v, and is to wake at %v", n.Name, got, want)
	}
}

// rekeyIKE has a node begin to rekey its IKE SA.
func rekeyIKE(n *node) {
	for _, s := range n.Engine.all() {
		if s.state == stateUp && s.rekeyed == nil {
			s.rekey()
			break
		}
	}
	n.Do(n.Engine.take())
}

// wantOne wants one IKE SA and one child on each side, and no reserved SPI besides.
func wantOne(w *wire) {
	w.T.Helper()
	w.WantUp()
	for _, n := range []*node{w.A, w.B} {
		if len(n.Engine.sas) != 1 || len(n.Children) != 1 || len(n.Engine.children) != 1 {
			w.T.Errorf("%s keeps %d IKE SAs and %d children: %v", n.Name, len(n.Engine.sas), len(n.Children), w.Ladder)
		}
		if a := n.Engine.env.Admission; a.InNegotiation != 0 || a.SAs != len(n.Engine.sas) {
			w.T.Errorf("%s: admission counts %d and %d of %d SAs", n.Name, a.SAs, a.InNegotiation, len(n.Engine.sas))
		}
		if got := n.Engine.env.ReservedSPIs(); got != 1 {
			w.T.Errorf("%s: %d SPIs are reserved", n.Name, got)
		}
		if len(n.Engine.wants) != 0 || len(n.Engine.half) != 0 {
			w.T.Errorf("%s: %d wait, %d half-open", n.Name, len(n.Engine.wants), len(n.Engine.half))
		}
	}
}
