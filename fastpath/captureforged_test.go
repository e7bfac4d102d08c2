package fastpath

import (
	"bytes"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// TestCaptureUnauthentic: what does not pass its integrity check is shown as it came, so that somebody can look for what is wrong with it.
func TestCaptureUnauthentic(t *testing.T) {
	short, esn := gcm128, gcm128
	short.name, short.icv, esn.name, esn.esn = "gcm, short ICV", 8, "gcm, ESN", true
	for _, s := range []suite{gcm128, short, esn, {name: "chacha", cipher: fib.CipherChaCha20Poly1305, key: 36}, {name: "aes-cbc", cipher: fib.CipherAESCBC, key: 16, auth: fib.AuthHMACSHA1, authKey: 20}, {name: "ah", cipher: fib.CipherAESCBC, key: 16, auth: fib.AuthHMACSHA1, authKey: 20, ah: fib.AuthHMACSHA1, ahKey: 20}} {
		t.Run(s.name, func(t *testing.T) {
			p := newPair(t, s)
			c := p.hub.tapAll(func(q *CaptureRequest) { q.Points = CaptureDrop })
			inner := [][]byte{ipv4(behind1, hostIP, pattern(300)), ipv4(behind1, hostIP, pattern(1)), ipv4(behind1, hostIP, pattern(1001)), ipv4(behind1, hostIP, pattern(77))}
			frames := p.sealed(inner...)
			frames[0][len(frames[0])-60] ^= 1
			frames[2][len(frames[2])-1] ^= 1
			if out := p.deliver(frames...); len(out) != 2 {
				t.Errorf("%d packets arrived, want 2", len(out))
			}
			more := p.sealed(inner[0])[0] // alone
			more[len(more)-40] ^= 1
			p.deliver(more)
			list := copies(c)
			if len(list) != 3 {
				t.Fatalf("%d copies: %+v", len(list), list)
			}
			for i, want := range [][]byte{frames[0], frames[2], more} {
				shown := want
				if s.cipher == fib.CipherChaCha20Poly1305 {
					shown = want[:packet.EthernetLen+packet.IPv4Len+16] // zeros follow, which nobody sent
				}
				if k := list[i]; k.Reason != SAAuth || k.Opened || k.Len != len(want) || !bytes.Equal(k.Data, shown) {
					t.Errorf("packet %d: %+v\nwant %x", i, k, shown)
				}
			}
		})
	}
}
