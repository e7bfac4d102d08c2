package fastpath

import (
	"bytes"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
	"nave/fastpath/port"
	"nave/fastpath/port/pcap"
)

// TestFiles forwards a capture into captures: what a golden test does.
func TestFiles(t *testing.T) {
	r := newRig(t)
	r.w.Detach(wan)
	r.w.Detach(lan)
	// The capture to start from is written by a port, too.
	var in bytes.Buffer
	p := openFile(t, r.w.pool, nil, &in)
	for _, b := range [][]byte{
		fromSpoke1(ipv4(behind1, hostIP, pattern(60))), fromSpoke1(ipv4(behind1, behind2, pattern(70))),
		toWAN(grePacket(spoke1NBMA, packet.TypeNHRP, pattern(80))),
	} {
		f, _ := r.w.newFrame(len(b))
		copy(r.w.pool.Bytes(f), b)
		p.Send([]port.Frame{f})
	}
	var outWAN, outLAN bytes.Buffer
	ports := map[fib.PortID]*pcap.Port{wan: openFile(t, r.w.pool, &in, &outWAN), lan: openFile(t, r.w.pool, nil, &outLAN)}
	for id, p := range ports {
		if err := r.w.Attach(id, p); err != nil {
			t.Fatal(err)
		}
	}
	for !ports[wan].Done() {
		r.poll()
	}
	fromWAN, err := pcap.Read(&outWAN)
	if err != nil || len(fromWAN) != 1 {
		t.Fatalf("%d packets out of the WAN port, %v", len(fromWAN), err)
	}
	if _, _, inner := r.ungre(fromWAN[0].Data); !bytes.Equal(inner, ipv4(behind1, behind2, pattern(70), ttl(63))) {
		t.Errorf("out of the WAN port: %x", inner)
	}
	fromLAN, err := pcap.Read(&outLAN)
	if err != nil || len(fromLAN) != 1 || !bytes.Equal(fromLAN[0].Data, ethernet(hostMAC, lanMAC, ipv4(behind1, hostIP, pattern(60), ttl(63)))) {
		t.Errorf("out of the LAN port: %+v, %v", fromLAN, err)
	}
	if len(r.punts) != 2 || r.punts[0].Reason != Redirect || r.punts[1].Reason != NHRP {
		t.Errorf("punts %+v", r.punts)
	}
}

func openFile(t *testing.T, pool *port.Pool, in, out *bytes.Buffer) *pcap.Port {
	t.Helper()
	var p *pcap.Port
	var err error
	if in == nil {
		p, err = pcap.New(pool, nil, out, nil)
	} else {
		p, err = pcap.New(pool, in, out, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}
