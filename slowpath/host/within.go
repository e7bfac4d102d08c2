package host

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// nsID names a network namespace as long as anything holds it.
type nsID struct{ dev, ino uint64 }

// ownNamespace is the network namespace of the calling thread.
const ownNamespace = "/proc/thread-self/ns/net"

// identify finds out which namespace a file stands for.
func identify(path string) (nsID, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return nsID{}, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return nsID{uint64(st.Dev), st.Ino}, nil
}

// Within runs f in the namespace and waits for it: what f opens by itself (sockets, devices, files below /proc/sys/net) belongs to the namespace, wherever it is used
// later. Goroutines that f starts are not in it. net.Dial and net.Listen with addresses instead of names open their socket in the caller's goroutine, so they do as well.
func (h *Host) Within(f func() error) error {
	if now, err := identify(ownNamespace); err == nil && now == h.id {
		return f()
	}
	return onThread(func() error {
		if err := unix.Setns(int(h.ns.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("host: enter the network namespace %s: %w", h.Name(), err)
		}
		return f()
	})
}

// onThread runs f on a thread of its own, which ends with it: nothing else ever runs in what f has made of it.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() { // the first thread can't end, and stands for the process in /proc: another one
			done <- onThread(f)
			runtime.UnlockOSThread()
			return
		}
		done <- f()
	}()
	return <-done
}
