package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"nave/testbed/need"
)

// Two groups that every Linux has stand for nave and nave-admin.
const lookGroup, changeGroup = 1, 2

// somebody is a process of a user in some groups.
type somebody struct {
	uid, gid uint32
	groups   []uint32
}

// become makes a thread a somebody's.
func (w somebody) become() error {
	var first unsafe.Pointer
	if len(w.groups) > 0 {
		first = unsafe.Pointer(&w.groups[0])
	}
	g, u := uintptr(w.gid), uintptr(w.uid)
	for _, call := range [][4]uintptr{{unix.SYS_SETGROUPS, uintptr(len(w.groups)), uintptr(first)}, {unix.SYS_SETRESGID, g, g, g}, {unix.SYS_SETRESUID, u, u, u}} {
		if _, _, e := unix.RawSyscall(call[0], call[1], call[2], call[3]); e != 0 {
			return e
		}
	}
	return nil
}

// do runs f on a thread of its own that is somebody's.
func (w somebody) do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with what it has become
		err := w.become()
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// dial connects as somebody.
func (w somebody) dial(path string) (c net.Conn, err error) {
	err = w.do(func() error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(fd), path)
		defer f.Close()
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			return err
		}
		c, err = net.FileConn(f)
		return err
	})
	return c, err
}

// ask sends a request as somebody, and returns the status of the answer.
func (w somebody) ask(t *testing.T, path, method, url, body string) (int, string) {
	t.Helper()
	c, err := w.dial(path)
	if err != nil {
		t.Fatalf("%+v can't connect: %v", w, err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: nave\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", method, url, len(body), body)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text)
}

// audits keeps what Audit is told.
type audits struct {
	mu   sync.Mutex
	list []string
}

func (a *audits) note(who *Caller, what string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, fmt.Sprintf("%s: %s: %v", who.Name, what, err))
}

func (a *audits) all() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.list)
}

