package nic

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzAnswers: whatever a driver answers, there is no crash and no endless memory.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 255, 255, 255, 255}, uint8(3))
	f.Add([]byte{}, uint8(0))
	f.Fuzz(func(t *testing.T, answer []byte, start uint8) {
		at := int(start)
		d := New("x", func(b []byte) error {
			if len(answer) > 0 && answer[at%len(answer)] == 0xee {
				return unix.EINVAL
			}
			for i := 4; i < len(b); i++ {
				if len(answer) > 0 {
					b[i] = answer[(at+i)%len(answer)]
				}
			}
			at += 7
			return nil
		})
		var before Before
		Spread(d, 4, &before)
		if s, err := Steer(d, &before); err == nil {
			_ = s.Add(Rule{Destination: netip.AddrFrom4([4]byte{192, 0, 2, 1}), SPI: 1, Queue: 1})
			s.Remove(Rule{Destination: netip.AddrFrom4([4]byte{192, 0, 2, 1}), SPI: 1, Queue: 1})
		}
		_ = Restore(d, before)
		features(answer)
		spec := make([]byte, 168)
		copy(spec, answer)
		if r, ok := decode(spec); ok {
			out := make([]byte, 168)
			if err := r.encode(out); err != nil {
				t.Errorf("rule %v can't be written: %v", r, err)
			}
		}
	})
}
