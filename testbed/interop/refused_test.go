package interop

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"nave/testbed/topo"
)

// refusal is a way in which both sides do not agree.
type refusal struct {
	name     string
	suite    Suite    // strongSwan's
	settings []string // more of strongSwan's
	log      string   // what nave's log says, in one line with the peer's address
	notify   string   // number of the notification, where it crosses the wire in clear
	charon   string   // what strongSwan's log says
}

// refusals: strongSwan asks for what nave does not have, or cannot prove who it is. Nave says why, and the wire does.
func refusals(t *testing.T, l *lane, s Suite) {
	all := []refusal{
		{name: "IKE proposal", suite: Suite{s.Version, "psk", "aes128-sha384-modp1536", s.ESP, false}, log: "NO-PROPOSAL-CHOSEN", notify: "14", charon: "NO_PROP"},
		{name: "ESP proposal", suite: Suite{s.Version, "psk", s.IKE, "aes128-sha1", false}, log: "NO-PROPOSAL-CHOSEN", charon: "NO_PROP"},
	}
	if s.Version == 2 {
		all = append(all, refusal{name: "key", suite: s, settings: []string{"PSK=mistaken-secret"}, log: "AUTHENTICATION-FAILED", charon: "AUTH_FAILED"})
	} else { // what cannot be deciphered tells no reason to either side
		all = append(all, refusal{name: "key", suite: s, settings: []string{"PSK=mistaken-secret"}, log: "key"})
	}
	for _, r := range all {
		t.Run("wrong "+r.name, func(t *testing.T) { l.refuses(t, s, r) })
	}
	t.Run("nave is refused", func(t *testing.T) {
		_, logged, err := l.s.LogSince(l.router, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.s.Configure(l.router, l.config("")); err != nil {
			t.Fatal(err)
		}
		if err := l.naveStarts(s, nil, []string{fmt.Sprintf("IPSEC=%d:aes128-sha384-modp1536:aes128-sha1", s.Version)}); err != nil {
			t.Fatal(err)
		}
		// a refusal that nobody authenticated is not believed at once: somebody else may send it
		l.says(t, logged, "NO-PROPOSAL-CHOSEN")
	})
	if err := l.down(); err != nil {
		t.Error(err)
	}
}

// refuses has strongSwan start, fail, and nave say why.
func (l *lane) refuses(t *testing.T, s Suite, r refusal) {
	t.Helper()
	_, logged, err := l.s.LogSince(l.router, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.s.Configure(l.router, l.config(s.Crypto(l.pki, "responder-only"))); err != nil {
		t.Fatal(err)
	}
	out, err := l.guest.Swan(l.settings(r.suite, append(r.settings, "START=none")...), "swan_again\n: >/var/log/charon.log\nswanctl --initiate --child gre --timeout 4")
	if err == nil {
		t.Errorf("strongSwan is let in: %s", out)
	}
	l.says(t, logged, r.log)
	Soon(t, func() error {
		charon, err := l.guest.Run("cat /var/log/charon.log")
		if err == nil && !strings.Contains(charon, r.charon) {
			err = fmt.Errorf("strongSwan's log has no %s:\n%s", r.charon, charon)
		}
		return err
	})
	if r.notify != "" {
		Soon(t, func() error {
			seen, err := l.s.Wire.Notifies(l.nave, l.swan)
			if err == nil && !slices.Contains(seen, r.notify) {
				err = fmt.Errorf("no notification %s crossed the wire, but %v", r.notify, seen)
			}
			return err
		})
	}
	n, err := l.s.Session(l.router, l.swan)
	if err != nil || n != nil && len(n.Children) > 0 { // an IKE SA may be up: RFC 7296 section 1.2
		t.Errorf("nave has a child: %+v (%v)", n, err)
	}
}

// says waits until nave's log has a line about the peer with a text, and checks that no line has a key.
func (l *lane) says(t *testing.T, from int, text string) {
	t.Helper()
	var log string
	err := topo.Eventually(patience, func() (err error) {
		if log, _, err = l.s.LogSince(l.router, from); err != nil {
			return err
		}
		for line := range strings.Lines(log) {
			if strings.Contains(line, text) && strings.Contains(line, l.swan) {
				return nil
			}
		}
		return fmt.Errorf("no line about %s names %q:\n%s", l.swan, text, log)
	})
	if err != nil {
		t.Error(err)
	}
	if strings.Contains(log, "nave-secret") || strings.Contains(log, "mistaken-secret") {
		t.Errorf("a key is in the log:\n%s", log)
	}
}

// badCertificates: certificates that have expired, and that were revoked.
func badCertificates(t *testing.T, l *lane) {
	s := Suite{Version: 2, Auth: "ecdsa", IKE: "aes256gcm16-prfsha256-x25519", ESP: "aes256gcm16"}
	for _, r := range []refusal{
		{name: "expired", suite: s, settings: []string{"CERT=guest-expired"}, log: "certificate expired", charon: "AUTH_FAILED"},
		{name: "revoked", suite: s, settings: []string{"CERT=guest-revoked"}, log: "revoked", charon: "AUTH_FAILED"},
	} {
		t.Run(r.name+" certificate", func(t *testing.T) { l.refuses(t, s, r) })
	}
	old := Suite{Version: 1, Auth: "rsa", IKE: "aes256-sha256-modp2048", ESP: "aes256-sha256"}
	t.Run("expired certificate v1", func(t *testing.T) {
		l.refuses(t, old, refusal{suite: old, settings: []string{"CERT=guest-expired-rsa"}, log: "certificate expired"})
	})
	for _, kind := range []string{"p384", "p521"} { // the other curves, each with its own hash
		t.Run(kind, func(t *testing.T) {
			if err := l.swanStarts(s, nil, []string{"CERT=guest-" + kind}); err != nil {
				t.Error(err)
			}
			l.settled(t)
			if err := l.down(); err != nil {
				t.Error(err)
			}
		})
	}
}

// scanned: ike-scan learns what it may, from the stranger's address, and leaves nave as it was.
func scanned(t *testing.T, l *lane) {
	s := Suite{Version: 1, Auth: "psk", IKE: "3des-sha1-modp1024", ESP: "3des-sha1"}
	l.up(t, s, nil, nil, "")
	for _, scan := range []struct{ what, args, want string }{
		{"main mode", "", "Main Mode Handshake returned"},
		{"what nobody offers", "--trans=1,1,1,1", "NO-PROPOSAL-CHOSEN"},
		{"aggressive mode", "--aggressive --id=scanner", "Aggressive Mode Handshake returned"},
	} {
		t.Run("ike-scan "+scan.what, func(t *testing.T) {
			out, err := l.s.Run("stranger", strings.Fields("ike-scan --nodns --retry=9 "+scan.args+" "+l.nave)...)
			if err != nil || !strings.Contains(out, scan.want) {
				t.Errorf("ike-scan says (%v):\n%s", err, out)
			}
		})
	}
	t.Run("ike-scan without aggressive mode", func(t *testing.T) {
		if err := l.s.Configure(l.router, l.config("crypto isakmp aggressive-mode disable\n"+s.Crypto(l.pki))); err != nil {
			t.Fatal(err)
		}
		out, err := l.s.Run("stranger", strings.Fields("ike-scan --nodns --retry=1 --aggressive --id=scanner "+l.nave)...)
		if err != nil || strings.Contains(out, "Handshake returned") {
			t.Errorf("ike-scan says (%v):\n%s", err, out)
		}
		l.settled(t)
	})
	t.Run("ike-scan version 2", func(t *testing.T) {
		l.up(t, modern, nil, nil, "")
		// it asks for 3DES and the like: refused, or no answer to what it has wrong
		if out, err := l.s.Run("stranger", strings.Fields("ike-scan --nodns --retry=2 --ikev2 "+l.nave)...); err != nil || strings.Contains(out, "Handshake returned") {
			t.Errorf("ike-scan says (%v):\n%s", err, out)
		}
		l.settled(t)
	})
	Soon(t, func() error {
		n, err := l.s.Session(l.router, l.swan)
		if err == nil && (n == nil || n.Status != "UP-ACTIVE") {
			err = fmt.Errorf("after all that the session is %+v", n)
		}
		return err
	})
	if err := l.down(); err != nil {
		t.Error(err)
	}
}
