package nhrp

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/nbma"
	"nave/slowpath/nhrp/nhrpmsg"
	"nave/slowpath/trace"
	"nave/testbed/golden"
)

// script turns bytes into events, few addresses among them so that they meet.
type script struct{ b []byte }

func (s *script) byte() byte {
	if len(s.b) == 0 {
		return 0
	}
	c := s.b[0]
	s.b = s.b[1:]
	return c
}

func (s *script) proto() netip.Addr {
	c := s.byte()
	if c&0x80 != 0 {
		return netip.AddrFrom4([4]byte{10, c & 15, 0, 5})
	}
	return netip.AddrFrom4([4]byte{10, 0, 0, c & 31})
}

func (s *script) nbma() netip.Addr {
	return netip.AddrFrom4([4]byte{192, 0, 2, s.byte() & 31})
}

// peer is somebody at one of the addresses, behind NAT or not.
func (s *script) peer() nbma.Address {
	at := nbma.Of(s.nbma())
	if b := s.byte(); b&3 == 0 {
		at = nbma.Behind(at.Addr, netip.AddrFrom4([4]byte{10, 0, 0, b >> 2 & 7}))
	}
	return at
}

func (s *script) bytes() []byte {
	n := min(int(s.byte()), len(s.b))
	out := s.b[:n]
	s.b = s.b[n:]
	return out
}

// message makes a packet that is well-formed, with anything in it.
func (s *script) message() []byte {
	m := nhrpmsg.Message{
		Family: nhrpmsg.FamilyIPv4, Protocol: nhrpmsg.ProtocolIPv4, HopCount: s.byte(), Type: nhrpmsg.Type(s.byte() % 10),
		Flags: binary.BigEndian.Uint16([]byte{s.byte(), s.byte()}), RequestID: uint32(epoch.Unix()) + uint32(s.byte()%16),
		Code: uint16(s.byte() % 16), SrcNBMA: s.nbma(), SrcProto: s.proto(), DstProto: s.proto(),
	}
	for range s.byte() % 4 {
		c := nhrpmsg.CIE{Code: nhrpmsg.Code(s.byte() % 16), PrefixLen: s.byte(), HoldTime: uint16(s.byte()) * 16, Preference: s.byte()}
		if s.byte()&1 != 0 {
			c.NBMA, c.Proto = s.nbma(), s.proto()
		}
		m.CIEs = append(m.CIEs, c)
	}
	m.Packet = s.bytes()
	m.Exts = requestExts(nhrpmsg.Extension{Type: nhrpmsg.ExtNAT})
	switch s.byte() % 6 {
	case 0:
		m.Exts = nil
	case 1:
		m.Exts[s.byte()%3].Value = s.bytes()
	case 2:
		m.Exts[s.byte()%4].AddEntry(nhrpmsg.CIE{NBMA: s.nbma(), Proto: s.proto()})
	case 4:
		m.SetOpening(&nhrpmsg.Opening{Kind: nhrpmsg.OpeningKind(s.byte() % 5), Endpoint: netip.AddrPortFrom(s.nbma(), uint16(s.byte())*256)})
	case 3:
		m.Exts = append([]nhrpmsg.Extension{{Compulsory: s.byte()&1 != 0, Type: nhrpmsg.ExtType(s.byte()), Value: s.bytes()}}, m.Exts...)
	}
	b, _ := m.Append(nil)
	return b
}

func (s *script) event() Event {
	ifc := [...]string{"Tunnel0", "Tunnel1", "Tunnel7"}[s.byte()%3]
	switch s.byte() % 13 {
	case 0:
		return Unresolved{Iface: ifc, Dst: s.proto(), NextHop: s.proto()}
	case 1:
		return RedirectWanted{Iface: ifc, From: s.peer(), Packet: data(s.proto().String(), s.proto().String())}
	case 2:
		return Used{ifc, s.peer()}
	case 3:
		b := s.byte()
		return PeerState{Iface: ifc, NBMA: s.peer(), Up: b&1 != 0, IPsec: b&2 != 0}
	case 4:
		return RoutesChanged{}
	case 5:
		c := Clear{Static: s.byte()&1 != 0}
		if s.byte()&1 != 0 {
			c.NBMA = s.nbma()
		}
		if s.byte()&3 == 3 {
			c.Tunnel, c.Inside = s.proto(), s.nbma()
		}
		if s.byte()&1 != 0 {
			c.Protocol, _ = s.proto().Prefix(int(s.byte() % 33))
		}
		return c
	case 6:
		return ClearStatistics{Which{Iface: ifc, NBMA: s.nbma()}}
	case 7:
		return Received{Iface: ifc, From: s.peer(), Payload: s.bytes()}
	case 8:
		return Tick{}
	case 9:
		return Unopened{ifc, s.peer()}
	case 10:
		return PeerMoved{ifc, s.peer(), s.peer()}
	case 12:
		p, _ := s.proto().Prefix(int(s.byte() % 33))
		return Inherited{Iface: ifc, Prefix: p, NextHop: s.proto(), NBMA: s.peer(), Registered: s.byte()&1 != 0}
	}
	return Received{Iface: ifc, From: s.peer(), Payload: s.message()}
}

