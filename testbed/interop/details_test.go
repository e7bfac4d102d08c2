package interop

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// details are what IKE can do beside its main way, with strongSwan at the other end.
func details(t *testing.T, l *lane) {
	t.Run("aggressive mode", func(t *testing.T) { aggressive(t, l) })
	t.Run("another group", func(t *testing.T) { anotherGroup(t, l) })
	t.Run("fragments", func(t *testing.T) { fragments(t, l) })
}

// aggressive: IKEv1 aggressive mode, begun by either side.
func aggressive(t *testing.T, l *lane) {
	s := Suite{Version: 1, Auth: "psk", IKE: "aes128-sha1-modp1536", ESP: "aes128-sha1"}
	isAggressive := func() {
		t.Helper()
		Soon(t, func() error {
			n, err := l.s.Session(l.router, l.swan)
			if err == nil && (n == nil || len(n.established()) == 0 || !n.established()[0].Aggressive) {
				err = fmt.Errorf("the session is not one of aggressive mode: %+v", n)
			}
			return err
		})
	}
	if err := l.swanStarts(s, nil, []string{"AGGRESSIVE=yes"}); err != nil {
		t.Error(err)
	}
	l.settled(t)
	isAggressive()
	if err := l.down(); err != nil {
		t.Error(err)
	}
	profile := "crypto keyring RING\n pre-shared-key address 192.0.2.0 255.255.255.0 key nave-secret\n" +
		"crypto isakmp profile SHORT\n keyring RING\n match identity address 192.0.2.0 255.255.255.0\n initiate mode aggressive\n"
	l.up(t, s, []string{"set isakmp-profile SHORT"}, []string{"AGGRESSIVE=yes"}, profile)
	isAggressive()
	if err := l.down(); err != nil {
		t.Error(err)
	}
}

// anotherGroup: the first guess at the peer's group is wrong, and is told so (RFC 7296 section 1.2).
func anotherGroup(t *testing.T, l *lane) {
	s := Suite{Version: 2, Auth: "psk", IKE: "aes256gcm16-prfsha256-ecp256", ESP: "aes256gcm16"}
	nave := strings.Replace(s.Crypto(l.pki), " group 19\n", " group 31 19\n", 1)
	if _, err := l.guest.Swan(l.settings(s, "START=none"), "swan_again"); err != nil {
		t.Fatal(err)
	}
	if err := l.s.Configure(l.router, l.config(nave)); err != nil {
		t.Fatal(err)
	}
	l.settled(t)
	if err := l.agrees(s, true); err != nil {
		t.Error(err)
	}
	if err := l.down(); err != nil {
		t.Error(err)
	}
	// strongSwan guesses x25519, of which nave knows nothing
	if err := l.swanStarts(s, nil, []string{fmt.Sprintf("IPSEC=2:aes256gcm16-prfsha256-x25519-ecp256:%s", s.ESP)}); err != nil {
		t.Error(err)
	}
	l.settled(t)
	Soon(t, func() error { return l.s.CheckNave(l.router, l.swan, s, false) })
	if err := l.down(); err != nil {
		t.Error(err)
	}
}

// fragments: IKE_AUTH with certificates in pieces of 576 bytes (RFC 7383).
func fragments(t *testing.T, l *lane) {
	s := Suite{Version: 2, Auth: "rsa", IKE: "aes256-sha256-ecp256", ESP: "aes256gcm16"}
	start := time.Now()
	l.up(t, s, nil, nil, "crypto ikev2 fragmentation mtu 576\n")
	longest := 0
	Soon(t, func() error { // it crosses a moment before what records the wire has it
		n := 0
		for _, p := range l.s.Wire.Outers(start, l.nave, l.swan) {
			if p.IKE() && p.From.String() == l.nave {
				longest, n = max(longest, len(p.Payload)+20), n+1
			}
		}
		if n < 3 {
			return fmt.Errorf("nave has sent %d IKE packets", n)
		}
		return nil
	})
	if longest > 576 {
		t.Errorf("of nave's IKE packets the longest has %d bytes", longest)
	}
	Soon(t, func() error { return s.check(l.guest, false) })
	if err := l.down(); err != nil {
		t.Error(err)
	}
}
