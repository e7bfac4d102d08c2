package golden

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// BGPFiles are the captures of BGP.
var BGPFiles = []string{"bgp_vpn_attrset.pcap", "frr8.4-vpnv4-mgre.pcap"}

// BGPMessage is one BGP message of a capture, with its header.
type BGPMessage struct {
	File     string
	Frame    int // from 1
	From, To netip.Addr
	Bytes    []byte
}

func bgpFile(t testing.TB, name string) *os.File {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	f, err := os.Open(filepath.Join(filepath.Dir(here), "testdata", "bgp", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// BGPMessages reads the messages of a capture in testdata/bgp. In these captures no message is split over segments, and none is sent twice.
func BGPMessages(t testing.TB, file string) (out []BGPMessage) {
	t.Helper()
	next, err := reader(bgpFile(t, file))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for frame := 1; ; frame++ {
		data, _, err := next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%s frame %d: %v", file, frame, err)
		}
		p, ok := transportOf(data)
		if !ok || !p.TCP || p.From.Port() != 179 && p.To.Port() != 179 {
			continue
		}
		for b := p.Payload; len(b) > 0; {
			n := len(b)
			if len(b) >= 19 {
				n = int(binary.BigEndian.Uint16(b[16:]))
			}
			if n < 19 || n > len(b) {
				t.Fatalf("%s frame %d: %d bytes that are no whole message", file, frame, len(b))
			}
			out = append(out, BGPMessage{file, frame, p.From.Addr(), p.To.Addr(), b[:n]})
			b = b[n:]
		}
	}
}

// BGP is BGPMessages without what is around them.
func BGP(t testing.TB, file string) (messages [][]byte) {
	t.Helper()
	for _, m := range BGPMessages(t, file) {
		messages = append(messages, m.Bytes)
	}
	return messages
}

// VPNRoute is a VPNv4 route that an UPDATE of a capture advertises, as tshark reads it.
type VPNRoute struct {
	Frame      int
	To         netip.Addr
	NextHop    netip.Addr
	Label      uint32
	RD         string
	Prefix     netip.Prefix
	Originator netip.Addr // the zero Addr: none
	Target     string
}

// VPNRoutes reads what tshark read of a capture: its .txt.
func VPNRoutes(t testing.TB, file string) (out []VPNRoute) {
	t.Helper()
	for s := bufio.NewScanner(bgpFile(t, strings.TrimSuffix(file, ".pcap")+".txt")); s.Scan(); {
		if strings.HasPrefix(s.Text(), "#") {
			continue
		}
		var r VPNRoute
		var to, hop, prefix, originator string
		if _, err := fmt.Sscan(s.Text(), &r.Frame, &to, &hop, &r.Label, &r.RD, &prefix, &originator, &r.Target); err != nil {
			t.Fatalf("%s: %q: %v", file, s.Text(), err)
		}
		r.To, r.NextHop, r.Prefix = netip.MustParseAddr(to), netip.MustParseAddr(hop), netip.MustParsePrefix(prefix)
		if originator != "-" {
			r.Originator = netip.MustParseAddr(originator)
		}
		out = append(out, r)
	}
	return out
}
