package crew

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is a worker's process, a child of this one or of the naved before.
type process struct {
	pid  int
	file *os.File      // its pidfd
	gone chan struct{} // closed once it is dead, and somebody watches
}

// openProcess holds on to process pid, which is alive.
func openProcess(pid int) (*process, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("crew: process %d: %w", pid, err)
	}
	p := &process{pid: pid, file: os.NewFile(uintptr(fd), "pidfd"), gone: make(chan struct{})}
	if err := p.file.SetReadDeadline(time.Time{}); err != nil { // the runtime can't wait for it
		p.close()
		return nil, fmt.Errorf("crew: watch process %d: %w", pid, err)
	}
	return p, nil
}

// watch closes gone when the process is dead, and ends by close. It takes no thread: there may be many.
func (p *process) watch() {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return // closed already
	}
	dead := func(fd uintptr) bool {
		n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0
	}
	if raw.Read(dead) == nil {
		close(p.gone)
	}
}

// kill sends a signal. A process that is dead already is no error.
func (p *process) kill(s unix.Signal) {
	raw, err := p.file.SyscallConn()
	if err != nil {
		return // closed: it was dead
	}
	_ = raw.Control(func(fd uintptr) { _ = unix.PidfdSendSignal(int(fd), s, nil, 0) })
}

// close lets go of the process. Once only, by who has seen to its end, or leaves it to another naved.
func (p *process) close() { _ = p.file.Close() }

// end makes sure that the process is dead: after patience it is killed. False: it can't be, and nothing that it has may be used.
func (p *process) end(patience time.Duration) bool {
	select {
	case <-p.gone:
	case <-time.After(patience):
		p.kill(unix.SIGKILL)
		select {
		case <-p.gone:
		case <-time.After(killPatience):
			return false
		}
	}
	return true
}

// killPatience is how long a killed process may take to end: the kernel frees its packet memory.
const killPatience = 10 * time.Second

// alive tells whether the process runs.
func (p *process) alive() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// spawn starts a worker's process. It inherits its socket and the descriptors, and has a session of its own: whatever ends naved, a terminal included, does not end it.
func spawn(boot Boot, program []string, fds []int) (*process, error) {
	socket, err := bind(boot.Socket)
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	if boot.Inode, err = inode(boot.Socket); err != nil {
		return nil, fmt.Errorf("crew: %w", err)
	}
	text, err := json.Marshal(boot)
	if err != nil {
		return nil, fmt.Errorf("crew: %w", err)
	}
	cmd := &exec.Cmd{
		Path: program[0], Args: append([]string{fmt.Sprintf("nave-worker-%d", boot.Worker)}, program[1:]...),
		Env: environment(string(text)), Stdout: os.Stderr, Stderr: os.Stderr,
		SysProcAttr: &unix.SysProcAttr{Setsid: true}, ExtraFiles: []*os.File{socket},
	}
	for _, fd := range fds {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, fmt.Errorf("crew: descriptor %d: %w", fd, err)
		}
		f := os.NewFile(uintptr(dup), "shared")
		defer f.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, f)
	}
	keep := limits{cpu: boot.CPU, caps: []uint{unix.CAP_NET_RAW, unix.CAP_IPC_LOCK}}
	if boot.NetAdmin {
		keep.caps = append(keep.caps, unix.CAP_NET_ADMIN)
	}
	if err := keep.with(cmd.Start); err != nil {
		return nil, fmt.Errorf("crew: start worker %d: %w", boot.Worker, err)
	}
	p, err := openProcess(cmd.Process.Pid)
	if err != nil {
		err = errors.Join(err, cmd.Process.Kill(), cmd.Wait())
		return nil, err
	}
	go p.watch()
	go func() { _ = cmd.Wait() }() // how it ended is told by its log and ours
	return p, nil
}

// environment is ours, with one processor for the scheduler: then nothing of Go's own gets in the way of a goroutine that polls.
func environment(boot string) []string {
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case bootEnv, "GOMAXPROCS", "GOGC", "GOMEMLIMIT", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES":
		default:
			env = append(env, v)
		}
	}
	return append(env, bootEnv+"="+boot, "GOMAXPROCS=1")
}

// cpuOf says which CPU a process is tied to; -1 when it may run on several.
func cpuOf(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return -1
	}
	_, rest, _ := strings.Cut(string(text), "Cpus_allowed_list:")
	line, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return -1
	}
	return n
}
