package golden

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// BGP reads the segments to and from TCP port 179 of a capture in testdata/bgp. In these captures, each is one message.
func BGP(t testing.TB, file string) (messages [][]byte) {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	f, err := os.Open(filepath.Join(filepath.Dir(here), "testdata", "bgp", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	next, err := reader(f)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for frame := 1; ; frame++ {
		data, _, err := next()
		if errors.Is(err, io.EOF) {
			return messages
		}
		if err != nil {
			t.Fatalf("%s frame %d: %v", file, frame, err)
		}
		if p, ok := transportOf(data); ok && p.TCP && (p.From.Port() == 179 || p.To.Port() == 179) {
			messages = append(messages, p.Payload)
		}
	}
}
