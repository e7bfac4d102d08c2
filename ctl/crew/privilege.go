package crew

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// limits are what a new process starts with, and can't get rid of.
type limits struct {
	cpu  int    // that it is tied to; -1: none
	caps []uint // capabilities that it keeps, of those that this process has
}

// with runs start, which makes a process, on a thread of its own that has these limits: the process inherits them. Nothing else runs on that thread, and it ends afterwards.
func (l limits) with(start func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() { // the first thread can't end, and stands for the process in /proc: another one
			done <- l.with(start)
			runtime.UnlockOSThread()
			return
		}
		err := l.set() // and never unlocked: the thread ends with the goroutine
		if err == nil {
			err = start()
		}
		done <- err
	}()
	return <-done
}

// set gives the calling thread the limits. With no_new_privs a program that it executes keeps the capabilities of the thread at most, root or not.
func (l limits) set() error {
	if l.cpu >= 0 {
		var one unix.CPUSet
		one.Set(l.cpu)
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			return fmt.Errorf("tie to CPU %d (is there one?): %w", l.cpu, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had, keep [2]unix.CapUserData
	if err := unix.Capget(&header, &had[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	root := unix.Geteuid() == 0
	for _, c := range l.caps {
		bit := uint32(1) << (c % 32) & had[c/32].Permitted
		keep[c/32].Permitted |= bit
		keep[c/32].Effective |= bit
		if !root {
			keep[c/32].Inheritable |= bit
		}
	}
	if err := unix.Capset(&header, &keep[0]); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	if root {
		return nil
	}
	return ambient(keep)
}

// ambient has a program that is executed by another user than root keep capabilities: those that are ambient, and no others.
func ambient(keep [2]unix.CapUserData) error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("ambient capabilities: %w", err)
	}
	for c := uint(0); c <= unix.CAP_LAST_CAP; c++ {
		if keep[c/32].Permitted>>(c%32)&1 == 0 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(c), 0, 0); err != nil {
			return fmt.Errorf("ambient capability %d: %w", c, err)
		}
	}
	return nil
}
