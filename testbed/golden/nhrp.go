package golden

import (
	"encoding/binary"
	"io"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
)

// NHRPFiles are the captures whose NHRP packets are all well-formed.
var NHRPFiles = []string{
	"nhrp-trace.pcap", "NHRP_registration.pcap", "NHRP-responder-address.pcap", "ios_nhrp.pcap", "nhrp.pcapng",
	"frr8.4-nhrp-plain.pcap", "frr8.4-reg-static-nhs-nounique.pcap",
}

// NHRPMalformed is a capture of what nobody should believe.
const NHRPMalformed = "pb_nhrp_1.pcap"

// NHRPPacket is one NHRP packet of a capture.
type NHRPPacket struct {
	File     string
	Frame    int // from 1
	Time     time.Time
	From, To netip.Addr // outer addresses
	Payload  []byte     // what follows GRE
}

// NHRP reads the NHRP packets of a capture in testdata/nhrp.
func NHRP(t testing.TB, file string) []NHRPPacket {
	t.Helper()
	var out []NHRPPacket
	frames(t, "nhrp", file, func(frame int, at time.Time, data []byte) {
		if p, ok := nhrpOf(data); ok {
			p.File, p.Frame, p.Time = file, frame, at
			out = append(out, p)
		}
	})
	return out
}

// reader reads pcap and pcapng.
func reader(f *os.File) (func() ([]byte, time.Time, error), error) {
	if r, err := pcapgo.NewReader(f); err == nil {
		return func() ([]byte, time.Time, error) {
			d, ci, err := r.ReadPacketData()
			return d, ci.Timestamp, err
		}, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	r, err := pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		return nil, err
	}
	return func() ([]byte, time.Time, error) {
		d, ci, err := r.ReadPacketData()
		return d, ci.Timestamp, err
	}, nil
}

// nhrpOf takes Ethernet, a VLAN tag, IPv4 and GRE off a frame.
func nhrpOf(b []byte) (p NHRPPacket, ok bool) {
	if len(b) < 18+20 {
		return p, false
	}
	b = b[12:]
	if binary.BigEndian.Uint16(b) == 0x8100 { // VLAN tag
		b = b[4:]
	}
	if binary.BigEndian.Uint16(b) != 0x0800 {
		return p, false
	}
	b = b[2:]
	hl := int(b[0]&15) * 4
	if total := int(binary.BigEndian.Uint16(b[2:])); total <= len(b) {
		b = b[:total]
	}
	proto := b[9]
	if hl < 20 || len(b) < hl+4 {
		return p, false
	}
	p.From, p.To = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	b = b[hl:]
	if proto == 54 { // NHRP without GRE
		p.Payload = b
		return p, true
	}
	if proto != 47 {
		return p, false
	}
	if binary.BigEndian.Uint16(b[2:]) != 0x2001 {
		return p, false
	}
	n := 4
	for _, flag := range []byte{0x80, 0x20, 0x10} { // checksum, key, sequence
		if b[0]&flag != 0 {
			n += 4
		}
	}
	if len(b) < n {
		return p, false
	}
	p.Payload = b[n:]
	return p, true
}
