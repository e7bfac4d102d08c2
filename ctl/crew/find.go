package crew

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"nave/fastpath"
)

// relic is a worker of the naved before.
type relic struct {
	path string
	proc *process
	link *link
	boot Boot
	host Host
	fds  []int // tables, punts, wake-ups
}

// release gives the descriptors back that it brought.
func (r *relic) release() {
	closeAll(r.fds)
	r.fds = nil
}

// leave lets workers go on as though they had not been found.
func leave(found []*relic) {
	for _, r := range found {
		r.release()
		r.link.c.Close()
		r.proc.close()
	}
}

// Times for workers that were found: the connection of the naved before may be a moment in going, and a machine that has just lost its naved may be busy. As long as a worker may
// take to poll (hungLooks): who kills one that would have answered interrupts what forwards.
const (
	helloPatience = hungLooks * lookEvery
	busyPatience  = hungLooks * lookEvery
)

// find connects to the workers that run. One that does not answer is killed: it can't be left running beside others that have its ports. If another naved has them, that
// is an error. Those that were just being started are waited for, if the others tell of them: two processes can't be the same worker.
func (c *Crew) find() (found []*relic, err error) {
	paths, err := filepath.Glob(filepath.Join(c.cfg.RunDir, "worker-*.sock"))
	if err != nil {
		return nil, fmt.Errorf("crew: %w", err)
	}
	slices.Sort(paths)
	var quiet []string
	for _, path := range paths {
		r, err := c.hail(path)
		switch {
		case err != nil:
			leave(found)
			return nil, err
		case r == nil:
			quiet = append(quiet, path)
		default:
			found = append(found, r)
		}
	}
	for _, path := range quiet {
		r, err := c.await(path, found)
		switch {
		case err != nil:
			leave(found)
			return nil, err
		case r != nil:
			found = append(found, r)
			continue
		}
		_ = os.Remove(path) // a process that has it still ends when it sees that
	}
	return found, nil
}

// await waits for the worker at a socket where nobody listens yet, as long as a process claims to be it. nil: there is none, or it does not get ready.
func (c *Crew) await(path string, found []*relic) (*relic, error) {
	var i int
	if n, err := fmt.Sscanf(filepath.Base(path), socketPattern, &i); n != 1 || err != nil || len(found) == 0 {
		return nil, nil
	}
	for late := deadline(c.cfg.Patience); time.Now().Before(late) && !c.isDone(); time.Sleep(5 * time.Millisecond) {
		f, err := claim(found[0].fds[0], i, 0, nil)
		if err == nil {
			f.Close()
			return nil, nil
		}
		if r, err := c.hail(path); r != nil || err != nil {
			return r, err
		}
	}
	return nil, nil
}

// hail connects to the worker at a socket; nil when nobody listens. One that does not answer is killed.
func (c *Crew) hail(path string) (*relic, error) {
	for late := deadline(busyPatience); ; time.Sleep(20 * time.Millisecond) {
		r, err := c.greet(path)
		var silent *silentError
		switch {
		case err == nil:
			return r, nil
		case errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ENOENT):
			return nil, nil // it was killed, or is not that far yet
		case errors.As(err, &silent):
			return nil, c.silence(path, silent)
		case time.Now().After(late): // until then it may be the naved before, or the worker, that is just ending
			return nil, fmt.Errorf("crew: worker at %s: %w", path, err)
		}
	}
}

// silentError is a worker that does not answer.
type silentError struct {
	proc *process
	err  error
}

func (e *silentError) Error() string { return e.err.Error() }

// greet connects to the worker at a socket and says hello, once.
func (c *Crew) greet(path string) (*relic, error) {
	conn, err := dial(path)
	if err != nil {
		return nil, err
	}
	cred, err := conn.peer()
	if err != nil {
		conn.Close()
		return nil, err
	}
	proc, err := openProcess(int(cred.Pid))
	if err != nil {
		conn.Close()
		return nil, err
	}
	l := newLink(conn, nil) // also if the Crew ends meanwhile: who wants that wants the workers stopped
	a, err := l.ask(request{Op: opHello}, helloPatience)
	if err == nil && (a.Boot == nil || a.Host == nil || len(a.fds) <= 2) {
		closeAll(a.fds)
		err = fmt.Errorf("%w: its hello is none", errMessage)
	}
	if err == nil {
		go proc.watch()
		l.quit = c.done
		return &relic{path: path, proc: proc, link: l, boot: *a.Boot, host: *a.Host, fds: a.fds}, nil
	}
	conn.Close()
	if errors.Is(err, errLate) || errors.Is(err, errMessage) {
		return nil, &silentError{proc, err}
	}
	proc.close()
	return nil, fmt.Errorf("process %d: %w: stop that one first, or give this one another run directory", proc.pid, err)
}

// silence kills a worker that does not answer.
func (c *Crew) silence(path string, s *silentError) error {
	defer s.proc.close()
	c.cfg.Log.Error("a worker was found that does not answer: it is killed", "socket", path, "pid", s.proc.pid, "error", s.err)
	go s.proc.watch()
	if !s.proc.end(0) {
		return fmt.Errorf("crew: worker at %s (process %d) does not answer and can't be killed", path, s.proc.pid)
	}
	return nil
}

