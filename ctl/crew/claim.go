package crew

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A claim is what makes a process worker i of some tables, and keeps every other from being it: the lock of byte i of the tables' file, of an open file of its own. naved takes it before it
// starts a process, which inherits it. So it is held from then on until the process is dead, whatever becomes of naved in between, and whatever the process has come to.

// errClaimed means that a process lives, or is about to, that is the worker.
var errClaimed = errors.New("a process is that worker already, and does not answer; if it does not end by itself, kill the one of that name")

// claimPatience is how long a claim may be in going: a program that is being started has copies of all descriptors for a moment.
const claimPatience = time.Second

// claim claims worker i of the tables in memfd. It waits for patience at most, and not after done.
func claim(memfd, i int, patience time.Duration, done <-chan struct{}) (*os.File, error) {
	f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", memfd), os.O_RDWR, 0) // another open file: those of one share their locks
	if err != nil {
		return nil, fmt.Errorf("crew: claim worker %d: %w", i, err)
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: int64(i), Len: 1}
	try := func() error { return unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock) }
	if err := persist(try, patience, done); err != nil {
		f.Close()
		if err == unix.EAGAIN || err == unix.EACCES {
			err = errClaimed
		}
		return nil, fmt.Errorf("crew: claim worker %d: %w", i, err)
	}
	return f, nil
}

// persist tries to get a lock that another may be about to give up.
func persist(try func() error, patience time.Duration, done <-chan struct{}) error {
	for late := deadline(patience); ; {
		err := try()
		if err != unix.EAGAIN && err != unix.EACCES || time.Now().After(late) {
			return err
		}
		select {
		case <-done:
			return err
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// occupy takes a run directory for this process. It lasts until the file is closed, or the process ends.
func occupy(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("crew: %w", err)
	}
	try := func() error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
	if err := persist(try, claimPatience, nil); err != nil {
		f.Close()
		if err == unix.EAGAIN {
			return nil, fmt.Errorf("crew: another naved has the run directory %s: stop that one first, or give this one another", dir)
		}
		return nil, fmt.Errorf("crew: run directory %s: %w", dir, err)
	}
	return f, nil
}
