package interop

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/nhrp/nhrpmsg"
)

// hubNBMA is where the hub of every scenario is.
const hubNBMA = "192.0.2.1"

// Stranger is a node made of raw packets: what it says, a test makes up.
type Stranger struct {
	s    *Scenario
	t    *testing.T
	NBMA string
	Key  uint32 // of its tunnel
	conn net.PacketConn
}

// Stranger opens an address of the host "stranger" (192.0.2.66 or .67) for GRE.
func (s *Scenario) Stranger(t *testing.T, nbma string, key uint32) *Stranger {
	t.Helper()
	x := &Stranger{s: s, t: t, NBMA: nbma, Key: key}
	err := s.NS("stranger").Do(func() (err error) {
		x.conn, err = net.ListenPacket("ip4:47", nbma)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.conn.Close() })
	return x
}

// Raw sends a payload to the hub as NHRP in GRE.
func (x *Stranger) Raw(payload []byte) {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 8+len(payload)), 0x2000) // with a key
	b = binary.BigEndian.AppendUint16(b, greNHRP)
	b = binary.BigEndian.AppendUint32(b, x.Key)
	if _, err := x.conn.WriteTo(append(b, payload...), &net.IPAddr{IP: net.ParseIP(hubNBMA)}); err != nil {
		x.t.Errorf("send: %v", err)
	}
}

// Flood sends n payloads to the hub as NHRP in GRE, as fast as what records the wire reads them; nil is left out.
func (x *Stranger) Flood(n int, payload func(int) []byte) {
	looked, sent, seen := len(x.s.Wire.snapshot()), 0, 0
	from := netip.MustParseAddr(x.NBMA)
	for i := range n {
		if b := payload(i); b != nil {
			x.Raw(b)
			sent++
		}
		if i%25 != 24 {
			continue
		}
		for end := time.Now().Add(2 * time.Second); seen < sent && time.Now().Before(end); time.Sleep(time.Millisecond) {
			for _, f := range x.s.Wire.snapshot()[looked:] {
				looked++
				if p, ok := outer(f.data); ok && p.From == from && p.Proto == protoGRE {
					seen++
				}
			}
		}
	}
}

// Send sends a message to the hub.
func (x *Stranger) Send(m *nhrpmsg.Message) {
	x.t.Helper()
	x.Raw(x.encode(m))
}

func (x *Stranger) encode(m *nhrpmsg.Message) []byte {
	x.t.Helper()
	b, err := m.Append(nil)
	if err != nil {
		x.t.Fatal(err)
	}
	return b
}

// Ask sends a message and waits for an answer of a type with the same request id; an Error Indication has none. As a node does, it asks again when nothing comes: a hub that is
// busy with what was sent before may have had no room for it.
func (x *Stranger) Ask(m *nhrpmsg.Message, answer nhrpmsg.Type) nhrpmsg.Message {
	x.t.Helper()
	start := time.Now()
	var asked time.Time
	var found []Packet
	Soon(x.t, func() error {
		if time.Since(asked) > askAgain {
			x.Send(m)
			asked = time.Now()
		}
		found = x.s.Wire.Packets(Since(start), OfType(answer), Between(hubNBMA, x.NBMA), func(p *Packet) bool {
			return answer == nhrpmsg.ErrorIndication || p.NHRP.RequestID == m.RequestID
		})
		if len(found) == 0 {
			return fmt.Errorf("no %s to the %s of %s was seen", answer, m.Type, x.NBMA)
		}
		return nil
	})
	return found[0].NHRP
}

// askAgain is when a question is sent again.
const askAgain = 10 * time.Second

// Silence sends what send does and checks that the hub says nothing to this address for a while.
func (x *Stranger) Silence(what string, send func()) {
	x.t.Helper()
	start := time.Now()
	send()
	time.Sleep(700 * time.Millisecond)
	if got := x.s.Wire.Packets(Since(start), AnyNHRP, Between(hubNBMA, x.NBMA)); len(got) > 0 {
		x.t.Errorf("%s was answered with %d packets, first a %s", what, len(got), got[0].NHRP.Type)
	}
}

// Answer answers each packet that comes, in the background, until the test ends.
func (x *Stranger) Answer(f func(*Packet) *nhrpmsg.Message) {
	go func() {
		b := make([]byte, 65536)
		for {
			n, _, err := x.conn.ReadFrom(b)
			if err != nil {
				return // closed
			}
			var p Packet
			if !p.readGRE(b[:n]) {
				continue
			}
			if m := f(&p); m != nil {
				if out, err := m.Append(nil); err == nil {
					x.Raw(out)
				}
			}
		}
	}()
}

// message is the frame of a message of this node's: to the hub, from a tunnel address, with the usual extensions.
func (x *Stranger) message(typ nhrpmsg.Type, id uint32, proto, dst string) *nhrpmsg.Message {
	return &nhrpmsg.Message{
		Family: nhrpmsg.FamilyIPv4, Protocol: nhrpmsg.ProtocolIPv4, HopCount: 255, Type: typ, RequestID: id,
		SrcNBMA: netip.MustParseAddr(x.NBMA), SrcProto: netip.MustParseAddr(proto), DstProto: netip.MustParseAddr(dst),
		Exts: []nhrpmsg.Extension{
			nhrpmsg.Empty(nhrpmsg.ExtResponder), nhrpmsg.Empty(nhrpmsg.ExtForwardTransit), nhrpmsg.Empty(nhrpmsg.ExtReverseTransit), nhrpmsg.End(),
		},
	}
}

// Registration registers a tunnel address with the hub, unique, for 120 s.
func (x *Stranger) Registration(id uint32, proto, hub string) *nhrpmsg.Message {
	m := x.message(nhrpmsg.RegistrationRequest, id, proto, hub)
	m.Flags = nhrpmsg.RegUnique
	m.CIEs = []nhrpmsg.CIE{{PrefixLen: 255, MTU: 1400, HoldTime: 120}}
	return m
}

// Resolution asks the hub for an address.
func (x *Stranger) Resolution(id uint32, proto, dst string) *nhrpmsg.Message {
	m := x.message(nhrpmsg.ResolutionRequest, id, proto, dst)
	m.Flags = nhrpmsg.ResRouter | nhrpmsg.ResAuthoritative | nhrpmsg.ResSourceStable
	m.CIEs = []nhrpmsg.CIE{{PrefixLen: 255, MTU: 1400, HoldTime: 120}}
	return m
}

// Purge asks the hub to forget an address.
func (x *Stranger) Purge(id uint32, proto, hub, what string) *nhrpmsg.Message {
	m := x.message(nhrpmsg.PurgeRequest, id, proto, hub)
	m.CIEs = []nhrpmsg.CIE{{PrefixLen: 32, Proto: netip.MustParseAddr(what)}}
	return m
}

// with puts an extension before the others.
func with(m *nhrpmsg.Message, e nhrpmsg.Extension) *nhrpmsg.Message {
	m.Exts = append([]nhrpmsg.Extension{e}, m.Exts...)
	return m
}