// adopt takes over the tables of workers that were found, and them as members. The error says why not; then nothing was changed.
func (c *Crew) adopt(found []*relic) error {
	if err := c.fit(found); err != nil {
		return err
	}
	memfd, err := unix.FcntlInt(uintptr(found[0].fds[0]), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("the tables' descriptor: %w", err)
	}
	e, err := fastpath.Adopt(memfd, c.cfg.Engine)
	if err != nil {
		return err
	}
	if err := handWakes(e, found); err != nil {
		return errors.Join(err, e.Close())
	}
	c.engine = e
	for _, r := range found {
		m := c.members[r.boot.Worker]
		m.set(r.proc, r.link)
		m.adopted = true
		for _, id := range r.host.All {
			m.found[id] = true
		}
		m.lacking = lacks(&r.boot, &m.boot, r.proc.pid)
		if r.boot.Sockets != m.boot.Sockets {
			m.outdated = &r.boot.Sockets
		}
		m.boot.Started = r.boot.Started
		r.release()
		c.cfg.Log.Info("a worker goes on under this naved", "worker", r.boot.Worker, "pid", r.proc.pid, "since", r.boot.Started.Format(time.RFC3339))
	}
	return nil
}

// fit tells whether workers belong together, and are as many as this naved wants.
func (c *Crew) fit(found []*relic) error {
	var first unix.Stat_t
	for k, r := range found {
		if r.boot.Worker < 0 || r.boot.Worker >= len(c.members) || filepath.Base(r.path) != socketName(r.boot.Worker) {
			return fmt.Errorf("worker %d runs, and there are to be %d", r.boot.Worker, len(c.members))
		}
		if r.boot.Chunk != c.cfg.Chunk {
			return fmt.Errorf("worker %d has chunks of %d bytes, want %d: the MTU of a port has changed", r.boot.Worker, r.boot.Chunk, c.cfg.Chunk)
		}
		var st unix.Stat_t
		if err := unix.Fstat(r.fds[0], &st); err != nil {
			return fmt.Errorf("the tables of worker %d: %w", r.boot.Worker, err)
		}
		if k == 0 {
			first = st
		}
		if st.Ino != first.Ino || st.Dev != first.Dev {
			return fmt.Errorf("workers %d and %d have different tables", found[0].boot.Worker, r.boot.Worker)
		}
		if len(r.fds) != 2+len(c.members) {
			return fmt.Errorf("worker %d knows %d workers, and there are to be %d", r.boot.Worker, len(r.fds)-2, len(c.members))
		}
	}
	return nil
}

// handWakes gives the engine's handles the eventfds that the workers have. A worker that is not there gets the wake-up that the others have for it, and
// a new one for its punts.
func handWakes(e *fastpath.Engine, found []*relic) error {
	punts := make([]int, e.Workers())
	for _, r := range found {
		punts[r.boot.Worker] = r.fds[1]
	}
	for i := range e.Workers() {
		w := e.Worker(i)
		if w == nil {
			return fmt.Errorf("worker %d was never made", i)
		}
		wake, err := unix.FcntlInt(uintptr(found[0].fds[2+i]), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("the descriptor that wakes worker %d: %w", i, err)
		}
		up := -1
		if punts[i] != 0 {
			if up, err = unix.FcntlInt(uintptr(punts[i]), unix.F_DUPFD_CLOEXEC, 0); err != nil {
				return fmt.Errorf("the descriptor of worker %d's punts: %w", i, err)
			}
		}
		if err := w.UseWakeFDs(wake, up); err != nil {
			return err
		}
	}
	return nil
}

// lacks says why a process that was found has to give way to another, "" if it is as it is to be.
func lacks(is, want *Boot, pid int) string {
	switch {
	case is.Build != want.Build:
		return "it is of another build"
	case is.Frames != want.Frames:
		return "it has other packet memory"
	case is.Adaptive != want.Adaptive:
		return "it polls otherwise"
	case is.Sockets != want.Sockets:
		return "its sockets have other rings, or other ways to take packets"
	case is.NetAdmin != want.NetAdmin:
		return "it has other capabilities"
	case is.CPU != want.CPU || want.CPU >= 0 && cpuOf(pid) != want.CPU:
		return "it is tied to another CPU"
	}
	return ""
}

// dismiss ends workers that can't be taken over. One that can't be killed keeps its socket: the next start has to see it, too.
func (c *Crew) dismiss(found []*relic) error {
	var failed error
	for _, r := range found {
		r.release()
		if err := r.link.askStop(); err != nil {
			r.proc.kill(unix.SIGTERM)
		}
		r.link.c.Close()
		if r.proc.end(closePatience) {
			_ = os.Remove(r.path)
		} else {
			failed = errors.Join(failed, fmt.Errorf("crew: worker %d (process %d) can't be killed", r.boot.Worker, r.proc.pid))
		}
		r.proc.close()
	}
	return failed
}

// End stops the workers that a naved before has left in a run directory: for one that wants none. If another naved has the directory, that is an error; until release
// is called it is this one's.
func End(runDir string, log *slog.Logger) (release func(), err error) {
	dir, err := filepath.Abs(runDir)
	if err != nil {
		return nil, fmt.Errorf("crew: %w", err)
	}
	own, err := occupy(dir)
	if err != nil {
		return nil, err
	}
	c := &Crew{cfg: Config{RunDir: dir, Log: log, Patience: startPatience}}
	if err := c.end(); err != nil {
		own.Close()
		return nil, err
	}
	return func() { own.Close() }, nil
}

// end stops the workers that run.
func (c *Crew) end() error {
	found, err := c.find()
	if err != nil {
		return err
	}
	for _, r := range found {
		c.cfg.Log.Info("a worker of the naved before is stopped", "worker", r.boot.Worker, "pid", r.proc.pid)
	}
	return c.dismiss(found)
}
