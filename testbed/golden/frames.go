package golden

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// frames reads a capture in a folder of testdata, and gives take each frame with its number, from 1.
func frames(t testing.TB, folder, file string, take func(frame int, at time.Time, data []byte)) {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	f, err := os.Open(filepath.Join(filepath.Dir(here), "testdata", folder, file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	next, err := reader(f)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for frame := 1; ; frame++ {
		data, at, err := next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s frame %d: %v", file, frame, err)
		}
		take(frame, at, data)
	}
}
