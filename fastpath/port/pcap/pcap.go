// Package pcap is a wire made of files: what a port receives is read from a capture, and what it sends is written to one.
//
// pcap and pcapng are read, Ethernet only; pcap is written. So a golden test is a file in, a file out and a comparison.
package pcap

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"nave/fastpath/port"
)

// ErrLinkType means that a capture is not of an Ethernet link.
var ErrLinkType = errors.New("not an Ethernet capture")

// reader is what pcap and pcapng files have in common.
type reader interface {
	ReadPacketData() ([]byte, gopacket.CaptureInfo, error)
	LinkType() layers.LinkType
}

// open tells the two formats apart by their first bytes.
func open(r io.Reader) (reader, error) {
	b := bufio.NewReader(r)
	magic, err := b.Peek(4)
	if err != nil {
		return nil, fmt.Errorf("pcap: read the first bytes: %w", err)
	}
	var in reader
	if bytes.Equal(magic, []byte{0x0a, 0x0d, 0x0d, 0x0a}) {
		in, err = pcapgo.NewNgReader(b, pcapgo.DefaultNgReaderOptions)
	} else {
		in, err = pcapgo.NewReader(b)
	}
	if err != nil {
		return nil, fmt.Errorf("pcap: neither pcap nor pcapng: %w", err)
	}
	if t := in.LinkType(); t != layers.LinkTypeEthernet {
		return nil, fmt.Errorf("pcap: link type %s: %w", t, ErrLinkType)
	}
	return in, nil
}

// Packet is a frame of a capture and when it was seen.
type Packet struct {
	Time time.Time
	Data []byte
}

// Read reads a whole capture.
func Read(r io.Reader) ([]Packet, error) {
	in, err := open(r)
	if err != nil {
		return nil, err
	}
	var ps []Packet
	for {
		data, info, err := in.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return ps, nil
		}
		if err != nil {
			return ps, fmt.Errorf("pcap: packet %d: %w", len(ps)+1, err)
		}
		ps = append(ps, Packet{info.Timestamp, bytes.Clone(data)})
	}
}

// Port is a port.Port whose link is two files.
type Port struct {
	pool *port.Pool
	in   reader
	out  *pcapgo.Writer
	now  func() time.Time
	err  error
	eof  bool
	hold []byte // read, and no free frame for it yet
}

const snapLen = 65535

// New makes a port that receives what in holds and writes what it sends to out. Either may be nil: nothing arrives, or
// what is sent is forgotten. now stamps what is written; nil writes time 0, so that the same run writes the same file.
func New(pool *port.Pool, in io.Reader, out io.Writer, now func() time.Time) (*Port, error) {
	p := &Port{pool: pool, now: now, eof: in == nil}
	if p.now == nil {
		p.now = func() time.Time { return time.Unix(0, 0) }
	}
	var err error
	if in != nil {
		if p.in, err = open(in); err != nil {
			return nil, err
		}
	}
	if out != nil {
		p.out = pcapgo.NewWriter(out)
		if err := p.out.WriteFileHeader(snapLen, layers.LinkTypeEthernet); err != nil {
			return nil, fmt.Errorf("pcap: write the file's header: %w", err)
		}
	}
	return p, nil
}

// Done tells whether all of the capture was received.
func (p *Port) Done() bool { return p.eof && p.hold == nil }

// Err is the first error of reading or writing; an end of file is none.
func (p *Port) Err() error { return p.err }

// Recv implements port.Port. Packets longer than a chunk takes are an error of the capture.
func (p *Port) Recv(fs []port.Frame) int {
	for n := range fs {
		if p.hold == nil && !p.next() {
			return n
		}
		c, ok := p.pool.Get()
		if !ok {
			return n
		}
		fs[n] = port.Frame{Chunk: c, Start: port.Headroom, Len: uint16(len(p.hold))}
		copy(p.pool.Bytes(fs[n]), p.hold)
		p.hold = nil
	}
	return len(fs)
}

// next reads the next packet into hold.
func (p *Port) next() bool {
	if p.eof {
		return false
	}
	data, _, err := p.in.ReadPacketData()
	if err == nil && len(data) > p.pool.ChunkSize()-port.Headroom {
		err = fmt.Errorf("packet of %d bytes does not fit a frame", len(data))
	}
	if err != nil {
		p.eof = true
		if !errors.Is(err, io.EOF) {
			p.fail(fmt.Errorf("pcap: read: %w", err))
		}
		return false
	}
	p.hold = data
	return true
}

// Send implements port.Port.
func (p *Port) Send(fs []port.Frame) int {
	for _, f := range fs {
		b := p.pool.Bytes(f)
		if p.out != nil && p.err == nil {
			info := gopacket.CaptureInfo{Timestamp: p.now(), CaptureLength: len(b), Length: len(b)}
			if err := p.out.WritePacket(info, b); err != nil {
				p.fail(fmt.Errorf("pcap: write: %w", err))
			}
		}
		p.pool.Put(f.Chunk)
	}
	return len(fs)
}

func (p *Port) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

// Flush implements port.Port: a packet is written when it is sent.
func (p *Port) Flush() {}

// FD implements port.Port: a file never waits.
func (p *Port) FD() int { return -1 }

// Close implements port.Port and returns the first error, if there was one. The files are the caller's.
func (p *Port) Close() error { return p.err }