// checkMachine are the invariants of a machine, whatever happened to it.
func checkMachine(t *testing.T, b *box, limit int) {
	t.Helper()
	m := b.m
	dynamic, answers, bound := 0, 0, 0
	for _, ifc := range m.order {
		refs := map[*peer]int{}
		for _, e := range ifc.cache {
			if !e.kind.configured() {
				dynamic++
			}
			if e.peer != nil {
				refs[e.peer]++
				if ifc.peers[e.peer.at] != e.peer {
					t.Fatalf("%v is at a peer that is not there", e.prefix)
				}
			}
			if e.bound.Prefix.IsValid() {
				bound++
				if b.binds[key{ifc.cfg.Name, e.prefix}] != e.bound {
					t.Fatalf("%v: bound as %+v, said %+v", e.prefix, e.bound, b.binds[key{ifc.cfg.Name, e.prefix}])
				}
			}
			if !e.kind.configured() && e.kind != kIncomplete && e.timer.index == 0 {
				t.Fatalf("%v of kind %d never ends", e.prefix, e.kind)
			}
		}
		for _, n := range ifc.nhs {
			if n.peer != nil {
				refs[n.peer]++
			}
		}
		for _, p := range ifc.static {
			refs[p]++
		}
		for _, p := range ifc.peers {
			if p.refs != refs[p] || p.refs == 0 {
				t.Fatalf("peer %v has %d users, counts %d", p.at, refs[p], p.refs)
			}
			if got := b.mcast[p.at]; len(m.order) == 1 && got != (p.mcast > 0 && p.ready) {
				t.Fatalf("multicast to %v is %v, wanted for %d reasons", p.at, got, p.mcast)
			}
		}
		for _, q := range ifc.pending {
			if q.timer.index == 0 || ifc.cache[q.entry.prefix] != q.entry {
				t.Fatalf("request for %v hangs", q.dst)
			}
		}
		answers += len(ifc.answered)
	}
	if dynamic != m.dynamic || dynamic > limit || answers != m.answers || answers > limit || bound != len(b.binds) {
		t.Fatalf("%d entries counted as %d, %d answers as %d, %d bound, %d said", dynamic, m.dynamic, answers, m.answers, bound, len(b.binds))
	}
	if at := m.Deadline(); !at.IsZero() && at.Before(b.net.now.Add(-time.Hour*24)) {
		t.Fatalf("deadline long past: %v", at)
	}
}

func FuzzHandle(f *testing.F) {
	for _, file := range golden.NHRPFiles[:5] {
		for _, p := range golden.NHRP(f, file) {
			f.Add(append([]byte{0, 0, 7, 11, byte(len(p.Payload))}, p.Payload...))
		}
	}
	f.Add([]byte("\x00\x00\x00\x0c\x0c\x00\x02\x08\x00\x08\x09\x05registration and so on, with many letters to make events of"))
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 12
		s := &script{b}
		kindOf := s.byte()
		n := newNet(t)
		n.quiet = true
		cfg := spokeConfig(11, func(i *Interface) {
			i.Redirect, i.MulticastDynamic = true, kindOf&1 != 0
			i.Protected, i.AnswerFromCache = kindOf&2 != 0, kindOf&4 != 0
			i.MaxSend = MaxSend{20, time.Second}
			if kindOf&8 != 0 {
				i.IdleTimeout = 20 * time.Second
			}
			if kindOf&16 != 0 {
				i.NHS = append(i.NHS, NHS{Protocol: ip("10.0.0.2"), NBMA: ip("192.0.2.2"), Priority: 3})
				i.Clusters = []Cluster{{0, 1}}
			}
		})
		cfg.MaxEntries = limit
		if kindOf&32 != 0 {
			second := tunnel(12)
			second.Name, second.Maps = "Tunnel1", []Map{{pfx("10.0.0.3/32"), ip("192.0.2.3")}}
			cfg.Interfaces = append(cfg.Interfaces, second)
		}
		x := n.add("x", cfg, map[string]Route{"10.5.0.0/16": {Iface: "Ethernet1"}, "10.0.0.0/8": {Iface: "Tunnel0", NextHop: ip("10.0.0.1")}})
		x.hold = kindOf&64 != 0
		x.m.Trace(trace.NHRP)
		for len(s.b) > 0 {
			n.advance(n.now.Add(time.Duration(s.byte()) * 50 * time.Millisecond))
			switch c := s.byte(); {
			case c == 255:
				cfg.Interfaces = cfg.Interfaces[:1]
				cfg.Interfaces[0].NBMA = s.nbma()
				x.configure(cfg)
			default:
				ev := s.event()
				before := x.sent
				x.event(ev)
				if _, ok := ev.(Received); ok && x.sent > before+limit+2 {
					t.Fatalf("%d packets out for one in", x.sent-before)
				}
			}
			n.wire = nil
			checkMachine(t, x, limit)
			x.m.Status(n.now)
		}
		// Left alone, it comes to rest: dynamic state ends, and nothing is left when the interfaces go.
		for range 5 { // no hold time above is longer than 68 minutes
			n.run(20 * time.Minute)
			n.wire = nil
		}
		x.configure(Config{})
		if len(x.binds) != 0 || len(x.mcast) != 0 || len(x.wanted) != 0 || x.m.dynamic != 0 || x.m.answers != 0 || len(x.m.timers) != 0 {
			t.Fatalf("left behind: %v %v %v, %d entries, %d answers, %d timers", x.binds, x.mcast, x.wanted, x.m.dynamic, x.m.answers, len(x.m.timers))
		}
	})
}
