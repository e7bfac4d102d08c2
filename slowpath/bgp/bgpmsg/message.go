// Package bgpmsg reads BGP messages off a stream (RFC 4271 section 4) and rewrites UPDATEs on their way out: next hops, VPN
// labels, communities. It is what a router has to change for one neighbour when it reflects routes of others and sets itself as
// the next hop: the label goes with the next hop, so it has to be one of its own (RFC 4364 section 4.3.2, RFC 8277 section 3.2.2).
//
// It knows no session, table or clock.
package bgpmsg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Message types (RFC 4271 section 4.1, RFC 2918).
const (
	Open         uint8 = 1
	Update       uint8 = 2
	Notification uint8 = 3
	Keepalive    uint8 = 4
	RouteRefresh uint8 = 5
)

// HeaderLen is the length of marker, length and type.
const HeaderLen = 19

// MaxLen is the longest message there is: 4096 bytes, and more with the extended message capability (RFC 8654).
const MaxLen = 65535

// ErrMalformed is what Rewriter.Update and Reader.Next report of bytes that are no BGP message.
var ErrMalformed = errors.New("malformed BGP message")

// Reader cuts a stream into messages.
type Reader struct {
	r   io.Reader
	buf []byte
}

// NewReader makes a reader of r, which it reads piece by piece: a bufio.Reader serves well.
func NewReader(r io.Reader) *Reader { return &Reader{r: r, buf: make([]byte, 4096)} }

// Next is the next message with its header. It is valid until the next call. io.EOF means that the stream ended between two
// messages, io.ErrUnexpectedEOF that it ended within one.
func (r *Reader) Next() ([]byte, error) {
	if _, err := io.ReadFull(r.r, r.buf[:HeaderLen]); err != nil {
		return nil, err
	}
	n, err := Length(r.buf[:HeaderLen])
	if err != nil {
		return nil, err
	}
	if n > len(r.buf) {
		r.buf = append(make([]byte, 0, MaxLen), r.buf[:HeaderLen]...)[:MaxLen]
	}
	if _, err := io.ReadFull(r.r, r.buf[HeaderLen:n]); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return r.buf[:n], nil
}

// Length is the length of the message with this header, HeaderLen to MaxLen.
func Length(header []byte) (int, error) {
	if len(header) < HeaderLen {
		return 0, fmt.Errorf("%w: a header of %d bytes", ErrMalformed, len(header))
	}
	n := int(binary.BigEndian.Uint16(header[16:]))
	if n < HeaderLen {
		return 0, fmt.Errorf("%w: length %d", ErrMalformed, n)
	}
	return n, nil
}

// Type is the type of a message with a whole header.
func Type(msg []byte) uint8 { return msg[18] }

// start appends a header whose length end fills in.
func start(dst []byte, typ uint8) []byte {
	for range 16 {
		dst = append(dst, 0xff)
	}
	return append(dst, 0, 0, typ)
}

// end writes the length of the message that began at offset at.
func end(dst []byte, at int) error {
	n := len(dst) - at
	if n > MaxLen {
		return fmt.Errorf("%w: %d bytes after rewriting", ErrMalformed, n)
	}
	binary.BigEndian.PutUint16(dst[at+16:], uint16(n))
	return nil
}

// AppendKeepalive appends a KEEPALIVE.
func AppendKeepalive(dst []byte) []byte {
	at := len(dst)
	dst = start(dst, Keepalive)
	binary.BigEndian.PutUint16(dst[at+16:], HeaderLen)
	return dst
}
