package gateway

import (
	"strings"
	"testing"
	"time"

	"nave/ctl/show"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
)

// The show commands see the configuration as it counts: with defaults, and with the global lifetimes where a profile has none.
func TestConfiguredCrypto(t *testing.T) {
	tree := parse(t, `crypto isakmp policy 20
crypto ipsec transform-set old esp-des esp-md5-hmac
 mode transport require
crypto ipsec transform-set new esp-gcm 256
 esn
crypto ipsec security-association lifetime seconds 7200
crypto ipsec security-association lifetime kilobytes disable
crypto ipsec profile A
 set transform-set old new
crypto ipsec profile B
 set transform-set new
 set pfs group31
 set security-association lifetime seconds 600
 set security-association lifetime kilobytes 5000
 set ikev2-profile F
 responder-only
`)
	policies := []ike.V1Policy{{Priority: 20, Cipher: suite.CipherDES}}
	c := configuredCrypto(tree, policies)
	if len(c.Policies) != 1 || len(c.TransformSets) != 2 || len(c.Profiles) != 2 {
		t.Fatalf("%+v", c)
	}
	if x := c.TransformSets[1]; x.Name != "old" || x.Transform != (ike.Transform{Cipher: suite.CipherDES, Auth: suite.HashMD5, Require: true}) {
		t.Errorf("%+v", x)
	}
	if x := c.TransformSets[0]; x.Transform != (ike.Transform{Cipher: suite.CipherAESGCM, KeyBits: 256, ICV: 16, Tunnel: true, ESN: true}) {
		t.Errorf("%+v", x)
	}
	if p := c.Profiles[0]; p.Name != "A" || p.Lifetime != 2*time.Hour || p.Kilobytes != 0 || p.PFS != suite.GroupNone || len(p.TransformSets) != 2 {
		t.Errorf("%+v", p)
	}
	if p := c.Profiles[1]; p.Lifetime != 10*time.Minute || p.Kilobytes != 5000 || p.PFS != suite.GroupX25519 || p.IKEv2Profile != "F" || !p.ResponderOnly {
		t.Errorf("%+v", p)
	}
	if text := show.TransformSets(&show.Status{Crypto: c}); !strings.Contains(text, "Transform set old: { esp-des esp-md5-hmac  }") {
		t.Error(text)
	}
}
