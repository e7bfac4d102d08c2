package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/testbed/need"
)

var begin = time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)

var names = Names{
	Ports: map[fib.PortID]string{1: "Ethernet0", 7: "Ethernet0.10"}, Tunnels: map[fib.TunnelID]string{3: "Tunnel0"}, VRFs: map[fib.VRF]string{5: "RED"},
	Subs: map[Tag]string{{1, 10}: "Ethernet0.10"},
}

func frame(types []byte, b []byte) []byte {
	return append(append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, types...), b...)
}

// copiesOfAll is a copy of each kind.
func copiesOfAll() []fastpath.Captured {
	ip := ipv4("10.1.0.5", "10.0.0.9", packet.ProtoUDP, 40000, 53)
	esp := ipv4("192.0.2.11", "192.0.2.1", packet.ProtoESP, 0xabcd, 1)
	binary.BigEndian.PutUint32(esp[24:], 77)
	eth := frame([]byte{8, 0}, ip)
	spoke := netip.MustParseAddr("192.0.2.11")
	return []fastpath.Captured{
		{Point: fastpath.CaptureRx, Port: 1, Len: len(esp) + 14, Data: frame([]byte{8, 0}, esp)},
		{Point: fastpath.CaptureTunnelIn, Port: 1, Tunnel: 3, VRF: 5, Proto: packet.TypeIPv4, Peer: spoke, Len: len(ip), Data: ip, Worker: 2},
		{Point: fastpath.CaptureTunnelOut, Tunnel: 3, Proto: packet.TypeMPLS, Peer: spoke, Len: len(ip) + 4, Data: append([]byte{0, 1, 0x91, 9}, ip...)},
		{Point: fastpath.CaptureTunnelIn, Tunnel: 3, Proto: packet.TypeNHRP, Peer: spoke, Len: 4, Data: []byte{1, 2, 3, 4}},
		{Point: fastpath.CaptureTx, Port: 1, Len: len(ip) + 18, Data: frame([]byte{0x81, 0, 0, 10, 8, 0}, ip)},
		{Point: fastpath.CaptureDrop, Port: 1, Reason: fastpath.NoRoute, Len: 900, Data: eth},
		{Point: fastpath.CaptureDrop, Port: 1, Reason: fastpath.TxFull, Len: len(eth), Data: eth},
		{Point: fastpath.CaptureDrop, Tunnel: 3, Proto: packet.TypeIPv4, Reason: fastpath.CopyLost, Cause: fastpath.NoSA, Len: len(ip), Data: ip},
		{Point: fastpath.CaptureDrop, Tunnel: 3, Proto: packet.TypeNHRP, Reason: fastpath.NHRP, Lost: true, Len: 4, Data: []byte{1, 2, 3, 4}},
		{Point: fastpath.CapturePunt, Port: 1, Reason: fastpath.Local, Opened: true, Len: len(eth), Data: eth},
		{Point: fastpath.CaptureDrop, Proto: packet.TypeIPv4, Reason: fastpath.NullRoute, Len: len(ip), Data: ip},
		{Point: fastpath.CaptureRx, Port: 99, Len: 3, Data: []byte{1, 2, 3}},
	}
}

