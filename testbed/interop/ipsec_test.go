package interop

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nave/testbed/topo"
)

// lane is a nave router and a guest with a tunnel between them; lanes work side by side.
type lane struct {
	s      *Scenario
	router string
	guest  *Guest
	pki    string
	nave   string // NBMA addresses
	swan   string
	inner  string // of the tunnel's addresses, nave's is .1 and the guest's .2
}

// lanes brings up n lanes.
func lanes(t *testing.T, n int) []*lane {
	t.Helper()
	var out []*lane
	routers, guests := make(map[string]string), make(map[string]string)
	for k := 1; k <= n; k++ {
		l := &lane{router: fmt.Sprint("gw", k), nave: fmt.Sprint("192.0.2.", k), swan: fmt.Sprint("192.0.2.1", k), inner: fmt.Sprintf("10.255.%d.", k)}
		routers[l.router] = l.config("", "")
		guests[guestNames[k-1]] = fmt.Sprintf("ROLE=gre\nN=%d\nTUNNEL=%s2\n", k, l.inner) + l.settings(suites[0], "START=none")
		out = append(out, l)
	}
	s := StartWith(t, "lanes", routers, guests)
	pki := certified(t, s)
	for k, l := range out {
		l.s, l.guest, l.pki = s, s.Guests[guestNames[k]], pki
	}
	return out
}

// config is the router's configuration with these crypto commands; without any the tunnel is down.
func (l *lane) config(crypto string, tunnel ...string) string {
	protection := " shutdown\n"
	if crypto != "" {
		protection = " tunnel protection ipsec profile LAB\n"
	}
	for _, t := range tunnel {
		if t != "" {
			protection += " " + t + "\n"
		}
	}
	return fmt.Sprintf("hostname %s\n%sinterface Tunnel0\n ip address %s1 255.255.255.0\n ip mtu 1400\n ip nhrp map %s2 %s\n ip nhrp network-id 1\n"+
		" tunnel source Ethernet0\n tunnel mode gre multipoint\n tunnel key 100000\n%sinterface Ethernet0\n ip address %s 255.255.255.0\nend\n",
		l.router, crypto, l.inner, l.inner, l.swan, protection, l.nave)
}

// settings are the guest's.
func (l *lane) settings(s Suite, more ...string) string {
	return s.settings("NBMA=" + l.swan + "\nGATEWAY=" + l.nave + "\n" + strings.Join(more, "\n") + "\n")
}

// naveStarts and swanStarts bring the tunnel up from one side, from nothing.
func (l *lane) naveStarts(s Suite, profile, settings []string) error {
	if _, err := l.guest.Swan(l.settings(s, append(settings, "START=none")...), "swan_again"); err != nil {
		return err
	}
	return l.s.Configure(l.router, l.config(s.Crypto(l.pki, profile...)))
}

