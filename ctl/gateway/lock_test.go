package gateway

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"nave/testbed/need"
)

// A user who can't run naved can't keep others from running it by taking the name that a port is locked by.
func TestLockIsNotForStrangers(t *testing.T) {
	need.Root(t)
	dev := fmt.Sprintf("stranger%d", os.Getpid())
	fd, done := -1, make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with what it has become
		var err error
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, 4000, 4000, 4000); e != 0 {
			err = e
		}
		if err == nil {
			fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		}
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrUnix{Name: "@nave-port-" + dev})
		}
		if err == nil {
			err = unix.Listen(fd, 1)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	unlock, strangers, err := lock([]string{dev})
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if len(strangers) != 1 || !strings.Contains(strangers[0], fmt.Sprintf("process %d of user 4000", os.Getpid())) {
		t.Errorf("%q", strangers)
	}
}
