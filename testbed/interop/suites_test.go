package interop

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"nave/testbed/topo"
)

// suites are what nave and strongSwan have to agree on: every version, way to authenticate, cipher, hash and group at least once.
var suites = []Suite{
	// as the routers of old have it, and what came after
	{Version: 1, Auth: "psk", IKE: "des-sha1-modp768", ESP: "des-md5"},
	{Version: 1, Auth: "psk", IKE: "des-md5-modp768", ESP: "des-md5"},
	{Version: 1, Auth: "psk", IKE: "des-md5-modp1024", ESP: "des-md5-modp1024"},
	{Version: 1, Auth: "psk", IKE: "des-sha1-modp768", ESP: "des-sha1"},
	{Version: 1, Auth: "psk", IKE: "des-sha1-modp768", ESP: "des"},
	{Version: 1, Auth: "psk", IKE: "3des-md5-modp1024", ESP: "3des-md5"},
	{Version: 1, Auth: "psk", IKE: "3des-sha1-modp1024", ESP: "3des-sha1"},
	{Version: 1, Auth: "psk", IKE: "aes128-sha1-modp1024", ESP: "aes128-sha1"},
	{Version: 1, Auth: "psk", IKE: "aes256-sha1-modp1536", ESP: "aes256-sha1-modp1536"},
	{Version: 1, Auth: "psk", IKE: "aes256-sha256-modp2048", ESP: "aes256-sha256", Tunnel: true},
	{Version: 1, Auth: "psk", IKE: "aes192-sha512-modp1536", ESP: "null-sha1"},
	{Version: 1, Auth: "psk", IKE: "aes256-sha384-ecp384", ESP: "aes256gcm16"},
	{Version: 1, Auth: "psk", IKE: "aes128-sha256-ecp256", ESP: "aes128ctr-sha256"},
	{Version: 1, Auth: "psk", IKE: "aes256-sha512-ecp521", ESP: "aes192-sha384-ecp521"},
	{Version: 1, Auth: "psk", IKE: "aes128-sha256-modp3072", ESP: "aes256-sha512"},
	{Version: 1, Auth: "psk", IKE: "aes128-sha256-modp4096", ESP: "aes128gcm8"},
	{Version: 1, Auth: "psk", IKE: "aes128-sha256-x25519", ESP: "aes256gcm12-x25519"},
	{Version: 1, Auth: "psk", IKE: "aes128-sha1-modp1024", ESP: "ah=sha1"},
	{Version: 1, Auth: "rsa", IKE: "3des-sha1-modp1024", ESP: "3des-sha1"},
	{Version: 1, Auth: "rsa", IKE: "aes256-sha256-modp2048", ESP: "aes256gcm16-modp2048"},
	// of today
	{Version: 2, Auth: "psk", IKE: "aes256gcm16-prfsha256-ecp256", ESP: "aes256gcm16"},
	{Version: 2, Auth: "psk", IKE: "aes128gcm16-prfsha256-modp2048", ESP: "aes128gcm16"},
	{Version: 2, Auth: "psk", IKE: "des-md5-modp768", ESP: "des-md5"},
	{Version: 2, Auth: "psk", IKE: "3des-md5-modp1024", ESP: "3des-md5"},
	{Version: 2, Auth: "psk", IKE: "3des-sha1-modp1536", ESP: "3des-sha1", Tunnel: true},
	{Version: 2, Auth: "psk", IKE: "aes128-sha256-modp2048", ESP: "aes128-sha256"},
	{Version: 2, Auth: "psk", IKE: "aes192-sha384-modp3072", ESP: "aes192-sha384"},
	{Version: 2, Auth: "psk", IKE: "aes256-sha512-modp4096", ESP: "aes256-sha512"},
	{Version: 2, Auth: "psk", IKE: "chacha20poly1305-prfsha256-x25519", ESP: "chacha20poly1305"},
	{Version: 2, Auth: "psk", IKE: "aes256gcm16-prfsha384-ecp384", ESP: "aes256gcm16-esn"},
	{Version: 2, Auth: "psk", IKE: "aes256gcm16-prfsha512-ecp521", ESP: "aes256gcm12"},
	{Version: 2, Auth: "psk", IKE: "aes128gcm16-prfsha1-x25519", ESP: "aes128gcm8"},
	{Version: 2, Auth: "psk", IKE: "aes128-sha1-ecp256", ESP: "aes128ctr-sha1"},
	{Version: 2, Auth: "psk", IKE: "aes128-sha256-ecp256", ESP: "aes256ctr-sha256-esn"},
	{Version: 2, Auth: "psk", IKE: "aes128-sha256-x25519", ESP: "null-sha256"},
	{Version: 2, Auth: "psk", IKE: "aes128-sha256-x25519", ESP: "aes128-sha1-esn", Tunnel: true},
	{Version: 2, Auth: "psk", IKE: "aes128-sha256-x25519", ESP: "ah=sha256"},
	{Version: 2, Auth: "rsa", IKE: "aes256gcm16-prfsha256-x25519", ESP: "aes256gcm16"},
	{Version: 2, Auth: "ecdsa", IKE: "aes256gcm16-prfsha384-x25519", ESP: "aes256gcm16-x25519"},
}

