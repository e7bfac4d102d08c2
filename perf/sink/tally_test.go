package sink

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"nave/perf/mix"
)

// frames makes a function for the frame with a sequence number that was sent at some time.
func frames(t *testing.T) func(seq uint64, sent int64) []byte {
	t.Helper()
	train, err := mix.Fixed(64).Train(mix.Link{})
	if err != nil {
		t.Fatal(err)
	}
	return func(seq uint64, sent int64) []byte {
		b := make([]byte, train.Slots[0].Len)
		train.Write(b, 0, mix.Stamp{Seq: seq, Time: sent})
		return b
	}
}

func TestTally(t *testing.T) {
	frame := frames(t)
	for _, c := range []struct {
		name                          string
		seqs                          []uint64
		lost, reordered, twice, whole uint64
	}{
		{"in order", []uint64{5, 6, 7, 8}, 0, 0, 0, 4},
		{"one lost", []uint64{5, 7, 8}, 1, 0, 0, 3},
		{"two swapped", []uint64{5, 7, 6, 8}, 0, 1, 0, 4},
		{"one twice", []uint64{5, 6, 6, 7}, 0, 0, 1, 4},
		{"twice, later", []uint64{5, 6, 7, 8, 5}, 0, 0, 1, 5},
		{"one late by three", []uint64{5, 7, 8, 9, 6}, 0, 1, 0, 5},
		{"all of it", []uint64{10, 12, 11, 11, 15}, 2, 1, 1, 5},
		{"number 0", []uint64{0, 1, 3}, 1, 0, 0, 3},
	} {
		var y Tally
		for _, s := range c.seqs {
			y.Frame(frame(s, 100), 600)
		}
		r := y.Report()
		if r.Lost != c.lost || r.Reordered != c.reordered || r.Duplicates != c.twice || r.Packets != c.whole || r.Stamped != c.whole {
			t.Errorf("%s: %+v", c.name, r)
		}
		if r.Latency.Min != 500 || r.Latency.Max != 500 {
			t.Errorf("%s: latency %+v", c.name, r.Latency)
		}
	}
}

// Of a long stream with known losses, doubles and swaps each is counted, and over a reset the count starts anew.
func TestTallyStream(t *testing.T) {
	frame := frames(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	var y Tally
	seq := uint64(1 << 40)
	for round := range 3 {
		y.Reset()
		var lost, twice, swapped uint64
		for range 20000 {
			switch k := rnd.IntN(100); {
			case k < 3 && y.r.Packets > 0:
				lost++
				seq++
			case k < 5:
				y.Frame(frame(seq, 1), 2)
				y.Frame(frame(seq, 1), 3)
				twice++
				seq++
			case k < 8:
				y.Frame(frame(seq+1, 1), 2)
				y.Frame(frame(seq, 1), 3)
				swapped++
				seq += 2
			default:
				y.Frame(frame(seq, 1), 2)
				seq++
			}
		}
		y.Frame(frame(seq, 1), 2)
		seq++
		r := y.Report()
		// A swap at the very start has the older packet before the first one.
		if r.Lost+1 < lost || r.Lost > lost || r.Duplicates != twice || r.Reordered != swapped {
			t.Errorf("round %d: %+v, want %d lost, %d twice, %d swapped", round, r, lost, twice, swapped)
		}
	}
}

// What is no IPv4, has no stamp, or one of another clock, is counted as that.
func TestTallyOther(t *testing.T) {
	frame := frames(t)
	var y Tally
	y.Frame(make([]byte, 60), 1)
	y.Frame(nil, 1)
	b := frame(1, 5)
	b[len(b)-16] = 0
	y.Frame(b, 1)
	y.Frame(frame(2, 1000), 10)
	y.Frame(frame(3, 0), 1<<50)
	r := y.Report()
	if r.Other != 2 || r.Packets != 3 || r.Stamped != 2 || r.Latency.Count != 0 {
		t.Errorf("%+v", r)
	}
	y.Frame(frame(4, 1000), 3500)
	r = y.Report()
	text := r.Text(time.Second)
	for _, want := range []string{"4 packets", "stamped    3: 0 lost, 0 reordered, 0 twice", "2.5 µs least, 2.5 median"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
}
