package interop

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"nave/testbed/topo"
)

// The suites of the tests that are not about suites: of the routers of old, and of today; both with PFS.
var (
	old    = Suite{Version: 1, Auth: "psk", IKE: "3des-md5-modp1024", ESP: "3des-md5-modp1024"}
	modern = Suite{Version: 2, Auth: "psk", IKE: "aes256gcm16-prfsha256-x25519", ESP: "aes256gcm16-x25519"}
)

// up brings a lane's tunnel up for the length of a test, nave being the initiator, and waits until it carries packets.
func (l *lane) up(t *testing.T, s Suite, profile, settings []string, global string) {
	t.Helper()
	if _, err := l.guest.Swan(l.settings(s, append(settings, "START=none")...), "swan_again"); err != nil {
		t.Fatal(err)
	}
	if err := l.s.Configure(l.router, l.config(global+s.Crypto(l.pki, profile...))); err != nil {
		t.Fatal(err)
	}
	l.settled(t)
}

// settled waits until the tunnel carries packets both ways.
func (l *lane) settled(t *testing.T) {
	t.Helper()
	Soon(t, func() error { return errors.Join(l.ping(true), l.ping(false)) })
}

// active is the child that nave sends by.
func (l *lane) active(t *testing.T) NaveChild {
	t.Helper()
	var c *NaveChild
	Soon(t, func() error {
		n, err := l.s.Session(l.router, l.swan)
		if err != nil {
			return err
		}
		if n != nil {
			c = n.Active()
		}
		if c == nil {
			return fmt.Errorf("%s has no child that sends: %+v", l.router, n)
		}
		return nil
	})
	return *c
}

var pingStats = regexp.MustCompile(`(\d+) packets transmitted, (\d+) received`)

// lossless pings across the tunnel while f runs, from the guest, every 20 ms for as long as f takes and a little more. It fails if one is lost.
func (l *lane) lossless(t *testing.T, what string, f func()) {
	t.Helper()
	const file = "/run/lossless"
	if _, err := l.guest.Run("ping -n -i 0.02 -W 3 -s 400 -I " + l.inner + "2 " + l.inner + "1 >" + file + " 2>&1 & echo $! >" + file + ".pid"); err != nil {
		t.Fatal(err)
	}
	f()
	time.Sleep(2 * time.Second)
	out, err := l.guest.Run("kill -INT $(cat " + file + ".pid); i=0; while [ $i -lt 300 ] && ! grep -q transmitted " + file + "; do sleep 0.1; i=$((i + 1)); done; sed -n -e 's/.*bytes from .*icmp_seq=\\([0-9]*\\) .*/\\1/p' -e '/transmitted/p' " + file)
	m := pingStats.FindStringSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("%s: ping says %q (%v)", what, out, err)
	}
	sent, _ := strconv.Atoi(m[1])
	came, last := make(map[int]bool), 0
	for _, w := range strings.Fields(out[:strings.Index(out, m[0])]) {
		if n, err := strconv.Atoi(w); err == nil {
			came[n], last = true, max(last, n)
		}
	}
	// What was sent in the last moment is on its way still; what no answer came to before others that were answered is lost.
	const underWay = 25
	if len(came) < last || last < sent-underWay || sent < 40 {
		t.Errorf("%s: of %d packets the first %d found %d answers", what, sent, last, len(came))
	}
}

