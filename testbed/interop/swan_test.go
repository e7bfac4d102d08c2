package interop

import (
	"strings"
	"testing"
)

// What strongSwan says is read as it is meant, names with blanks and selectors with brackets included.
func TestParseSwan(t *testing.T) {
	const text = `{peer {uniqueid=3 version=2 state=ESTABLISHED local-host=192.0.2.11 local-id=C=XX, O=lab, CN=guest remote-id=192.0.2.1 initiator=yes ` +
		`encr-alg=AES_CBC encr-keysize=256 prf-alg=PRF_HMAC_SHA2_256 dh-group=CURVE_25519 tasks-active=[IKE_REKEY] child-sas {gre-4 {name=gre ` +
		`state=INSTALLED mode=TRANSPORT protocol=ESP spi-in=c1 spi-out=0a encr-alg=AES_GCM_16 encr-keysize=256 esn=1 local-ts=[192.0.2.11/32[gre]] ` +
		`remote-ts=[192.0.2.1/32[gre] 192.0.2.9/32[gre]]}}}}`
	top, err := parseSwan(text)
	if err != nil || len(top.nodes) != 1 || len(top.nodes[0].nodes) != 1 {
		t.Fatalf("%+v, %v", top, err)
	}
	sa := top.nodes[0]
	for f, want := range map[string]string{"local-id": "C=XX, O=lab, CN=guest", "remote-id": "192.0.2.1", "tasks-active": "IKE_REKEY"} {
		if got := sa.field(f); got != want {
			t.Errorf("%s is read as %q", f, got)
		}
	}
	c := SwanChild{sa.nodes[0].nodes[0]}
	if got, want := c.Algorithms(), "TRANSPORT ESP AES_GCM_16-256 esn"; got != want {
		t.Errorf("the child's algorithms are read as %q", got)
	}
	if got, want := c.field("remote-ts"), "192.0.2.1/32[gre] 192.0.2.9/32[gre]"; got != want {
		t.Errorf("a list is read as %q", got)
	}
	for k := range len(text) - 1 {
		if n, err := parseSwan(text[:k]); err == nil {
			t.Fatalf("%d bytes are read as %s", k, n.dump())
		}
	}
	if _, err := parseSwan(strings.Replace(text, "{peer", "peer", 1)); err == nil {
		t.Error("a text without its brace is read")
	}
}
