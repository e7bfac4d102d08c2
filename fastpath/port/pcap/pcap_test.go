package pcap

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"nave/fastpath/port"
)

var _ port.Port = (*Port)(nil)

func newPool() *port.Pool { return port.NewPool(make([]byte, 8*2048), 2048) }

// capture is a pcap file with these frames.
func capture(t testing.TB, link layers.LinkType, frames ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	if err := w.WriteFileHeader(snapLen, link); err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(int64(i), 0), CaptureLength: len(f), Length: len(f)}, []byte(f)); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// captureNg is the same as pcapng.
func captureNg(t testing.TB, frames ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := pcapgo.NewNgWriter(&b, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range frames {
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(int64(i), 0), CaptureLength: len(f), Length: len(f)}, []byte(f)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestThrough(t *testing.T) {
	for name, file := range map[string][]byte{
		"pcap": capture(t, layers.LinkTypeEthernet, "one", "two", "three"), "pcapng": captureNg(t, "one", "two", "three"),
	} {
		t.Run(name, func(t *testing.T) {
			pool := newPool()
			var out bytes.Buffer
			p, err := New(pool, bytes.NewReader(file), &out, nil)
			if err != nil {
				t.Fatal(err)
			}
			var fs [2]port.Frame
			var lens []int
			for !p.Done() {
				n := p.Recv(fs[:])
				lens = append(lens, n)
				if p.Send(fs[:n]) != n {
					t.Fatal("not all were written")
				}
				p.Flush()
			}
			if len(lens) != 2 || lens[0] != 2 || lens[1] != 1 || pool.Free() != 8 || p.FD() != -1 {
				t.Errorf("bursts of %v, %d free", lens, pool.Free())
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			ps, err := Read(&out)
			if err != nil || len(ps) != 3 || string(ps[2].Data) != "three" || !ps[0].Time.Equal(time.Unix(0, 0)) {
				t.Errorf("written: %+v, %v", ps, err)
			}
		})
	}
}

func TestStamps(t *testing.T) {
	pool := newPool()
	var out bytes.Buffer
	p, err := New(pool, nil, &out, func() time.Time { return time.Unix(77, 0) })
	if err != nil || !p.Done() {
		t.Fatal(err)
	}
	c, _ := pool.Get()
	p.Send([]port.Frame{{Chunk: c, Len: 20}})
	if ps, err := Read(&out); err != nil || len(ps) != 1 || !ps[0].Time.Equal(time.Unix(77, 0)) {
		t.Errorf("written: %+v, %v", ps, err)
	}
}

// TestNoFrame: a packet waits for a free frame.
func TestNoFrame(t *testing.T) {
	pool := newPool()
	p, err := New(pool, bytes.NewReader(capture(t, layers.LinkTypeEthernet, "one")), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var held []uint32
	for pool.Free() > 0 {
		c, _ := pool.Get()
		held = append(held, c)
	}
	var fs [4]port.Frame
	if n := p.Recv(fs[:]); n != 0 || p.Done() {
		t.Errorf("received %d without a frame", n)
	}
	pool.Put(held[0])
	if n := p.Recv(fs[:]); n != 1 || string(pool.Bytes(fs[0])) != "one" {
		t.Errorf("received %d", n)
	}
	if n := p.Recv(fs[:]); n != 0 || !p.Done() || p.Send(fs[:1]) != 1 {
		t.Errorf("received %d at the end", n)
	}
}

func TestBadFiles(t *testing.T) {
	good := capture(t, layers.LinkTypeEthernet, "one", string(make([]byte, 1793)))
	for name, file := range map[string][]byte{"empty": nil, "text": []byte("no capture at all"), "half a header": good[:10]} {
		if _, err := New(newPool(), bytes.NewReader(file), nil, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := Read(bytes.NewReader(file)); err == nil {
			t.Errorf("read %s: no error", name)
		}
	}
	if _, err := Read(bytes.NewReader(capture(t, layers.LinkTypeRaw))); !errors.Is(err, ErrLinkType) {
		t.Errorf("a raw capture: %v", err)
	}
	var fs [4]port.Frame
	for name, file := range map[string][]byte{"cut": good[:len(good)-5], "a packet too long": good} {
		p, err := New(newPool(), bytes.NewReader(file), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := p.Recv(fs[:]); n != 1 || !p.Done() || p.Err() == nil || p.Close() == nil {
			t.Errorf("%s: %d packets, %v", name, n, p.Err())
		}
	}
}

type full struct{ room int }

func (w *full) Write(b []byte) (int, error) {
	if w.room -= len(b); w.room < 0 {
		return 0, errors.New("disk full")
	}
	return len(b), nil
}

func TestFullDisk(t *testing.T) {
	if _, err := New(newPool(), nil, &full{3}, nil); err == nil {
		t.Error("no room for the header: no error")
	}
	pool := newPool()
	p, err := New(pool, nil, &full{24}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := pool.Get()
	p.Send([]port.Frame{{Chunk: c, Len: 20}})
	if p.Err() == nil || pool.Free() != 8 {
		t.Errorf("error %v, %d free", p.Err(), pool.Free())
	}
}