// life is what befalls a tunnel: new keys by either side, the end by either side, a peer that dies.
func life(t *testing.T, l *lane, s Suite) {
	dpd := map[int]string{1: "crypto isakmp keepalive 10 2 periodic\n", 2: "crypto ikev2 dpd 10 2 periodic\n"}[s.Version]
	l.up(t, s, []string{"set security-association lifetime kilobytes 2560"}, []string{"DPD=2s"}, dpd)
	t.Run("swan dies", func(t *testing.T) { dies(t, l) })
	t.Run("swan rekeys the child", func(t *testing.T) {
		before := l.active(t)
		l.lossless(t, "a child rekeyed by strongSwan", func() { l.swanctl(t, "--rekey --child gre") })
		if c := l.newChild(t, before); c.Initiator || c.PFS == 0 {
			t.Errorf("the new child is %+v", c)
		}
		Soon(t, func() error { return l.oneChild(s) })
	})
	t.Run("nave rekeys the child", func(t *testing.T) {
		before := l.active(t)
		l.lossless(t, "a child rekeyed by nave for its volume", func() {
			if out, err := l.guest.Run(fmt.Sprintf("ping -n -q -f -c 2600 -s 1200 -I %s2 %s1", l.inner, l.inner)); err != nil || !strings.Contains(out, " 0% packet loss") {
				t.Errorf("packets are lost: %v %s", err, out)
			}
		})
		if c := l.newChild(t, before); !c.Initiator || c.PFS == 0 {
			t.Errorf("the new child is %+v", c)
		}
	})
	t.Run("swan rekeys IKE", func(t *testing.T) {
		before := l.ike(t)
		l.lossless(t, "an IKE SA rekeyed by strongSwan", func() { l.swanctl(t, "--rekey --ike peer"); time.Sleep(time.Second) })
		Soon(t, func() error {
			n, err := l.s.Session(l.router, l.swan)
			if err == nil && (n == nil || !slices.ContainsFunc(n.IKE, func(i NaveIKE) bool { return i.Established && i.ID != before.ID })) {
				err = fmt.Errorf("no new IKE SA: %+v", n)
			}
			return err
		})
		l.settled(t)
	})
	t.Run("swan deletes", func(t *testing.T) { deleted(t, l, s) })
	t.Run("nave deletes", func(t *testing.T) {
		before := l.active(t)
		for _, words := range []string{"clear crypto session", "clear crypto sa"} {
			if out, err := l.s.Nave(l.router, strings.Fields(words)...); err != nil {
				t.Errorf("%v: %s", err, out)
			}
			before = l.newChild(t, before)
			l.settled(t)
			if err := topo.Eventually(patience, func() error { return l.oneChild(s) }); err != nil {
				t.Errorf("after %s: %v", words, err)
			}
		}
	})
	if err := l.down(); err != nil {
		t.Error(err)
	}
}

// deleted: strongSwan deletes the child, then the IKE SA; nave wants its peer and makes new ones.
func deleted(t *testing.T, l *lane, s Suite) {
	for _, what := range []string{"--child gre", "--ike peer"} {
		before := l.active(t)
		l.swanctl(t, "--terminate "+what)
		if c := l.newChild(t, before); !c.Initiator {
			t.Errorf("after %s the new child is %+v", what, c)
		}
		l.settled(t)
		if err := topo.Eventually(patience, func() error { return l.oneChild(s) }); err != nil {
			t.Errorf("after %s: %v", what, err)
		}
	}
}

