//go:build race

package raceless

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// The detector reads its environment when the program begins: so that begins once more.
func init() {
	if strings.Contains(os.Getenv("GORACE"), "suppressions=") {
		return
	}
	file := filepath.Join(os.TempDir(), "nave-race-suppressions")
	if write(file) != nil {
		return
	}
	exe, err := os.Executable()
	if err != nil {
		return
	}
	env := append(os.Environ(), "GORACE="+os.Getenv("GORACE")+" suppressions="+file)
	panic(syscall.Exec(exe, os.Args, env))
}

// write makes the file at once: the tests of another package may be about to read it.
func write(file string) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	_, err = f.WriteString("race:StartBgp\nrace:StaleAll\n")
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
