package crew

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"golang.org/x/sys/unix"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/fastpath/port/afxdp"
)

// Command is the argument by which the program runs as a worker: its main calls Main then, before anything else.
const Command = "worker"

// bootEnv holds the Boot of a worker.
const bootEnv = "NAVE_WORKER"

// Descriptors that a worker is started with. Those that wake each worker follow.
const (
	fdSocket = 3 + iota
	fdArena
	fdPunts
	fdClaim // which it has nothing to do with but to have it
	fdWakes
)

// A worker makes hardly any garbage: some kilobytes a message, and 3 kilobytes for an association whose cipher has no kernel, of which there are 32768 at most. It is collected
// when there is this much, in bytes, and not whenever Go thinks best. heapLimit is what the heap grows to at most if that should not do.
const (
	garbageLimit = 32 << 20
	heapLimit    = 256 << 20
)

// Main is the worker's process, from start to end.
func Main() error {
	boot, err := parseBoot([]byte(os.Getenv(bootEnv)))
	if err != nil {
		return fmt.Errorf("crew: this is started by naved alone: %w", err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("worker", boot.Worker)
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(heapLimit)
	_ = os.WriteFile("/proc/self/comm", []byte(fmt.Sprintf("nave-worker-%d", boot.Worker)), 0) // for ps, and nothing depends on it
	// naved's terminal, and whoever reads its log, may be gone before the worker is.
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	s, err := newServer(boot, log, stop)
	if err != nil {
		return fmt.Errorf("crew: worker %d: %w", boot.Worker, err)
	}
	if err := s.listen(); err != nil {
		return errors.Join(err, s.close())
	}
	go s.accept()
	go s.watch(ctx)
	err = s.worker.Run(ctx, fastpath.RunConfig{Adaptive: boot.Adaptive})
	return errors.Join(err, s.close())
}

// newServer makes the worker out of what the process was started with.
func newServer(boot Boot, log *slog.Logger, stop func()) (*server, error) {
	n := 0
	for unix.SetNonblock(fdWakes+n, true) == nil { // as many as there are
		n++
	}
	for fd := fdSocket; fd < fdWakes+n; fd++ {
		unix.CloseOnExec(fd)
	}
	engine, err := fastpath.Join(fdArena)
	if err != nil {
		return nil, err
	}
	if n < engine.Workers() {
		return nil, errors.Join(fmt.Errorf("%d descriptors to wake workers, and there are %d", n, engine.Workers()), engine.Close())
	}
	umem, err := afxdp.NewUMEM(boot.Frames, engine.ChunkSize(boot.Worker))
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	wakes := make([]int, engine.Workers())
	for i := range wakes {
		wakes[i] = fdWakes + i
	}
	w, err := engine.JoinWorker(boot.Worker, umem.Pool(), wakes, fdPunts)
	if err != nil {
		return nil, errors.Join(err, umem.Close(), engine.Close())
	}
	return &server{boot: boot, log: log, stop: stop, engine: engine, worker: w, umem: umem, wakes: wakes, ports: make(map[portID]*attached), idle: time.Now()}, nil
}

// listen opens the worker's socket: from now on whoever connects learns this process's number.
func (s *server) listen() error {
	if err := unix.Listen(fdSocket, 16); err != nil {
		return fmt.Errorf("crew: listen: %w", err)
	}
	f := os.NewFile(fdSocket, s.boot.Socket)
	l, err := net.FileListener(f)
	f.Close() // the listener has its own copy
	if err != nil {
		return fmt.Errorf("crew: listen: %w", err)
	}
	s.listener = l.(*net.UnixListener)
	if s.cutOff() {
		return fmt.Errorf("its socket %s is gone or another's: whoever started it is not there any more", s.boot.Socket)
	}
	return nil
}

// acceptPause is how long a worker that can't accept a connection waits before it tries again.
const acceptPause = time.Second

// accept takes one naved after the other.
func (s *server) accept() {
	for {
		u, err := s.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // short of descriptors, maybe
			s.log.Warn("control connection", "error", err)
			time.Sleep(acceptPause)
			continue
		}
		c := newConn(u)
		if !s.enter(c) {
			go refuse(c)
			continue
		}
		go s.serve(c)
	}
}

// refuse says no. Its question is read before the connection ends, or the kernel would say that first.
func refuse(c *conn) {
	defer c.Close()
	_ = c.SetDeadline(deadline(time.Second))
	if c.send(reply{Error: controlled}) != nil {
		return
	}
	if _, fds, err := c.receive(); err == nil {
		closeAll(fds)
	}
}

// controlled is what the second naved is told.
const controlled = "another naved controls this worker"

// enter makes c the connection that is served.
func (s *server) enter(c *conn) bool {
	cred, err := c.peer()
	if err != nil || (cred.Uid != 0 && int(cred.Uid) != os.Geteuid()) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		return false
	}
	s.conn = c
	return true
}

