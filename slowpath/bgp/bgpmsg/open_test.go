package bgpmsg

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// openOf makes an OPEN with parameters.
func openOf(wide bool, params ...[]byte) []byte {
	b := start(nil, Open)
	b = append(b, 4, 0, 1, 0, 180, 10, 0, 0, 1)
	var all []byte
	for _, p := range params {
		all = append(all, capabilities)
		if wide {
			all = binary.BigEndian.AppendUint16(all, uint16(len(p)))
		} else {
			all = append(all, byte(len(p)))
		}
		all = append(all, p...)
	}
	if wide {
		b = append(b, 255, 255)
		b = binary.BigEndian.AppendUint16(b, uint16(len(all)))
	} else {
		b = append(b, byte(len(all)))
	}
	b = append(b, all...)
	if err := end(b, 0); err != nil {
		panic(err)
	}
	return b
}

func TestPreserve(t *testing.T) {
	refresh := []byte{2, 0}
	restart := func(flags ...byte) []byte {
		c := []byte{64, byte(2 + 4*len(flags)), 0x80, 120}
		for i, f := range flags {
			c = append(c, 0, byte(1+i), 128, f)
		}
		return c
	}
	for _, wide := range []bool{false, true} {
		for _, c := range []struct {
			what       string
			open       []byte
			before, is bool
		}{
			{"no capabilities", openOf(wide), false, false},
			{"another capability", openOf(wide, refresh), false, false},
			{"no family", openOf(wide, refresh, restart()), false, false},
			{"one family", openOf(wide, refresh, restart(0)), false, true},
			{"one of two", openOf(wide, restart(0x80, 0), refresh), false, true},
			{"both", openOf(wide, append(refresh, restart(0x80, 0x81)...)), true, true},
			{"the last counts", openOf(wide, restart(0x80), restart(0)), false, true},
		} {
			if got := Preserves(c.open); got != c.before {
				t.Errorf("%s, wide %v: %v", c.what, wide, got)
			}
			was := bytes.Clone(c.open)
			Preserve(c.open)
			if got := Preserves(c.open); got != c.is {
				t.Errorf("%s, wide %v: %v once it is said", c.what, wide, got)
			}
			if !c.is && !bytes.Equal(was, c.open) {
				t.Errorf("%s, wide %v: changed", c.what, wide)
			}
			for n := range c.open { // no part of it makes anything fall over
				Preserve(bytes.Clone(c.open[:n]))
			}
		}
	}
}

func FuzzPreserve(f *testing.F) {
	f.Add(openOf(false, []byte{64, 6, 0, 120, 0, 1, 128, 0}))
	f.Add(openOf(true, []byte{64, 6, 0, 120, 0, 1, 128, 0}, []byte{2, 0}))
	f.Fuzz(func(t *testing.T, b []byte) {
		Preserve(b)
		if n := len(restartTuples(b)); n >= restartTuple && !Preserves(b) {
			t.Errorf("%x does not say what it was made to say", b)
		}
	})
}
