package api

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// What one user may take of the daemon. root and the daemon's own user are counted, too, and never turned away.
const (
	connectionsPerUser = 64
	asksPerSecond      = 50 // of who may only look: each answer takes time of the control plane
	asksAtOnce         = 100
	answersAtOnce      = 8 // of who may only look: an answer that nobody takes is as large as a status until writeLimit
	// What all who may only look have together, as a user can be many: of containers, and of numbers that a user is given for them.
	lookConnections = 1024
	lookAnswers     = 64
	// readLimit is how long the body of a request may take to come; writeLimit how long a client may leave what it is sent unread.
	readLimit  = 30 * time.Second
	writeLimit = 30 * time.Second
)

// listen makes the socket, and lets nobody connect before it has the right owner and mode: root's, and the group's.
func listen(path, group string) (*net.UnixListener, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("api: socket: %w", err)
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close() // the listener has a descriptor of its own
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return nil, fmt.Errorf("api: socket %s: %w", path, err)
	}
	err = open(path, group)
	if err == nil {
		err = unix.Listen(fd, 128)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("api: socket %s: %w", path, err), os.Remove(path))
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("api: socket %s: %w", path, err), os.Remove(path))
	}
	u := l.(*net.UnixListener)
	u.SetUnlinkOnClose(true)
	return u, nil
}

// open lets a group use the socket, and pass through its folder if that is the daemon's alone: pass, not read, so that its members can neither see what else is there nor
// lock the folder.
func open(path, group string) error {
	id, ok := groupID(group)
	if !ok {
		return os.Chmod(path, 0o600)
	}
	if err := os.Chown(path, -1, int(id)); errors.Is(err, os.ErrPermission) { // not a member of the group, and without CAP_CHOWN: `nave doctor` says so
		return os.Chmod(path, 0o600)
	} else if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return err
	}
	if int(st.Uid) != os.Geteuid() || st.Mode&0o067 != 0 {
		return nil
	}
	return errors.Join(os.Chown(dir, -1, int(id)), os.Chmod(dir, 0o710))
}

// door accepts connections, and knows who each is of.
type door struct {
	*net.UnixListener
	access Access

	mu      sync.Mutex
	users   map[uint32]*presence
	lookers int // connections of who may only look
	answers int // that they are given at the moment
}

// presence is what a user takes at the moment.
type presence struct {
	connections int
	answers     int     // that are under way
	asks        float64 // that may come at once
	at          time.Time
	told        time.Time // when the log was told last of what the user may not
}

// Accept waits for the next connection of somebody who may come in. Others are closed: the kernel has let them as far as the socket's mode does.
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.AcceptUnix()
		if err != nil {
			return nil, err
		}
		who, err := d.access.callerOf(c)
		if err != nil || !d.enter(who) {
			c.Close()
			continue
		}
		return &visitor{UnixConn: c, who: who, leave: sync.OnceFunc(func() { d.left(who) })}, nil
	}
}

func (d *door) user(uid uint32) *presence {
	p := d.users[uid]
	if p == nil {
		p = &presence{asks: asksAtOnce}
		if d.users == nil {
			d.users = make(map[uint32]*presence)
		}
		d.users[uid] = p
	}
	return p
}

// enter counts a connection, unless the user has too many.
func (d *door) enter(who *Caller) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.user(who.UID)
	if p.connections >= connectionsPerUser && who.UID != 0 && who.UID != uint32(os.Geteuid()) {
		return false
	}
	if !who.Change {
		if d.lookers >= lookConnections {
			return false
		}
		d.lookers++
	}
	p.connections++
	return true
}

func (d *door) left(who *Caller) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.user(who.UID).connections--
	if !who.Change {
		d.lookers--
	}
	for id, p := range d.users { // whom nothing is to be remembered of
		if p.connections == 0 && time.Since(p.at) > asksAtOnce/asksPerSecond*time.Second {
			delete(d.users, id)
		}
	}
}

// mayAsk takes a request of a user's share.
func (d *door) mayAsk(uid uint32) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, now := d.user(uid), time.Now()
	if !p.at.IsZero() {
		p.asks = min(asksAtOnce, p.asks+now.Sub(p.at).Seconds()*asksPerSecond)
	}
	p.at = now
	if p.asks < 1 {
		return false
	}
	p.asks--
	return true
}

// begin counts an answer to who may only look, unless too many are under way. done must be called when it was given.
func (d *door) begin(uid uint32) (done func(), ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.user(uid)
	if p.answers >= answersAtOnce || d.answers >= lookAnswers {
		return nil, false
	}
	p.answers++
	d.answers++
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		p.answers--
		d.answers--
	}, true
}

// mayTell tells whether it is time to have it logged again that a user tried what it may not: its tries must not fill the log.
func (d *door) mayTell(uid uint32) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	p, now := d.user(uid), time.Now()
	if now.Sub(p.told) < time.Second {
		return false
	}
	p.told = now
	return true
}

// visitor is a connection with its user.
type visitor struct {
	*net.UnixConn
	who   *Caller
	leave func()
}

// Write fails if the client takes nothing for some time: who only opens its mouth holds nothing up.
func (v *visitor) Write(b []byte) (int, error) {
	if err := v.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return 0, err
	}
	return v.UnixConn.Write(b)
}

// Close implements net.Conn.
func (v *visitor) Close() error {
	v.leave()
	return v.UnixConn.Close()
}