func (l *lane) swanStarts(s Suite, profile, settings []string) error {
	if err := l.s.Configure(l.router, l.config(s.Crypto(l.pki, append(profile, "responder-only")...))); err != nil {
		return err
	}
	out, err := l.guest.Swan(l.settings(s, append(settings, "START=none")...), "swan_again\nswanctl --initiate --child gre --timeout 90")
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// down takes the tunnel down on both sides.
func (l *lane) down() error {
	err := l.s.Configure(l.router, l.config(""))
	_, err2 := l.guest.Swan("", "swanctl --terminate --ike peer --force --timeout 2 >/dev/null 2>&1; ip xfrm state flush")
	return errors.Join(err, err2)
}

// ping crosses the tunnel, from whichever side.
func (l *lane) ping(fromNave bool) error {
	if fromNave {
		_, err := l.s.Run(l.router, "ping", "-n", "-c", "1", "-W", "1", "-I", l.inner+"1", l.inner+"2")
		return err
	}
	_, err := l.guest.Run("ping -n -c 1 -W 1 -I " + l.inner + "2 " + l.inner + "1")
	return err
}

// agrees waits until both sides show the suite: packets may cross a moment before.
func (l *lane) agrees(s Suite, initiator bool) error {
	return topo.Eventually(patience, func() error {
		return errors.Join(l.s.CheckNave(l.router, l.swan, s, initiator), s.check(l.guest, !initiator))
	})
}

// row is a line of the interop table.
type row struct {
	suite Suite
	role  string // nave's
	took  time.Duration
	err   error
}

// run brings a suite up with nave in one role, and checks what both sides say and what is on the wire.
func (l *lane) run(s Suite, initiator bool) row {
	r, start := row{suite: s, role: map[bool]string{true: "initiator", false: "responder"}[initiator]}, time.Now()
	up := l.swanStarts
	if initiator {
		up = l.naveStarts
	}
	r.err = up(s, nil, nil)
	for _, check := range []func() error{
		func() error { return topo.Eventually(patience, func() error { return l.ping(initiator) }) },
		func() error { return topo.Eventually(patience, func() error { return l.ping(!initiator) }) },
		func() error { return l.agrees(s, initiator) },
		func() error {
			return topo.Eventually(patience, func() error { return l.s.Wire.Sealed(start, l.nave, l.swan, s.protocol()) })
		},
	} {
		if r.err == nil {
			r.err = check()
		}
	}
	r.took = time.Since(start)
	if r.err != nil { // what both sides have to say about it, before it is taken down
		text, _, _ := l.s.LogSince(l.router, 0)
		charon, _ := l.guest.Run("tail -30 /var/log/charon.log")
		r.err = fmt.Errorf("%w\nlog of %s:\n%s\ncharon of %s:\n%s", r.err, l.router, tail(text, 25), l.guest.Name, charon)
	}
	r.err = errors.Join(r.err, l.down())
	return r
}

func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Tunnels between nave and strongSwan, four of them side by side: on three of them suites first, and then what may befall a tunnel; lifetimes, which are long, on the fourth.
func TestStrongSwan(t *testing.T) {
	l := lanes(t, 4)
	t.Run("tunnels", func(t *testing.T) {
		t.Run("1 to 3", func(t *testing.T) {
			t.Parallel()
			t.Run("suites", func(t *testing.T) { allSuites(t, l[:3]) })
			for k, s := range []Suite{old, modern} {
				t.Run(s.String(), func(t *testing.T) {
					t.Parallel()
					life(t, l[k], s)
					refusals(t, l[k], s)
				})
			}
			t.Run("3", func(t *testing.T) {
				t.Parallel()
				badCertificates(t, l[2])
				details(t, l[2])
				scanned(t, l[2])
			})
		})
		t.Run("4", func(t *testing.T) {
			t.Parallel()
			t.Run("lifetimes v2", func(t *testing.T) { lifetimes(t, l[3], modern, 120) })
			t.Run("lifetimes v1", func(t *testing.T) { lifetimes(t, l[3], old, 60) })
		})
	})
	if leaks := l[0].s.Wire.InClear(time.Time{}); len(leaks) > 0 {
		t.Errorf("%d packets in clear; the first: %s", len(leaks), leaks[0])
	}
}

// allSuites runs every suite, with nave as initiator and as responder: the table of what works with strongSwan.
// NAVE_INTEROP_TABLE names a file to write it to.
func allSuites(t *testing.T, all []*lane) {
	type job struct {
		suite     Suite
		initiator bool
	}
	jobs, done := make(chan job), make(chan row)
	var workers sync.WaitGroup
	for _, l := range all {
		workers.Go(func() {
			for j := range jobs {
				done <- l.run(j.suite, j.initiator)
			}
		})
	}
	go func() {
		for _, s := range suites {
			jobs <- job{s, true}
			jobs <- job{s, false}
		}
		close(jobs)
		workers.Wait()
		close(done)
	}()
	var rows []row
	for r := range done {
		if r.err != nil {
			t.Errorf("%s, nave as %s: %v", r.suite, r.role, r.err)
		}
		rows = append(rows, r)
	}
	version, err := all[0].guest.Run("/usr/lib/ipsec/charon --version")
	if err != nil {
		t.Error(err)
	}
	writeTable(t, strings.TrimSpace(strings.TrimPrefix(version, "Linux ")), rows)
}

// writeTable prints the interop table.
func writeTable(t *testing.T, peer string, rows []row) {
	order := make(map[Suite]int)
	for k, s := range suites {
		order[s] = k
	}
	slices.SortFunc(rows, func(a, b row) int {
		if d := order[a.suite] - order[b.suite]; d != 0 {
			return d
		}
		return strings.Compare(a.role, b.role)
	})
	var b strings.Builder
	b.WriteString("| peer | IKE | authentication | IKE algorithms | ESP or AH | mode | nave is | result |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, r := range rows {
		mode, result := "transport", "up"
		if r.suite.Tunnel {
			mode = "tunnel"
		}
		if r.err != nil {
			result = "FAILED"
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s | %s | %s | %s |\n", peer, r.suite.Version, r.suite.Auth, r.suite.IKE, r.suite.ESP, mode, r.role, result)
	}
	t.Logf("%d rows\n%s", len(rows), b.String())
	if file := os.Getenv("NAVE_INTEROP_TABLE"); file != "" {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Error(err)
		}
	}
}
