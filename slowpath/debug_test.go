package slowpath

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"testing"

	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/nhrp"
	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/trace"
)

// listen has a router tell what rules want.
func (r *rig) listen(rules ...trace.Rule) *[]Traced {
	out := new([]Traced)
	r.At(r.now).Debug(Debug{Rules: rules, Take: func(v Traced) { *out = append(*out, v.Clone()) }})
	return out
}

// registration is what a client of the rig sends.
func registration(proto, at string) nhrpmsg.Message {
	return nhrpmsg.Message{
		Family: nhrpmsg.FamilyIPv4, Protocol: nhrpmsg.ProtocolIPv4, HopCount: 255, Type: nhrpmsg.RegistrationRequest, RequestID: 7,
		SrcNBMA: ip(at), SrcProto: ip(proto), DstProto: ip("10.0.0.11"), CIEs: []nhrpmsg.CIE{{PrefixLen: 255, HoldTime: 300}},
	}
}

// A client at 198.51.100.9 (10.0.0.9) on Tunnel0 of VRF RED registers: which conditions let that through, and by how many topics.
func TestDebugConditions(t *testing.T) {
	for _, c := range []struct {
		name      string
		c         []trace.Condition
		unmatched bool
		told      bool
	}{
		{"none", nil, false, true},
		{"its address", []trace.Condition{{NBMA: pfx("198.51.100.9/32")}}, false, true},
		{"its network", []trace.Condition{{NBMA: pfx("198.51.0.0/16")}}, false, true},
		{"another address", []trace.Condition{{NBMA: pfx("198.51.100.8/32")}}, false, false},
		{"another address, unmatched", []trace.Condition{{NBMA: pfx("198.51.100.8/32")}}, true, false},
		{"its tunnel address", []trace.Condition{{Tunnel: pfx("10.0.0.9/32")}}, false, true},
		{"our own tunnel address, which is in each packet", []trace.Condition{{Tunnel: pfx("10.0.0.11/32")}}, false, false},
		{"its tunnel", []trace.Condition{{Iface: "Tunnel0"}}, false, true},
		{"another tunnel", []trace.Condition{{Iface: "Tunnel1"}}, false, false},
		{"its VRF", []trace.Condition{{VRF: "RED"}}, false, true},
		{"another VRF", []trace.Condition{{VRF: "BLUE"}}, false, false},
		{"one of two", []trace.Condition{{VRF: "BLUE"}, {NBMA: pfx("198.51.100.9/32")}}, false, true},
		{"neither of two", []trace.Condition{{VRF: "BLUE"}, {Iface: "Tunnel1"}}, false, false},
		{"a condition that says nothing", []trace.Condition{{}}, false, false},
	} {
		r := newRig(t, func(x *Config) { vpn(x); x.Interfaces[2].VRF = 2; x.NHRP.Interfaces[0].VRF = "RED" })
		out := r.listen(trace.Rule{Topics: trace.NHRPPacket | trace.NHRPCache, Conditions: c.c, Unmatched: c.unmatched})
		r.nhrpFrom("198.51.100.9", registration("10.0.0.9", "198.51.100.9"))
		want := 0
		if c.told {
			want = 3 // a packet in, an entry, a packet out
		}
		if len(*out) != want {
			t.Errorf("%s: told of %d things, want %d: %+v", c.name, len(*out), want, *out)
		}
		for _, x := range *out {
			if x.VRF != "RED" || x.Outer != "" || len(x.Ifaces) != 1 || x.Ifaces[0] != "Tunnel0" {
				t.Errorf("%s: %+v", c.name, x)
			}
		}
	}
}

// Each rule's topics go by its own conditions; what several want is told once.
func TestDebugRules(t *testing.T) {
	r := newRig(t, nil)
	out := r.listen(
		trace.Rule{Topics: trace.NHRPPacket}, trace.Rule{Topics: trace.NHRPPacket | trace.NHRPExtension, Conditions: []trace.Condition{{NBMA: pfx("198.51.100.9/32")}}})
	r.nhrpFrom("198.51.100.9", registration("10.0.0.9", "198.51.100.9"))
	r.nhrpFrom("198.51.100.10", registration("10.0.0.10", "198.51.100.10"))
	var got []trace.Topics
	for _, x := range *out {
		got = append(got, x.Topics)
	}
	both, one := trace.NHRPPacket|trace.NHRPExtension, trace.NHRPPacket
	if want := []trace.Topics{both, both, one, one}; !reflect.DeepEqual(got, want) {
		t.Errorf("%b, want %b", got, want)
	}
	r.At(r.now).Debug(Debug{})
	r.nhrpFrom("198.51.100.9", registration("10.0.0.9", "198.51.100.9"))
	if len(*out) != len(got) {
		t.Error("told when it is off")
	}
	r.At(r.now).Debug(Debug{Rules: []trace.Rule{{Topics: trace.All}}}) // nobody takes it
	r.nhrpFrom("198.51.100.9", registration("10.0.0.9", "198.51.100.9"))
}

