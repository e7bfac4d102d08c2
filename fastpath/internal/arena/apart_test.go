package arena

import (
	"bytes"
	"testing"
)

// TestApart: what is mapped apart is the region as it is, and what is written on either side after that is that side's alone, where it was written to.
func TestApart(t *testing.T) {
	arenas(t, func(t *testing.T, a *Arena) {
		const size = 3 * pageBytes
		var refs []Ref
		for k := range 8 {
			r, err := a.Alloc(size)
			if err != nil {
				t.Fatal(err)
			}
			for i := range a.Bytes(r, size) {
				a.Bytes(r, size)[i] = byte(k + i%7)
			}
			refs = append(refs, r)
		}
		a.SetRoot(refs[0])
		before := bytes.Clone(a.mem)
		b, err := a.Apart()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.mem[:a.h.brk], a.mem[:a.h.brk]) || b.Root() != refs[0] || b.Used() != a.Used() || b.Size() != a.Size() || b.Fd() != -1 {
			t.Error("what is apart is not what was there")
		}
		for i := range b.mem[:a.h.brk] {
			b.mem[i] ^= 0xff
		}
		if !bytes.Equal(before, a.mem) {
			t.Error("what is written apart is seen")
		}
		a.Bytes(refs[1], size)[0] = 99
		if b.Bytes(refs[1], size)[0] == 99 {
			t.Error("what is written to apart changes with the region")
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if a.Bytes(refs[1], size)[0] != 99 || a.Root() != refs[0] {
			t.Error("the region went with what was apart")
		}
		// And once more: nothing of the first is left.
		c, err := a.Apart()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(c.mem[:a.h.brk], a.mem[:a.h.brk]) {
			t.Error("the second one is not what is there")
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestApartIsSparse: pages that were never written are not copied.
func TestApartIsSparse(t *testing.T) {
	from := make([]byte, 5*pageBytes+100)
	from[2*pageBytes+1], from[5*pageBytes+99] = 7, 8
	to := make([]byte, len(from))
	to[0] = 1 // is left alone
	copyUsed(to, from)
	if to[0] != 1 || to[2*pageBytes+1] != 7 || to[5*pageBytes+99] != 8 {
		t.Error("not copied as it should be")
	}
}