func session(t *testing.T, r Request, list []fastpath.Captured, lost uint64) ([]Packet, []byte, Summary) {
	t.Helper()
	if err := r.Complete(); err != nil {
		t.Fatal(err)
	}
	s := NewSession(r, names, begin, "1.2")
	for i := range list {
		if _, err := s.Add(&list[i], begin.Add(time.Duration(i)*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	packets, file, err := s.Take()
	if err != nil {
		t.Fatal(err)
	}
	sum, err := s.End(begin.Add(time.Second), lost)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, err := s.Take()
	if err != nil {
		t.Fatal(err)
	}
	return packets, append(file, rest...), sum
}

func TestPackets(t *testing.T) {
	packets, file, sum := session(t, Request{Interface: Any, What: All}, copiesOfAll(), 3)
	if len(file) != 0 || sum.Packets != 12 || sum.Lost != 3 || sum.Took != time.Second || sum.Why != WhyStopped {
		t.Errorf("%+v, %d bytes of a file", sum, len(file))
	}
	var got []string
	for _, p := range packets {
		got = append(got, strings.Join(append([]string{p.Interface, p.Point}, p.Comments()...), "|"))
	}
	want := []string{
		"Ethernet0|received",
		"Tunnel0|decapsulated|from 192.0.2.11|vrf RED",
		"Tunnel0|encapsulated|to 192.0.2.11",
		"Tunnel0|decapsulated|from 192.0.2.11",
		"Ethernet0.10|sent",
		"Ethernet0|dropped|drop: no-route: no route to the destination",
		"Ethernet0|dropped|drop: tx-full: the port took no more frames",
		"Tunnel0|dropped|drop: copy-lost: one copy of a multicast packet could not be sent (no-sa)",
		"Tunnel0|dropped|drop: nhrp: an NHRP message; lost on its way to the control plane",
		"Ethernet0|punted|punt: local: for an address of this box|what follows its ESP header is decrypted",
		"injected|dropped|drop: null-route: the route leads to Null0",
		"a port|received",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if p := packets[0]; p.SPI != 0xabcd0001 || p.Sequence != 77 || p.Out || p.Src != netip.MustParseAddr("192.0.2.11") {
		t.Errorf("%+v", p)
	}
	if p := packets[2]; !p.Out || len(p.Labels) != 1 || p.Labels[0] != 0x19 || p.DstPort != 53 {
		t.Errorf("%+v", p)
	}
	if p := packets[5]; p.Length != 900 || p.Captured != 42 || p.Out {
		t.Errorf("%+v", p)
	}
	if !packets[6].Out || packets[4].VLAN != 10 || packets[3].Type != packet.TypeNHRP {
		t.Errorf("%+v", packets[3:7])
	}
}

// TestFile: a reader of pcapng finds the interfaces, the packets with their times and comments, and the counts.
func TestFile(t *testing.T) {
	list := copiesOfAll()
	packets, file, _ := session(t, Request{Interface: Any, What: All, File: true, Filter: "ip"}, list, 5)
	if len(packets) != 0 {
		t.Error("packets come as values, too")
	}
	r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range list {
		data, info, o, err := r.ReadPacketDataWithOptions()
		if err != nil {
			t.Fatalf("packet %d: %v", i, err)
		}
		f, err := r.Interface(info.InterfaceIndex)
		if err != nil {
			t.Fatal(err)
		}
		want := c.Data
		if c.Proto != 0 {
			if f.LinkType != layers.LinkTypeLinuxSLL || binary.BigEndian.Uint16(data[14:]) != c.Proto || binary.BigEndian.Uint16(data[2:]) != arphrdGRE {
				t.Errorf("packet %d: link type %v, header %x", i, f.LinkType, data[:sllLen])
			}
			data = data[sllLen:]
		} else if f.LinkType != layers.LinkTypeEthernet {
			t.Errorf("packet %d: link type %v", i, f.LinkType)
		}
		p := Describe(&list[i])
		if !bytes.Equal(data, want) || !info.Timestamp.Equal(begin.Add(time.Duration(i)*time.Millisecond)) || len(o.Comments) == 0 && p.Reason != "" {
			t.Errorf("packet %d: %x at %v, comments %q", i, data, info.Timestamp, o.Comments)
		}
		if o.Queue == nil || *o.Queue != uint32(c.Worker) || o.Flags == nil || (o.Flags.Direction == pcapgo.NgEpbFlagDirectionOutbound) != p.Out {
			t.Errorf("packet %d: queue %v, flags %+v", i, o.Queue, o.Flags)
		}
	}
	if _, _, err := r.ReadPacketData(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	first, err := r.Interface(0)
	if err != nil || first.Name != "Ethernet0" || first.Filter != "ip" || first.Statistics.PacketsReceived != 4 || first.Statistics.PacketsDropped != 5 {
		t.Errorf("%+v, %v", first, err)
	}
}

// TestTshark: Wireshark's tshark reads the file: names, comments, and the protocols in tunnels.
func TestTshark(t *testing.T) {
	need.Command(t, "tshark")
	_, file, _ := session(t, Request{Interface: Any, What: All, File: true}, copiesOfAll(), 0)
	name := filepath.Join(t.TempDir(), "a.pcapng")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("tshark", "-r", name, "-T", "fields", "-E", "separator=|", "-e", "frame.interface_name", "-e", "frame.protocols", "-e", "frame.comment").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 12 {
		t.Fatalf("%d lines:\n%s", len(lines), out)
	}
	for i, want := range []struct{ iface, protocols, comment string }{
		{"Ethernet0", "eth:ethertype:ip:esp", ""}, {"Tunnel0", "sll:ip:udp", "from 192.0.2.11"}, {"Tunnel0", "sll:mpls:ip:udp", "to 192.0.2.11"}, {"Tunnel0", "sll:nhrp", "from 192.0.2.11"},
		{"Ethernet0.10", "eth:ethertype:vlan:ethertype:ip:udp", ""}, {"Ethernet0", "eth:ethertype:ip:udp", "drop: no-route: no route to the destination"},
	} {
		f := strings.SplitN(lines[i], "|", 3)
		if f[0] != want.iface || !strings.HasPrefix(f[1], want.protocols) || !strings.Contains(f[2], want.comment) {
			t.Errorf("packet %d: %q, want %+v", i, lines[i], want)
		}
	}
}

// TestBounds: packets, bytes, time; and a capture of nothing is a file, too.
func TestBounds(t *testing.T) {
	list := copiesOfAll()
	if _, _, sum := session(t, Request{Interface: Any, Count: 5}, list, 0); sum.Packets != 5 || sum.Why != WhyCount {
		t.Errorf("%+v", sum)
	}
	if _, _, sum := session(t, Request{Interface: Any, Bytes: 60}, list, 0); sum.Packets != 2 || sum.Why != WhyBytes {
		t.Errorf("%+v", sum)
	}
	r := Request{Interface: "Ethernet0", Duration: time.Second}
	if err := r.Complete(); err != nil {
		t.Fatal(err)
	}
	s := NewSession(r, names, begin, "")
	if s.Over(begin.Add(time.Second-1)) || !s.Over(begin.Add(time.Second)) {
		t.Error("the time is not kept")
	}
	if more, err := s.Add(&list[0], begin); more || err != nil {
		t.Error("a capture that is over takes more")
	}
	_, file, sum := session(t, Request{Interface: "Ethernet0", File: true}, nil, 0)
	n, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.DefaultNgReaderOptions)
	if err != nil || sum.Packets != 0 {
		t.Fatal(err)
	}
	if i, err := n.Interface(0); err != nil || i.Name != "Ethernet0" {
		t.Errorf("%+v, %v", i, err)
	}
}

func TestRequest(t *testing.T) {
	for want, r := range map[string]Request{
		"which interface":  {},
		"not in, out":      {Interface: Any, What: "sideways"},
		"count -1":         {Interface: Any, Count: -1},
		"duration":         {Interface: Any, Duration: 25 * time.Hour},
		"-1 bytes":         {Interface: Any, Bytes: -1},
		"snaplen 13":       {Interface: Any, Snaplen: 13},
		`for "rain"`:       {Interface: Any, What: Drops, Reason: "rain"},
		"a reason (local)": {Interface: Any, What: In, Reason: "local"},
		"a reason (sa-hea": {Interface: Any, What: Punts, Reason: "sa-heard"},
		`"foo" is no test`: {Interface: Any, Filter: "foo"},
	} {
		if err := r.Complete(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", r, err, want)
		}
	}
	r := Request{Interface: "Tunnel0", What: Drops, Reason: "no-route", Filter: "udp", Snaplen: 100}
	if err := r.Complete(); err != nil {
		t.Fatal(err)
	}
	if got, want := r.String(), "capture interface Tunnel0 drops no-route count 10000 duration 60 snaplen 100 udp"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	q, err := r.Worker()
	if err != nil || q.Points != fastpath.CaptureDrop || q.Reason != fastpath.NoRoute || len(q.Filter) != 1 || q.Snaplen != 100 || q.Most != 10000 {
		t.Errorf("%+v, %v", q, err)
	}
}

// FuzzDescribe: whatever bytes a copy has, it can be described and written.
func FuzzDescribe(f *testing.F) {
	for _, c := range copiesOfAll() {
		f.Add(c.Data, c.Proto, uint8(c.Point))
	}
	f.Fuzz(func(t *testing.T, b []byte, proto uint16, point uint8) {
		r := Request{Interface: Any, What: All, File: true}
		if err := r.Complete(); err != nil {
			t.Fatal(err)
		}
		s := NewSession(r, names, begin, "")
		c := fastpath.Captured{Point: fastpath.CapturePoint(point), Proto: proto, Data: b, Len: len(b)}
		if _, err := s.Add(&c, begin); err != nil {
			t.Fatal(err)
		}
		for n := range min(len(b), 80) {
			c.Data = b[:n]
			Describe(&c)
		}
	})
}
