package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// What is committed is what the generator writes. Run it in this directory: the generator is a module of its own.
func TestCommitted(t *testing.T) {
	dir := t.TempDir()
	asm, stubs := filepath.Join(dir, "kernel_amd64.s"), filepath.Join(dir, "kernel_amd64.go")
	if out, err := exec.Command("go", "run", ".", "-pkg", "aesgcm", "-out", asm, "-stubs", stubs).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, path := range []string{asm, stubs} {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("..", filepath.Base(path)))
		if err != nil {
			t.Fatal(err)
		}
		// The first line says how the file was made, and so where it was written to.
		_, got, _ = bytes.Cut(got, []byte("\n"))
		_, want, _ = bytes.Cut(want, []byte("\n"))
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator writes: go generate in the directory above", filepath.Base(path))
		}
	}
}
