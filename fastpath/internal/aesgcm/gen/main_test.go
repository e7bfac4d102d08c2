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
	for _, c := range []struct{ set, pkg, file string }{{"key", "aeskey", "key_amd64"}, {"gcm", "aesgcm", "kernel_amd64"}, {"cbc", "aescbc", "kernel_amd64"}} {
		dir := t.TempDir()
		asm, stubs := filepath.Join(dir, c.file+".s"), filepath.Join(dir, c.file+".go")
		if out, err := exec.Command("go", "run", ".", "-set", c.set, "-pkg", c.pkg, "-out", asm, "-stubs", stubs).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		for _, path := range []string{asm, stubs} {
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(filepath.Join("..", "..", c.pkg, filepath.Base(path)))
			if err != nil {
				t.Fatal(err)
			}
			// The first line says how the file was made, and so where it was written to.
			_, got, _ = bytes.Cut(got, []byte("\n"))
			_, want, _ = bytes.Cut(want, []byte("\n"))
			if !bytes.Equal(got, want) {
				t.Errorf("%s of %s is not what the generator writes: go generate there", filepath.Base(path), c.pkg)
			}
		}
	}
}
