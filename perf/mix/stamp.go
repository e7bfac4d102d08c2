package mix

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// Stamp is what the last StampLen bytes of a packet say: which one it is, and when it was sent.
type Stamp struct {
	Seq  uint64 // 48 bits
	Time int64  // of Now, nanoseconds
}

// StampLen is the length of a stamp in bytes: two words in network order, the first of which is a mark of 16 bits and the sequence number.
const StampLen = 16

const (
	stampMark = 0x6e61 // "na"; the XDP programs of package perf/xdp have it, too
	seqMask   = 1<<48 - 1
)

// Put writes a stamp into b, which has room.
func (s Stamp) Put(b []byte) {
	binary.BigEndian.PutUint64(b, stampMark<<48|s.Seq&seqMask)
	binary.BigEndian.PutUint64(b[8:], uint64(s.Time))
}

// ReadStamp finds the stamp of an Ethernet frame that holds an IPv4 packet, labelled or not: it ends where the outermost IPv4 packet ends.
func ReadStamp(frame []byte) (Stamp, bool) {
	ip := Strip(frame)
	if ip == nil {
		return Stamp{}, false
	}
	total := int(binary.BigEndian.Uint16(ip[2:4]))
	if total > len(ip) || total < 20+StampLen {
		return Stamp{}, false
	}
	b := ip[total-StampLen : total]
	w := binary.BigEndian.Uint64(b)
	if w>>48 != stampMark {
		return Stamp{}, false
	}
	return Stamp{Seq: w & seqMask, Time: int64(binary.BigEndian.Uint64(b[8:]))}, true
}

// Strip is the IPv4 packet of an Ethernet frame, labels taken off (RFC 3032), or nil: at least 20 bytes.
func Strip(frame []byte) []byte {
	if len(frame) < 14 {
		return nil
	}
	b := frame[14:]
	switch binary.BigEndian.Uint16(frame[12:]) {
	case 0x0800:
	case 0x8847:
		for range maxLabels {
			if len(b) < 4 {
				return nil
			}
			bottom := b[2]&1 != 0
			if b = b[4:]; bottom {
				break
			}
		}
	default:
		return nil
	}
	if len(b) < 20 || b[0]>>4 != 4 {
		return nil
	}
	return b
}

// clock ties Go's monotonic clock to the kernel's, which stamps are in: the XDP programs have that one only. Of a few readings the one counts
// that took the shortest.
var clock = func() (c struct {
	start time.Time
	base  int64
}) {
	best := time.Hour
	for range 10 {
		var ts unix.Timespec
		before := time.Now()
		if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
			continue
		}
		if took := time.Since(before); took < best {
			best, c.start, c.base = took, before, ts.Nano()-int64(took/2)
		}
	}
	return c
}()

// Now is the time of stamps: CLOCK_MONOTONIC in nanoseconds.
func Now() int64 { return clock.base + int64(time.Since(clock.start)) }
