package icmp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"nave/fastpath/packet"
)

var router = netip.MustParseAddr("10.0.0.1")

func datagram(change func(b []byte)) []byte {
	b := make([]byte, 100)
	b[0], b[8], b[9] = 0x45, 1, 17
	binary.BigEndian.PutUint16(b[2:], 100)
	copy(b[12:], []byte{192, 168, 1, 7, 192, 168, 2, 8})
	if change != nil {
		change(b)
	}
	packet.IPv4(b).SetSum()
	return b
}

func TestError(t *testing.T) {
	about := datagram(nil)
	msg, ok := Error(FragmentationNeeded, 1400, router, about)
	if !ok {
		t.Fatal("no error was made")
	}
	ip, fault := packet.ParseIPv4(msg)
	if fault != packet.OK || ip.Proto() != 1 || !bytes.Equal(msg[12:16], []byte{10, 0, 0, 1}) || !bytes.Equal(msg[16:20], []byte{192, 168, 1, 7}) {
		t.Fatalf("header % x, %v", msg[:20], fault)
	}
	m := ip.Payload()
	if m[0] != 3 || m[1] != 4 || binary.BigEndian.Uint16(m[6:]) != 1400 || packet.Checksum(m) != 0 {
		t.Errorf("message % x", m[:8])
	}
	if !bytes.Equal(m[8:], about) {
		t.Error("the packet is not quoted")
	}
	if msg, _ = Error(TTLExceeded, 1400, router, about); msg[20] != 11 || msg[21] != 0 || !bytes.Equal(msg[26:28], []byte{0, 0}) {
		t.Errorf("TTL exceeded: % x", msg[20:28])
	}
	// What the fast path cut short to be quoted still can be.
	if _, ok := Error(TTLExceeded, 0, router, about[:40]); !ok {
		t.Error("a packet cut short is not answered")
	}
	long := datagram(func(b []byte) {})
	long = append(long, make([]byte, 1300)...)
	binary.BigEndian.PutUint16(long[2:], 1400)
	packet.IPv4(long).SetSum()
	if msg, _ = Error(TTLExceeded, 0, router, long); len(msg) != maxMessage {
		t.Errorf("the error has %d bytes, want at most %d", len(msg), maxMessage)
	}
}

func TestNoError(t *testing.T) {
	for name, change := range map[string]func(b []byte){
		"about an ICMP error":      func(b []byte) { b[9], b[20] = 1, 3 },
		"about a later fragment":   func(b []byte) { binary.BigEndian.PutUint16(b[6:], 10) },
		"to a multicast address":   func(b []byte) { b[16] = 239 },
		"to everybody":             func(b []byte) { copy(b[16:], []byte{255, 255, 255, 255}) },
		"to a multicast sender":    func(b []byte) { b[12] = 224 },
		"to nobody":                func(b []byte) { copy(b[12:], []byte{0, 0, 0, 0}) },
		"to a sender on loopback":  func(b []byte) { b[12] = 127 },
		"about no IPv4 packet":     func(b []byte) { b[0] = 0x65 },
		"about a header too short": func(b []byte) { b[0] = 0x44 },
	} {
		if _, ok := Error(TTLExceeded, 0, router, datagram(change)); ok {
			t.Errorf("an error %s", name)
		}
	}
	echo := datagram(func(b []byte) { b[9], b[20] = 1, 8 })
	if _, ok := Error(TTLExceeded, 0, router, echo); !ok {
		t.Error("no error about an echo request: traceroute needs it")
	}
	if _, ok := Error(TTLExceeded, 0, netip.Addr{}, echo); ok {
		t.Error("an error from no address")
	}
}

func FuzzError(f *testing.F) {
	f.Add(datagram(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		for n := range min(len(b), 80) {
			Error(TTLExceeded, 0, router, b[:n])
		}
		if msg, ok := Error(FragmentationNeeded, 1400, router, b); ok {
			if _, fault := packet.ParseIPv4(msg); fault != packet.OK {
				t.Fatal("the error is no packet")
			}
		}
	})
}

// TestLabelled: the label stack is shown behind 128 bytes of the packet (RFC 4950).
func TestLabelled(t *testing.T) {
	stack := []byte{0, 0x06, 0x4a, 1, 0, 0x0c, 0x87, 9}
	for _, about := range [][]byte{datagram(nil), append(datagram(func(b []byte) { b[3] = 200 }), bytes.Repeat([]byte{7}, 100)...)} {
		for _, k := range []Kind{TTLExceeded, FragmentationNeeded} {
			msg, ok := ErrorLabelled(k, 1400, router, about, stack)
			if !ok {
				t.Fatal("no error was made")
			}
			ip, fault := packet.ParseIPv4(msg)
			if fault != packet.OK {
				t.Fatal(fault)
			}
			m := ip.Payload()
			if packet.Checksum(m) != 0 || m[5] != 32 || len(m) != 8+128+4+4+8 || k == FragmentationNeeded && binary.BigEndian.Uint16(m[6:]) != 1400 {
				t.Errorf("message of %d bytes, % x", len(m), m[:8])
			}
			quote := append(append([]byte{}, about...), make([]byte, 128)...)[:128]
			if !bytes.Equal(m[8:136], quote) {
				t.Errorf("quoted % x, want % x", m[8:136], quote)
			}
			ext := m[136:]
			if ext[0] != 0x20 || packet.Checksum(ext) != 0 || !bytes.Equal(ext[4:8], []byte{0, 12, 1, 1}) || !bytes.Equal(ext[8:], stack) {
				t.Errorf("extension % x", ext)
			}
		}
	}
}
