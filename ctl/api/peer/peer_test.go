package peer

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"nave/testbed/need"
)

// connect connects to a socket from a thread of its own, which first becomes what become makes of it, and returns what is said of it at the other end.
func connect(t *testing.T, become func() error) *Credentials {
	t.Helper()
	dir, err := os.MkdirTemp("", "peer")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with what it has become
		err := become()
		if err == nil {
			err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	who, err := Of(c.(*net.UnixConn))
	if err != nil {
		t.Fatal(err)
	}
	return who
}

func TestOwn(t *testing.T) {
	who := connect(t, func() error { return nil })
	if who.UID != uint32(os.Geteuid()) || who.GID != uint32(os.Getegid()) || who.PID != int32(os.Getpid()) || !who.In(uint32(os.Getegid())) || who.In(4242) {
		t.Errorf("%+v", who)
	}
}

// Groups are those of the process, whatever a database says, and however many there are.
func TestGroups(t *testing.T) {
	need.Root(t)
	for _, n := range []int{0, 1, 32, 33, 2000} {
		var want []uint32
		for i := range n {
			want = append(want, uint32(5000+i))
		}
		who := connect(t, func() error {
			var first unsafe.Pointer
			if n > 0 {
				first = unsafe.Pointer(&want[0])
			}
			for _, call := range [][4]uintptr{{unix.SYS_SETGROUPS, uintptr(n), uintptr(first)}, {unix.SYS_SETRESGID, 4001, 4001, 4001}, {unix.SYS_SETRESUID, 4000, 4000, 4000}} {
				if _, _, e := unix.RawSyscall(call[0], call[1], call[2], call[3]); e != 0 {
					return e
				}
			}
			return nil
		})
		if who.UID != 4000 || who.GID != 4001 || !slices.Equal(who.Groups, append([]uint32{4001}, want...)) {
			t.Errorf("%d groups: %d of them, user %d, group %d", n, len(who.Groups), who.UID, who.GID)
		}
	}
}

func TestNoPeer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if who, err := Of(c.(*net.TCPConn)); err == nil && who.PID != 0 {
		t.Errorf("%+v", who)
	}
}