// settings are what a guest needs for the suite.
func (s Suite) settings(more string) string {
	out := fmt.Sprintf("IPSEC=%d:%s:%s\n", s.Version, s.IKE, s.ESP)
	if s.Tunnel {
		out += "MODE=tunnel\n"
	}
	if s.Auth != "psk" {
		out += "AUTH=pubkey\nCERT=guest-" + s.Auth + "\n"
	}
	return out + more
}

// check compares what strongSwan has with the suite: one established IKE SA, one installed child.
func (s Suite) check(g *Guest, initiator bool) error {
	sas, err := g.SwanSAs()
	if err != nil {
		return err
	}
	if len(sas) != 1 || len(sas[0].Children) != 1 {
		return fmt.Errorf("%s has %d IKE SAs: %v", g.Name, len(sas), sas)
	}
	sa, child := &sas[0], &sas[0].Children[0]
	pfs := s.Version == 1 // a first child of IKEv2's has its keys from the IKE SA
	if sa.field("state") != "ESTABLISHED" || child.field("state") != "INSTALLED" || sa.algorithms() != s.SwanIKE() ||
		child.Algorithms() != s.SwanESP(pfs) || sa.field("version") != fmt.Sprint(s.Version) || sa.Initiator() != initiator {
		return fmt.Errorf("%s has %s\nand should have %s; %s", g.Name, sa, s.SwanIKE(), s.SwanESP(pfs))
	}
	return nil
}

// protocol is the IP protocol that the suite's packets have.
func (s Suite) protocol() uint8 {
	if mustProposal(s.ESP).ah {
		return protoAH
	}
	return protoESP
}

// certified makes certificates, gives them to all guests, and returns their folder.
func certified(t *testing.T, s *Scenario) string {
	t.Helper()
	dir := t.TempDir()
	if err := certificates(dir); err != nil {
		t.Fatal(err)
	}
	for _, g := range s.Guests {
		if err := g.Give(dir); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What these tests say of strongSwan holds between two of it: names of algorithms, roles, and nothing in clear.
func TestGuestsAgree(t *testing.T) {
	t.Parallel()
	s := StartWith(t, "agree", nil, map[string]string{
		"frr1": "ROLE=gre\nNBMA=192.0.2.11\nTUNNEL=10.255.1.1\nGATEWAY=192.0.2.12\nSTART=none\n" + suites[0].settings(""),
		"frr2": "ROLE=gre\nN=2\nNBMA=192.0.2.12\nTUNNEL=10.255.1.2\nGATEWAY=192.0.2.11\nSTART=none\n" + suites[0].settings(""),
	})
	a, b := s.Guests["frr1"], s.Guests["frr2"]
	certified(t, s)
	for i, suite := range suites {
		if i%13 != 2 { // some of each version: nave meets them all
			continue
		}
		start := time.Now()
		var both sync.WaitGroup
		for g, other := range map[*Guest]string{a: "NBMA=192.0.2.11\nGATEWAY=192.0.2.12", b: "NBMA=192.0.2.12\nGATEWAY=192.0.2.11"} {
			both.Go(func() {
				if out, err := g.Swan(suite.settings("START=none\n"+other), "swan_again"); err != nil {
					t.Error(out, err)
				}
			})
		}
		both.Wait()
		if out, err := a.Swan("", "swanctl --initiate --child gre --timeout 90"); err != nil {
			t.Errorf("%s: %v %s", suite, err, out)
			continue
		}
		s.Reaches(t, "frr1", "10.255.1.1", "10.255.1.2")
		for _, check := range []func() error{
			func() error { return suite.check(a, true) }, func() error { return suite.check(b, false) },
			func() error { return s.Wire.Sealed(start, "192.0.2.11", "192.0.2.12", suite.protocol()) },
		} {
			if err := topo.Eventually(patience, check); err != nil {
				t.Errorf("%s: %v", suite, err)
			}
		}
		t.Log(suite, time.Since(start).Round(time.Millisecond))
	}
}
