package fastpath

import (
	"testing"

	"nave/fastpath/fib"
)

// BenchmarkExplain is how long the writer of the tables waits for an explanation, in an arena of the usual size.
func BenchmarkExplain(b *testing.B) {
	for name, private := range map[string]bool{"memfd": false, "private": true} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b, func(c *Config, _ *fib.Batch) {
				*c = Config{Private: private}
			})
			q := Question{Packet: probe(hostIP, behind1, 100), From: Origin{Port: lan}}
			for b.Loop() {
				if _, err := r.e.Explain(1, q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