func (s *server) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.idle = nil, time.Now()
}

// serve answers one naved until it goes.
func (s *server) serve(c *conn) {
	defer s.leave()
	defer c.Close()
	for {
		b, fds, err := c.receive()
		if err != nil {
			return
		}
		r, err := parseRequest(b)
		if err != nil {
			closeAll(fds)
			s.log.Warn("control connection", "error", err)
			return
		}
		out, give := s.answer(&r, fds)
		out.ID = r.ID
		if err := c.send(out, give...); err != nil {
			return
		}
		if r.Op == opStop {
			s.stop()
			return
		}
	}
}

// How often a worker that nobody serves looks whether anybody could, and how long it waits.
const (
	watchEvery = 2 * time.Second
	orphanAge  = 10 * time.Second
)

// watch ends a worker that nobody can reach any more, and tidies up.
func (s *server) watch(ctx context.Context) {
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		s.tidy()
		s.expire(ctx)
		if s.orphaned() {
			s.log.Warn("nobody controls this worker, and its socket is gone, so nobody can: it ends", "socket", s.boot.Socket)
			s.stop()
			return
		}
	}
}

// Security associations that a worker ends while nobody serves it: so many numbers are looked at between two bursts, and only those whose lifetime has been over for a while. That
// naved ends them in time is the rule, and clocks differ.
const (
	expireStep  = 256
	expireGrace = time.Minute
)

// expire ends the security associations whose lifetime is over, if there is no naved to do so: it may be away for good.
func (s *server) expire(ctx context.Context) {
	all := 0
	for next := fib.SAID(0); ctx.Err() == nil; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		served := s.conn != nil
		s.mu.Unlock()
		if served {
			break
		}
		var n int
		next, n = s.worker.EndExpired(time.Now().Add(-expireGrace), next, expireStep)
		if all += n; next == 0 {
			break
		}
	}
	if all > 0 {
		s.log.Warn("security associations have ended by their lifetime, and nobody is there to make others", "associations", all)
	}
}

// tidy collects garbage if there is much.
func (s *server) tidy() {
	allocated := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(allocated)
	if now := allocated[0].Value.Uint64(); now-s.tidied > garbageLimit {
		s.tidied = now
		runtime.GC()
	}
}

// orphaned tells whether nobody has served this worker for a while, and nobody ever can.
func (s *server) orphaned() bool {
	s.mu.Lock()
	alone := s.conn == nil && time.Since(s.idle) > orphanAge
	s.mu.Unlock()
	return alone && s.cutOff()
}

// cutOff tells whether the worker's socket is gone, or another one in its place.
func (s *server) cutOff() bool {
	now, err := inode(s.boot.Socket)
	return errors.Is(err, os.ErrNotExist) || err == nil && now != s.boot.Inode
}

// inode is the number of a file.
func inode(path string) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return 0, &os.PathError{Op: "stat", Path: filepath.Base(path), Err: err}
	}
	return st.Ino, nil
}