// dies: strongSwan stops without a word; nave notices, says so, and comes back when strongSwan does.
func dies(t *testing.T, l *lane) {
	_, logged, err := l.s.LogSince(l.router, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.guest.Run("kill -STOP $(cat /run/swan.pid)"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := l.guest.Run("kill -CONT $(cat /run/swan.pid)"); err != nil {
			t.Error(err)
		}
	})
	start := time.Now()
	if err := topo.Eventually(patience, func() error {
		text, _, err := l.s.LogSince(l.router, logged)
		if err == nil && !strings.Contains(text, "dead peer") {
			err = fmt.Errorf("%s does not notice that its peer is dead:\n%s", l.router, text)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("noticed after %v", time.Since(start).Round(time.Second))
	Soon(t, func() error {
		n, err := l.s.Session(l.router, l.swan)
		if err == nil && n != nil && strings.HasPrefix(n.Status, "UP") {
			err = fmt.Errorf("the session with a dead peer is %+v", n)
		}
		return err
	})
	if _, err := l.guest.Run("kill -CONT $(cat /run/swan.pid)"); err != nil {
		t.Fatal(err)
	}
	Soon(t, func() error { return l.ping(true) })
}

func (l *lane) swanctl(t *testing.T, args string) {
	t.Helper()
	if out, err := l.guest.Swan("", "swanctl "+args); err != nil {
		t.Errorf("swanctl %s: %v: %s", args, err, out)
	}
}

// newChild waits until nave sends by another child than before.
func (l *lane) newChild(t *testing.T, before NaveChild) NaveChild {
	t.Helper()
	var c NaveChild
	Soon(t, func() error {
		if c = l.active(t); c.Out == before.Out || c.In == before.In {
			return fmt.Errorf("%s still sends by %+v", l.router, c)
		}
		return nil
	})
	return c
}

// ike is nave's established IKE SA.
func (l *lane) ike(t *testing.T) (sa NaveIKE) {
	t.Helper()
	Soon(t, func() error {
		n, err := l.s.Session(l.router, l.swan)
		if err != nil {
			return err
		}
		if n == nil || len(n.established()) == 0 {
			return fmt.Errorf("%s has %+v for its peer", l.router, n)
		}
		sa = n.established()[0]
		return nil
	})
	return sa
}

// oneChild checks that strongSwan has one IKE SA with one child, as the suite has it, and by which nave sends.
func (l *lane) oneChild(s Suite) error {
	sas, err := l.guest.SwanSAs()
	if err != nil {
		return err
	}
	n, err := l.s.Session(l.router, l.swan)
	if err != nil {
		return err
	}
	// one that was rekeyed stays with strongSwan for a while
	sas = slices.DeleteFunc(sas, func(sa SwanSA) bool { return sa.field("state") != "ESTABLISHED" })
	var installed []SwanChild
	for k := range sas {
		for _, c := range sas[k].Children {
			if c.field("state") == "INSTALLED" {
				installed = append(installed, c)
			}
		}
	}
	if len(sas) != 1 || len(installed) != 1 || n == nil || n.Active() == nil {
		return fmt.Errorf("strongSwan has %v, nave %+v", sas, n)
	}
	in, err := strconv.ParseUint(installed[0].field("spi-in"), 16, 32)
	if err != nil || uint32(in) != n.Active().Out || sas[0].algorithms() != s.SwanIKE() {
		return fmt.Errorf("strongSwan has %v, nave sends by %+v (%v)", &sas[0], *n.Active(), err)
	}
	return nil
}

// lifetimes lets nave's lifetimes end while packets cross: in time there is a new child, or a new IKE SA, and none is lost. The shortest
// that can be set are 120 s, and 60 s for an IKE SA of version 1.
func lifetimes(t *testing.T, l *lane, s Suite, seconds int) {
	crypto := s.Crypto(l.pki, "set security-association lifetime seconds 120")
	life := fmt.Sprintf("\n lifetime %d\n", seconds)
	crypto = strings.NewReplacer("crypto ikev2 profile LAB\n", "crypto ikev2 profile LAB"+life, "crypto isakmp policy 10\n", "crypto isakmp policy 10"+life).Replace(crypto)
	if _, err := l.guest.Swan(l.settings(s, "START=none"), "swan_again"); err != nil {
		t.Fatal(err)
	}
	if err := l.s.Configure(l.router, l.config(crypto)); err != nil {
		t.Fatal(err)
	}
	l.settled(t)
	before, child, start := l.ike(t), l.active(t), time.Now()
	l.lossless(t, "lifetimes ended", func() {
		if err := topo.Eventually(time.Duration(seconds)*time.Second+patience, func() error {
			n, err := l.s.Session(l.router, l.swan)
			if err == nil && (n == nil || len(n.IKE) == 0 || n.Active() == nil || seconds >= 120 && n.Active().Out == child.Out ||
				!slices.ContainsFunc(n.IKE, func(i NaveIKE) bool { return i.Established && i.ID != before.ID })) {
				err = fmt.Errorf("%s does not rekey: %+v", l.router, n)
			}
			if err != nil {
				time.Sleep(time.Second)
			}
			return err
		}); err != nil {
			t.Error(err)
			return
		}
		t.Logf("rekeyed after %v of %d s", time.Since(start).Round(time.Second), seconds)
		time.Sleep(2 * time.Second)
	})
	if err := l.down(); err != nil {
		t.Error(err)
	}
}
