package ring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"sync"
	"testing"
)

func records(t testing.TB, size int) (w, r *Records) {
	t.Helper()
	mem := make([]byte, size)
	w, err := NewRecords(mem)
	if err != nil {
		t.Fatal(err)
	}
	if r, err = OpenRecords(mem); err != nil {
		t.Fatal(err)
	}
	return w, r
}

// TestRecordsOrder: records of all lengths come out as they went in, round and round, and a full queue refuses.
func TestRecordsOrder(t *testing.T) {
	w, r := records(t, recordsHeadLen+256)
	put, got, refused := 0, 0, 0
	for round := range 2000 {
		n := round*7%100 + 1
		if b := w.Put(n); b == nil {
			refused++
			w.Lose()
		} else {
			if len(b) != n || cap(b) != (n+7)&^7 {
				t.Fatalf("%d bytes, room for %d: want %d", len(b), cap(b), n)
			}
			for i := range b {
				b[i] = byte(put)
			}
			put++
			w.Publish()
		}
		if round%3 != 0 && round != 1999 {
			continue
		}
		for b := r.Peek(); b != nil; b = r.Peek() {
			if !bytes.Equal(b, bytes.Repeat([]byte{byte(got)}, len(b))) {
				t.Fatalf("record %d is %d", got, b[0])
			}
			got++
			r.Release()
		}
	}
	if put != got || refused == 0 || r.Lost() != uint64(refused) {
		t.Errorf("%d put, %d read; %d refused, %d lost", put, got, refused, r.Lost())
	}
}

// TestRecordsRewind: what is not published is not seen, and may be taken back.
func TestRecordsRewind(t *testing.T) {
	w, r := records(t, recordsHeadLen+256)
	w.Put(8)[0] = 1
	mark := w.Mark()
	w.Put(100)[0] = 2
	if r.Peek() != nil {
		t.Fatal("a record is seen before it is published")
	}
	w.Rewind(mark)
	w.Put(16)[0] = 3
	w.Publish()
	for _, want := range []byte{1, 3} {
		if b := r.Peek(); b == nil || b[0] != want {
			t.Fatalf("want %d: %v", want, b)
		}
		r.Release()
	}
	if w.Put(300) != nil {
		t.Error("room for more than there is")
	}
}

// TestRecordsReopen: a new reader and a new writer go on where those before stopped; what was not published is gone.
func TestRecordsReopen(t *testing.T) {
	mem := make([]byte, recordsHeadLen+256)
	w, err := NewRecords(mem)
	if err != nil {
		t.Fatal(err)
	}
	w.Put(8)[0] = 1
	w.Publish()
	w.Put(8)[0] = 2
	if w, err = NewRecords(mem); err != nil {
		t.Fatal(err)
	}
	w.Put(8)[0] = 3
	w.Publish()
	r, err := OpenRecords(mem)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []byte{1, 3} {
		if b := r.Peek(); b == nil || b[0] != want {
			t.Fatalf("want %d: %v", want, b)
		}
		r.Release()
	}
	for _, bad := range [][]byte{nil, make([]byte, recordsHeadLen-1), make([]byte, 1024), mem[:len(mem)-8]} {
		if _, err := OpenRecords(bad); !errors.Is(err, ErrLayout) {
			t.Errorf("%d bytes: %v", len(bad), err)
		}
	}
	if _, err := NewRecords(make([]byte, recordsHeadLen+8)); !errors.Is(err, ErrLayout) {
		t.Error(err)
	}
}

func TestRecordsConcurrent(t *testing.T) {
	w, r := records(t, recordsHeadLen+1024)
	const total = 20000
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; i < total; {
			b := w.Put(8 + i%50)
			if b == nil {
				runtime.Gosched() // the reader may have no other CPU
				continue
			}
			binary.LittleEndian.PutUint64(b, uint64(i))
			if i++; i%3 == 0 || i == total {
				w.Publish()
			}
		}
	})
	for i := 0; i < total; {
		b := r.Peek()
		if b == nil {
			runtime.Gosched()
			continue
		}
		if got := binary.LittleEndian.Uint64(b); got != uint64(i) || len(b) != 8+i%50 {
			t.Fatalf("record %d holds %d in %d bytes", i, got, len(b))
		}
		r.Release()
		i++
	}
	wg.Wait()
}

// FuzzRecords: whatever a writer leaves in the memory, a reader gets what lies in it or nothing, and comes to an end.
func FuzzRecords(f *testing.F) {
	f.Add(uint64(64), uint64(0), []byte{8})
	f.Add(uint64(1<<63), uint64(7), []byte{255, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, head, tail uint64, data []byte) {
		mem := make([]byte, recordsHeadLen+256)
		w, err := NewRecords(mem)
		if err != nil {
			t.Fatal(err)
		}
		copy(w.data, data)
		w.h.head.Store(head)
		w.h.tail.Store(tail)
		r, err := OpenRecords(mem)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for b := r.Peek(); b != nil; b = r.Peek() {
			if len(b) > 256 {
				t.Fatalf("%d bytes", len(b))
			}
			r.Release()
			if n++; n > 40 {
				t.Fatal("no end")
			}
		}
		if w, err = NewRecords(mem); err != nil {
			t.Fatal(err)
		}
		if b := w.Put(16); b != nil {
			b[0] = 9
			w.Publish()
			if b = r.Peek(); b == nil || b[0] != 9 {
				t.Fatal("a good record after bad ones is not read")
			}
		}
	})
}
