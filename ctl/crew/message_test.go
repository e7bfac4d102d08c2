package crew

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nave/fastpath/port/afxdp"
)

// requests and replies are one of each kind.
func requests() []request {
	return []request{
		{ID: 1, Op: opHello}, {ID: 2, Op: opPorts, From: 32}, {ID: 3, Op: opStop}, {ID: 4, Op: opDetach, Port: 7}, {ID: 5, Op: opRelay, Port: 7, Via: 1},
		{ID: 7, Op: opTake, Attach: &Attach{Port: 7, Ifindex: 3, Space: 4026531840}},
		{ID: 6, Op: opAttach, Attach: &Attach{Port: 7, Ifindex: 3, Queue: 2, More: 1, Step: 2, Sockets: Sockets{Ring: 1024, Copy: true, BusyPoll: 20, Budget: 64}}},
	}
}

func replies() []reply {
	return []reply{
		{Error: controlled}, {ID: 3},
		{ID: 9, Boot: &Boot{Worker: 2, Chunk: 4096, Frames: 5, CPU: -1, Adaptive: true, Build: "b", Socket: "/run/x", Started: time.Unix(1_800_000_000, 0).UTC()},
			Host: &Host{Huge: true, Ports: []PortState{{Attach: Attach{Port: 1, Ifindex: 2}, ZeroCopy: true, Stats: afxdp.Stats{Wakeups: 4}}}, Next: 1, All: []portID{1}}},
	}
}

// TestMessages: what is said is understood, and no part of it is taken for all of it.
func TestMessages(t *testing.T) {
	for _, r := range requests() {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseRequest(b); err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%s is read as %+v, %v", b, got, err)
		}
		for n := range b {
			if _, err := parseRequest(b[:n]); !errors.Is(err, errMessage) {
				t.Errorf("%q was taken: %v", b[:n], err)
			}
		}
	}
	for _, r := range replies() {
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseReply(b); err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%s is read as %+v, %v", b, got, err)
		}
		for n := range b {
			if _, err := parseReply(b[:n]); !errors.Is(err, errMessage) {
				t.Errorf("%q was taken: %v", b[:n], err)
			}
		}
	}
	for _, s := range []string{
		`{"id":1,"op":"hello"}{"id":2}`, `{"id":1,"op":"fly"}`, `{"id":1,"op":"attach"}`, `{"op":"attach","attach":{"port":0,"ifindex":1}}`,
		`{"op":"attach","attach":{"port":1,"ifindex":0}}`, `{"op":"attach","attach":{"port":1,"ifindex":1,"queue":-1}}`, `{"op":"detach"}`,
		`{"op":"relay","port":1,"via":-1}`, `{"op":"ports","from":-1}`, `{"op":"detach","port":70000}`, `[]`, `"hello"`, `null`, strings.Repeat(" ", maxMessage+1),
	} {
		if r, err := parseRequest([]byte(s)); !errors.Is(err, errMessage) {
			t.Errorf("%.40q was taken for %+v, %v", s, r, err)
		}
	}
	for _, s := range []string{`{"worker":-1,"frames":1}`, `{"worker":64,"frames":1}`, `{"worker":0}`, `{"frames":1,"cpu":-2}`, ``} {
		if b, err := parseBoot([]byte(s)); !errors.Is(err, errMessage) {
			t.Errorf("%q was taken for %+v, %v", s, b, err)
		}
	}
}

func FuzzRequest(f *testing.F) {
	for _, r := range requests() {
		b, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRequest(b)
		if err != nil {
			return
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseRequest(again); err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%+v is not what it is said as: %+v, %v", r, got, err)
		}
	})
}

func FuzzReply(f *testing.F) {
	for _, r := range replies() {
		b, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseReply(b)
		if err != nil {
			return
		}
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	})
}

// connected is both ends of a connection.
func connected(t *testing.T) (a, b *conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = newConn(c.(*net.UnixConn))
		t.Cleanup(func() { ends[i].Close() })
	}
	return ends[0], ends[1]
}

// TestConn: descriptors arrive with their message, and what is too long or too much is neither sent nor taken.
func TestConn(t *testing.T) {
	a, b := connected(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("seen"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := a.send(request{ID: 5, Op: opHello}, int(f.Fd()), int(f.Fd())); err != nil {
		t.Fatal(err)
	}
	text, fds, err := b.receive()
	if err != nil || len(fds) != 2 {
		t.Fatal(len(fds), err)
	}
	if r, err := parseRequest(text); err != nil || r.ID != 5 {
		t.Errorf("%+v, %v", r, err)
	}
	var got [4]byte
	if n, err := unix.Read(fds[1], got[:]); err != nil || string(got[:n]) != "seen" {
		t.Errorf("the descriptor reads %q, %v", got[:n], err)
	}
	if flags, err := unix.FcntlInt(uintptr(fds[0]), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Error("a descriptor that came goes on to programs that are started")
	}
	closeAll(fds)
	if err := a.send(reply{Error: strings.Repeat("x", maxMessage)}); err == nil {
		t.Error("a message that is too long was sent")
	}
	if _, err := a.Write([]byte(strings.Repeat(" ", maxMessage+100))); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.receive(); err == nil {
		t.Error("a message that is too long was taken")
	}
	if err := a.send(request{Op: opHello}, make([]int, maxFDs+20)...); err == nil {
		if _, fds, err := b.receive(); err == nil {
			t.Errorf("%d descriptors were taken", len(fds))
		}
	}
	a.Close()
	if _, _, err := b.receive(); err == nil {
		t.Error("something came over a connection that has ended")
	}
}

// TestManyQueues: the ports of a worker with the most queues that there can be come in answers that are short enough, and all of them do.
func TestManyQueues(t *testing.T) {
	a, b := connected(t)
	var all []PortState
	h := Host{HugeWhy: strings.Repeat("x", 200)}
	for p := range 255 {
		h.All = append(h.All, portID(p+65281))
		for q := range 4 {
			all = append(all, PortState{
				Attach:  Attach{Port: portID(p + 1), Ifindex: 1 << 30, Queue: q, Sockets: Sockets{Ring: 1 << 16, BusyPoll: 1 << 20, Budget: 1 << 16}},
				CopyWhy: strings.Repeat("c", 300), BusyWhy: strings.Repeat("b", 300), Stats: afxdp.Stats{Wakeups: 1 << 60, RingFull: 1 << 60, FillEmpty: 1 << 60},
			})
		}
	}
	go func() {
		defer b.Close()
		for {
			text, _, err := b.receive()
			if err != nil {
				return
			}
			r, err := parseRequest(text)
			if err != nil || r.Op != opPorts {
				return
			}
			page := h
			page.describe(all, r.From)
			if b.send(reply{ID: r.ID, Host: &page}) != nil {
				return
			}
		}
	}()
	got, err := newLink(a, nil).host(deadline(10 * time.Second))
	if err != nil || !reflect.DeepEqual(got.Ports, all) || len(got.All) != len(h.All) {
		t.Errorf("%d of %d queues and %d of %d ports came: %v", len(got.Ports), len(all), len(got.All), len(h.All), err)
	}
	if got.describe(all, 1<<30); len(got.Ports) != 0 || got.Next != 0 {
		t.Error("there is something after the end")
	}
}
