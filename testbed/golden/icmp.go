package golden

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// ICMPPacket is an ICMP message of a capture.
type ICMPPacket struct {
	Frame    int // from 1
	From, To netip.Addr
	Message  []byte // from its type on
}

// ICMP reads the ICMP messages of a capture in testdata/mpls.
func ICMP(t testing.TB, file string) (out []ICMPPacket) {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	f, err := os.Open(filepath.Join(filepath.Dir(here), "testdata", "mpls", file))
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
			return out
		}
		if err != nil || len(data) < 4 {
			t.Fatalf("%s frame %d: %v", file, frame, err)
		}
		if from, to, proto, message, ok := ipv4Of(data[4:]); ok && proto == 1 { // behind PPP
			out = append(out, ICMPPacket{frame, from, to, message})
		}
	}
}