// guarded is a server with every service, that who is in the groups may use. The services do nothing: only who is refused is asked about.
func guarded(t *testing.T) (path string, a *audits) {
	t.Helper()
	need.Root(t)
	var names [2]string
	for i, id := range []string{"1", "2"} {
		g, err := user.LookupGroupId(id)
		if err != nil {
			t.Fatal(err)
		}
		names[i] = g.Name
	}
	dir, err := os.MkdirTemp("", "access")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	a = &audits{}
	path = filepath.Join(dir, "nave.sock")
	s, err := Serve(path, Services{
		Box: &box{}, Config: struct{ Config }{}, Logs: struct{ Logs }{}, Debug: struct{ Debugger }{}, Explain: struct{ Explainer }{}, Capture: struct{ Capturer }{}, Ping: struct{ Pinger }{},
		Enable: struct{ Enabler }{}, Access: Access{Look: names[0], Change: names[1]}, Audit: a.note,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return path, a
}

// Who may do what, over real sockets, as the users that they are.
func TestAccess(t *testing.T) {
	path, a := guarded(t)
	looker := somebody{4000, 4000, []uint32{lookGroup}}
	for _, c := range []struct {
		name         string
		who          somebody
		look, change int // 0: can't even connect
	}{
		{"root", somebody{0, 0, nil}, 200, 200},
		{"may look", looker, 200, 403},
		{"may look, by the first group", somebody{4000, lookGroup, nil}, 200, 403},
		{"may change", somebody{4001, 4001, []uint32{lookGroup, changeGroup}}, 200, 200},
		{"may change, and not open the socket", somebody{4001, 4001, []uint32{changeGroup}}, 0, 0},
		{"nobody", somebody{4002, 4002, []uint32{5000}}, 0, 0},
	} {
		if c.look == 0 {
			if conn, err := c.who.dial(path); !errors.Is(err, unix.EACCES) {
				t.Errorf("%s connects: %v", c.name, err)
				if conn != nil {
					conn.Close()
				}
			}
			continue
		}
		if got, text := c.who.ask(t, path, "GET", "/v1/status", ""); got != c.look {
			t.Errorf("%s looks: %d %s", c.name, got, text)
		}
		if got, text := c.who.ask(t, path, "POST", "/v1/clear", `{"what":"ip nhrp"}`); got != c.change {
			t.Errorf("%s clears: %d %s", c.name, got, text)
		}
	}
	want := []string{"root: clear ip nhrp: <nil>", "4000: POST /v1/clear: 4000 may look and not change", "4001: clear ip nhrp: <nil>"} // a try is told once a second
	got := slices.Compact(a.all())
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
	// The folder that the socket is in lets the group pass, and neither read nor lock it; what else is there stays closed.
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "worker-0.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := looker.do(func() error { _, err := os.Open(filepath.Dir(path)); return err }); !errors.Is(err, os.ErrPermission) {
		t.Errorf("the group reads the folder: %v", err)
	}
	if err := looker.do(func() error { _, err := os.Open(filepath.Join(filepath.Dir(path), "worker-0.sock")); return err }); !errors.Is(err, os.ErrPermission) {
		t.Errorf("the group opens what is beside the socket: %v", err)
	}
	if err := looker.do(func() error { return os.Remove(path) }); !errors.Is(err, os.ErrPermission) {
		t.Errorf("the group removes the socket: %v", err)
	}
}

// Should the kernel let somebody as far as the server who is in no group (a process with CAP_DAC_OVERRIDE), the server does not answer either.
func TestStrangerIsRefused(t *testing.T) {
	path, _ := guarded(t)
	if err := errors.Join(os.Chmod(path, 0o666), os.Chmod(filepath.Dir(path), 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"/v1/status", "/v1/flows?most=1", "/v1/greeting", "/nothing"} {
		if got, text := (somebody{4002, 4002, []uint32{5000}}).ask(t, path, "GET", url, ""); got != 403 {
			t.Errorf("%s: %d %s", url, got, text)
		}
	}
}

// mayLook are the requests that who may only look may send, beside those that get something. A new one that is to be here changes nothing, and shows neither keys nor packets.
var mayLook = []string{"POST /v1/query", "POST /v1/ping", "POST /v1/config/text", "POST /v1/explain"}

// notForLookers are requests that get what is not for everybody.
var notForLookers = []string{}

var routes = regexp.MustCompile(`HandleFunc\("((GET|POST|PUT|DELETE|PATCH) (/v1/[a-z/-]*[a-z]))"`)

// Each request that there is and that changes something is refused to who may only look. The list is read from the code, so none is forgotten.
func TestLookersChangeNothing(t *testing.T) {
	path, a := guarded(t)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range routes.FindAllStringSubmatch(string(text), -1) {
			route, method, url := m[1], m[2], m[3]
			if strings.HasSuffix(f, "_test.go") || seen[route] || slices.Contains(mayLook, route) || method == "GET" && !slices.Contains(notForLookers, route) {
				continue
			}
			seen[route] = true
			if got, text := (somebody{4000, 4000, []uint32{lookGroup}}).ask(t, path, method, url, "{}"); got != http.StatusForbidden {
				t.Errorf("%s is open to who may only look: %d %s", route, got, text)
			}
		}
	}
	if len(seen) < 4 {
		t.Errorf("only %d requests were found", len(seen))
	}
	if log := a.all(); len(log) == 0 || !strings.Contains(log[0], "may look and not change") {
		t.Errorf("the log does not say that somebody tried: %q", log)
	}
}

// Who may only look is not served without end, and holds up nobody else.
func TestAsksTooOften(t *testing.T) {
	path, _ := guarded(t)
	looker, refused := somebody{4000, 4000, []uint32{lookGroup}}, 0
	for range asksAtOnce + 100 {
		if got, _ := looker.ask(t, path, "GET", "/v1/status", ""); got == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 {
		t.Log("this machine is too slow to ask so often: TestShares has that alone")
	}
	if got, _ := (somebody{4003, 4003, []uint32{lookGroup}}).ask(t, path, "GET", "/v1/status", ""); got != 200 {
		t.Errorf("another user: %d", got)
	}
	if got, _ := (somebody{0, 0, nil}).ask(t, path, "GET", "/v1/status", ""); got != 200 {
		t.Errorf("root: %d", got)
	}
}

// Connections that send nothing are a user's own trouble.
func TestConnectionsAreCounted(t *testing.T) {
	path, _ := guarded(t)
	looker := somebody{4000, 4000, []uint32{lookGroup}}
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	for range connectionsPerUser + 1 {
		c, err := looker.dial(path)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	last := open[connectionsPerUser]
	_ = last.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := last.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("one more than a user may have: %v", err)
	}
	if got, _ := (somebody{4003, 4003, []uint32{lookGroup}}).ask(t, path, "GET", "/v1/status", ""); got != 200 {
		t.Errorf("another user: %d", got)
	}
	open[0].Close()
	for late := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) { // it is noticed in its time
		c, err := looker.dial(path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, "GET /v1/status HTTP/1.1\r\nHost: nave\r\nConnection: close\r\n\r\n")
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, _ := c.Read(make([]byte, 1))
		c.Close()
		if n == 1 {
			return
		}
		if time.Now().After(late) {
			t.Fatal("a place that was given up is not given again")
		}
	}
}

func TestShares(t *testing.T) {
	d := &door{}
	for range asksAtOnce {
		d.mayAsk(7)
	}
	d.users[7].at = time.Now().Add(time.Hour) // nothing comes back meanwhile, however slow this is
	d.users[7].asks = 0.5
	if d.mayAsk(7) || !d.mayAsk(8) {
		t.Errorf("%+v", d.users[7])
	}
	d.users[7].at, d.users[7].asks = time.Now().Add(-time.Second), 0
	if !d.mayAsk(7) || d.users[7].asks < asksPerSecond-2 {
		t.Errorf("after a second: %+v", d.users[7])
	}
}

// One user is given so many answers at a time, and all who may only look together, too; so it is with their connections. Who may change things is not in that.
func TestShared(t *testing.T) {
	d := &door{}
	var ends []func()
	for uid := range uint32(lookAnswers) {
		given := 0
		for range answersAtOnce + 1 {
			if end, ok := d.begin(uid); ok {
				ends, given = append(ends, end), given+1
			}
		}
		if want := min(answersAtOnce, max(0, lookAnswers-answersAtOnce*int(uid))); given != want {
			t.Fatalf("user %d is given %d answers, want %d", uid, given, want)
		}
	}
	for _, end := range ends {
		end()
	}
	if _, ok := d.begin(1); !ok {
		t.Error("what was given up is not given again")
	}
	entered := 0
	for uid := range uint32(2 * lookConnections) {
		if d.enter(&Caller{UID: 100 + uid}) {
			entered++
		}
	}
	if entered != lookConnections {
		t.Errorf("%d connections, want %d", entered, lookConnections)
	}
	if !d.enter(&Caller{UID: 99, Change: true}) {
		t.Error("there is no room for who may change things")
	}
	d.left(&Caller{UID: 100})
	if !d.enter(&Caller{UID: 100}) {
		t.Error("a place that was given up is not given again")
	}
}

// The server ends, whoever leaves an answer or a request lying.
func TestCloseDoesNotWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s, err := Serve(path, Services{Box: &box{}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "POST /v1/query HTTP/1.1\r\nHost: nave\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err != nil { // the server reads the body by now
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("the connection is still there: %v", err)
	}
}

// Bodies and headers have an end.
func TestRequestsAreBounded(t *testing.T) {
	path, _ := guarded(t)
	root := somebody{0, 0, nil}
	if got, text := root.ask(t, path, "POST", "/v1/query", `{"vrf":"`+strings.Repeat("x", maxBody)+`"}`); got != 400 {
		t.Errorf("a body that is too long: %d %s", got, text)
	}
	if got, _ := root.ask(t, path, "GET", "/v1/status?"+strings.Repeat("x", 2*maxHeader), ""); got != 431 {
		t.Errorf("a header that is too long: %d", got)
	}
}