func TestTracedClone(t *testing.T) {
	ifaces, payload := []string{"Tunnel0"}, []byte{1, 2, 3}
	for _, ev := range []any{nhrp.Received{Payload: payload}, nhrp.Send{Payload: payload}} {
		c := Traced{Ifaces: ifaces, Event: ev}.Clone()
		ifaces[0], payload[0] = "changed", 99
		text := fmt.Sprintf("%+v", c)
		if bytes.Contains([]byte(text), []byte("changed")) || bytes.Contains([]byte(text), []byte("99")) {
			t.Errorf("a copy that shares bytes: %s", text)
		}
		ifaces[0], payload[0] = "Tunnel0", 1
	}
}

// What becomes of a child and its session is told, without keys, and with the tunnel and the peer that conditions want.
func TestDebugOfChildren(t *testing.T) {
	child := testChild(1)
	started := func(ev ike.Event) []ike.Effect {
		switch ev.(type) {
		case ike.Initiate:
			return []ike.Effect{ike.Install{Child: testChild(1)}, ike.Activate{Child: 1}}
		case ike.Clear:
			return []ike.Effect{ike.Remove{Child: 1, Why: ike.WhyCleared}, ike.Failed{Protection: 3, Remote: ikePath.Remote, Why: ike.WhyTimeout}}
		}
		return nil
	}
	for _, c := range []struct {
		name string
		c    trace.Condition
		told bool
	}{
		{"the peer", trace.Condition{NBMA: pfx(nhsNBMA + "/32")}, true}, {"the tunnel", trace.Condition{Iface: "Tunnel0"}, true}, {"the peer's tunnel address", trace.Condition{Tunnel: pfx("10.0.0.1/32")}, true},
		{"the peer's tunnel network", trace.Condition{Tunnel: pfx("10.0.0.0/24")}, true},
		{"another peer", trace.Condition{NBMA: pfx("192.0.2.8/32")}, false}, {"another tunnel address", trace.Condition{Tunnel: pfx("10.0.0.2/32")}, false}, {"a VRF", trace.Condition{VRF: "RED"}, false},
	} {
		r, _ := protectedRig(t, started)
		out := r.listen(trace.Rule{Topics: trace.IPsec | trace.Tunnel | trace.Socket, Conditions: []trace.Condition{c.c}})
		r.At(r.now).Clear(nhrp.Clear{Static: true}) // asks for the peer again
		r.wait(retryWait)
		r.At(r.now).ClearIKE(ike.Clear{})
		kinds := make(map[string]int)
		for _, x := range *out {
			switch e := x.Event.(type) {
			case ChildTrace:
				kinds[fmt.Sprint("child ", e.Kind)]++
				if e.Kind == ChildInstalled && (e.Child.ESP.In != child.ESP.InSPI || e.Child.Path != ikePath) {
					t.Errorf("%s: %+v", c.name, e)
				}
			case dmvpn.Log:
				kinds["session "+e.Kind.String()]++
			default:
				kinds[fmt.Sprintf("%T", e)]++
			}
			if key := child.ESP.In.Cipher; bytes.Contains([]byte(fmt.Sprintf("%v", x.Event)), []byte(fmt.Sprintf("%v", []byte(key)))) {
				t.Errorf("%s: a key is told", c.name)
			}
		}
		if !c.told {
			if len(*out) != 0 {
				t.Errorf("%s: told of %v", c.name, kinds)
			}
			continue
		}
		for _, want := range []string{"child 0", "child 1", "child 2", "child 4", "dmvpn.Secure", "dmvpn.Unsecure", "dmvpn.ToIKE", "session session-up", "session session-down"} {
			if kinds[want] == 0 {
				t.Errorf("%s: not told of %s: %v", c.name, want, kinds)
			}
		}
	}
}

// retryWait is longer than what a session waits for before it begins again.
const retryWait = 10_000_000_000

// What belongs to nobody that is known is told under a condition only if that is said.
func TestDebugUnmatched(t *testing.T) {
	stranger := ike.Path{Local: netip.MustParseAddrPort("192.0.2.200:500"), Remote: netip.MustParseAddrPort("203.0.113.5:500")}
	for _, c := range []struct {
		unmatched bool
		c         trace.Condition
		want      int
	}{
		{false, trace.Condition{Iface: "Tunnel0"}, 0}, {true, trace.Condition{Iface: "Tunnel0"}, 1}, {true, trace.Condition{NBMA: pfx("192.0.2.9/32")}, 0}, {true, trace.Condition{Tunnel: pfx("10.0.0.1/32")}, 1},
	} {
		r, f := protectedRig(t, nil)
		f.answer = func(ike.Event) []ike.Effect {
			return []ike.Effect{ike.Log{Kind: ike.LogRejected, Version: 1, Path: stranger, Why: ike.WhyMalformed}}
		}
		out := r.listen(trace.Rule{Topics: trace.IKEv1Error, Conditions: []trace.Condition{c.c}, Unmatched: c.unmatched})
		b := make([]byte, 28)
		b[17], b[27] = 0x10, 28
		r.At(r.now).IKE(stranger, b)
		if len(*out) != c.want {
			t.Errorf("%+v: told of %d things, want %d", c, len(*out), c.want)
		}
	}
}
