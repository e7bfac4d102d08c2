package config

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkParse reads a hub with a thousand static maps.
func BenchmarkParse(b *testing.B) {
	var s strings.Builder
	s.WriteString(hubText)
	s.WriteString("interface Tunnel3\n")
	for i := range 1000 {
		fmt.Fprintf(&s, " ip nhrp map 10.%d.%d.1 192.0.2.%d\n", i/250, i%250, 1+i%200)
	}
	text := []byte(s.String())
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, diags := Parse("bench", text); diags.HasErrors() {
			b.Fatal(diags.Err())
		}
	}
}
