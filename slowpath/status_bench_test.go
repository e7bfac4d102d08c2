package slowpath

import (
	"fmt"
	"testing"
)

// A look at a hub holds the control plane up for as long as it takes: whoever scrapes metrics does that to it.
func BenchmarkStatus(b *testing.B) {
	for _, peers := range []int{1000, 10000} {
		c, batch := hubWith(peers)
		r := NewSeeded(newEngine(), &host{}, 1)
		r.At(start).Inherit(batch)
		if err := r.At(start).Configure(c); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("status/%d", peers), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if s := r.Status(); len(s.NHRP.Entries) != peers {
					b.Fatalf("%d entries", len(s.NHRP.Entries))
				}
			}
		})
		b.Run(fmt.Sprintf("adjacencies/%d", peers), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if n := len(r.Adjacencies()); n < peers {
					b.Fatalf("%d adjacencies", n)
				}
			}
		})
	}
}
