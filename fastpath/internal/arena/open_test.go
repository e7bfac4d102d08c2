package arena

import (
	"bytes"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOpen: another mapping of the region sees the same blocks and goes on allocating behind them; a region of another layout is not touched.
func TestOpen(t *testing.T) {
	a, err := New(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	r, err := a.Alloc(100)
	if err != nil {
		t.Fatal(err)
	}
	copy(a.Bytes(r, 100), "here")
	a.SetRoot(r)
	open := func() (*Arena, error) {
		fd, err := unix.FcntlInt(uintptr(a.Fd()), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Open(fd)
		if err != nil {
			if err := unix.Close(fd); err != nil {
				t.Error(err)
			}
		}
		return b, err
	}
	b, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if b.Root() != r || !bytes.HasPrefix(b.Bytes(r, 100), []byte("here")) || b.Size() != a.Size() {
		t.Errorf("root %d: %q", b.Root(), b.Bytes(r, 100))
	}
	if next, err := b.Alloc(100); err != nil || next == r {
		t.Errorf("block %d, %v", next, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	a.h.version++
	if _, err := open(); err == nil {
		t.Error("another layout was opened")
	}
	a.h.version--
	if err := unix.Ftruncate(a.Fd(), 2<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := open(); err == nil {
		t.Error("a region of another size was opened")
	}
	if _, err := Open(-1); err == nil {
		t.Error("no descriptor was opened")
	}
}

// TestRetireSecret: a secret is overwritten once no reader can look, and not before.
func TestRetireSecret(t *testing.T) {
	arenas(t, func(t *testing.T, a *Arena) {
		r, err := a.Alloc(200)
		if err != nil {
			t.Fatal(err)
		}
		secret := bytes.Repeat([]byte{7}, 200)
		copy(a.Bytes(r, 200), secret)
		reader, err := a.Reader(0)
		if err != nil {
			t.Fatal(err)
		}
		reader.Enter()
		epoch := a.Epoch()
		a.RetireSecret(r, 200)
		a.Advance()
		a.Reclaim()
		if a.Quiet(epoch) || !bytes.Equal(a.Bytes(r, 200), secret) {
			t.Error("gone while a reader looks")
		}
		reader.Exit()
		if a.Reclaim(); !a.Quiet(epoch) || bytes.Contains(a.Bytes(r, 200), secret[:8]) {
			t.Errorf("left: %x", a.Bytes(r, 200))
		}
	})
}
