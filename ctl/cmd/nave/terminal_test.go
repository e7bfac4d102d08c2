package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// asNave has the test's own program be nave.
const asNave = "NAVE_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asNave) != "" {
		main()
	}
	os.Exit(m.Run())
}

// On a terminal, nave says nothing but what it is asked for, and waits for no answers: scripts drive it by terminals that give none.
func TestTerminalIsAskedNothing(t *testing.T) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	master := os.NewFile(uintptr(fd), "/dev/ptmx")
	defer master.Close()
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	nave := exec.Command(os.Args[0], "shell", "--socket", filepath.Join(t.TempDir(), "none"))
	nave.Env = []string{asNave + "=1", "TERM=vt100", "HOME=" + t.TempDir()}
	nave.Stdin, nave.Stdout, nave.Stderr = tty, tty, tty
	nave.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := nave.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nave.Process.Kill() }()
	text := make(chan string, 100)
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			text <- string(b[:n])
			if err != nil {
				return
			}
		}
	}()
	var all strings.Builder
	sees := func(want string) {
		t.Helper()
		for late := time.After(30 * time.Second); !strings.Contains(all.String(), want); {
			select {
			case s := <-text:
				all.WriteString(s)
			case <-late:
				t.Fatalf("no %q: %q", want, all.String())
			}
		}
	}
	sees("nave>")
	if all.String() != "nave>" {
		t.Errorf("it begins with %q", all.String())
	}
	if _, err := master.WriteString("show version\r"); err != nil {
		t.Fatal(err)
	}
	sees("% no naved answers")
	if _, err := master.WriteString("exit\r"); err != nil {
		t.Fatal(err)
	}
	if err := nave.Wait(); nave.ProcessState.ExitCode() != 3 {
		t.Errorf("exit status %d, want 3: %v", nave.ProcessState.ExitCode(), err)
	}
}
