package ikev1

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/ikev1/ikev1msg"
	"nave/slowpath/ike/suite"
)

// recorded is a session of strongSwan with all that is secret about it.
type recorded struct {
	secret, skeyid, d, a, e, key, iv []byte
	path                             ike.Path // the hub's
	messages                         [][]byte
}

// recordings reads testdata/strongswan-psk.txt: the sessions, and one ESP packet by SPI.
func recordings(t *testing.T) (map[ikemsg.SPI]*recorded, map[uint32][]byte) {
	t.Helper()
	unhex := func(s string) []byte { return iketest.Unhex(t, s) }
	all, esp := make(map[ikemsg.SPI]*recorded), make(map[uint32][]byte)
	iketest.Recording(t, "testdata/strongswan-psk.txt", func(f []string) {
		switch f[0] {
		case "keys":
			r := &recorded{}
			for i, b := range []*[]byte{&r.secret, &r.skeyid, &r.d, &r.a, &r.e, &r.key, &r.iv} {
				*b = unhex(f[2+i])
			}
			all[ikemsg.SPI(unhex(f[1]))] = r
		case "esp":
			b := unhex(f[3])
			esp[binary.BigEndian.Uint32(b)] = b
		default:
			b := unhex(f[2])
			r := all[ikemsg.SPI(b[:8])]
			r.messages = append(r.messages, b)
			if a := addr(f[0]); a != addr("192.0.2.1") {
				r.path = ike.Path{Local: netip.AddrPortFrom(addr(f[1]), port), Remote: netip.AddrPortFrom(a, port)}
			}
		}
	})
	return all, esp
}

// read takes message n apart; iv nil: it is in clear. What is encrypted is encrypted again to the same bytes.
func (r *recorded) read(t *testing.T, k *keys, n int, iv []byte) *message {
	t.Helper()
	raw := r.messages[n]
	h, err := ikemsg.ParseHeader(raw)
	if err != nil {
		t.Fatal(err)
	}
	m := &message{head: h, path: r.path, raw: raw, encrypted: iv != nil}
	plain := raw[ikemsg.HeaderLen:]
	if iv != nil {
		var ok bool
		if plain, m.next, ok = k.open(iv, raw); !ok {
			t.Fatalf("message %d is no blocks", n+1)
		}
	}
	if f := m.parse(plain); f != nil {
		t.Fatalf("message %d: %s", n+1, f.text)
	}
	if iv != nil {
		padding := plain[len(m.plain):] // of a whole block where none is needed: that is up to the sender
		if again, _ := k.seal(h, iv, append(ikev1msg.AppendChain(nil, m.payloads), padding...)); !bytes.Equal(again, raw) {
			t.Errorf("message %d:\n%x, again\n%x", n+1, raw, again)
		}
	}
	return m
}

func (r *recorded) body(t *testing.T, m *message, typ uint8) []byte {
	t.Helper()
	b, f := m.payload(typ)
	if f != nil {
		t.Fatal(f.text)
	}
	return b
}

// A session of strongSwan is followed with the secret of its key exchange: keys, what is inside the messages, all hashes, and the keys of its child, by
// which the packets are authentic that it sent then.
func TestGoldenSession(t *testing.T) {
	all, esp := recordings(t)
	if len(all) != 2 || len(esp) != 4 {
		t.Fatalf("%d sessions, ESP of %d SPIs", len(all), len(esp))
	}
	for cookie, r := range all {
		if len(r.messages) != 9 {
			t.Fatalf("%x: %d messages", cookie, len(r.messages))
		}
		e := New(ike.NewEnv(iketest.Random(1), 1))
		cfg := config(addr("192.0.2.1"))
		cfg.Protections[0].Transforms = []ike.Transform{{Cipher: suite.Cipher3DES, Auth: suite.HashMD5}}
		cfg.V1.Policies = []ike.V1Policy{{Cipher: suite.Cipher3DES, Hash: suite.HashMD5, Group: suite.GroupMODP1024}}
		e.Configure(iketest.Start, &cfg)
		e.begin(iketest.Start)
		s := e.newSA(r.path, false)
		p := s.p1
		var m [9]*message
		for n := range 4 {
			m[n] = r.read(t, nil, n, nil)
		}
		s.ci, s.cr = m[1].head.Initiator, m[1].head.Responder
		s.policy = e.cfg.V1.Policies[0]
		p.saBody = r.body(t, m[0], ikev1msg.PayloadSA)
		p.gxi, p.ni = r.body(t, m[2], ikev1msg.PayloadKE), r.body(t, m[2], ikev1msg.PayloadNonce)
		p.gxr, p.nr = r.body(t, m[3], ikev1msg.PayloadKE), r.body(t, m[3], ikev1msg.PayloadNonce)

		skeyid := suite.SKEYIDPSK(s.policy.Hash, []byte("dmvpn-secret"), p.ni, p.nr)
		k, err := derive(s.policy, skeyid, r.secret, s.ci, s.cr)
		if err != nil {
			t.Fatal(err)
		}
		s.keys = k
		for i, pair := range [][2][]byte{
			{skeyid, r.skeyid}, {k.d, r.d}, {k.a, r.a}, {k.e, r.e}, {suite.V1CipherKey(k.hash, k.e, 24), r.key}, {k.firstIV(p.gxi, p.gxr), r.iv},
		} {
			if !bytes.Equal(pair[0], pair[1]) {
				t.Errorf("%x: key %d is %x, not %x", cookie, i, pair[0], pair[1])
			}
		}

		m[4] = r.read(t, &s.keys, 4, r.iv)
		m[5] = r.read(t, &s.keys, 5, m[4].next)
		id, f := s.identify(m[4])
		if f != nil || id != (ike.Identity{Kind: ike.IDIPv4, Value: r.path.Remote.Addr().String()}) {
			t.Errorf("%x: the initiator is %v (%v)", cookie, id, f)
		}
		if f := s.prove(m[4], id, s.peerHash()); f != nil {
			t.Errorf("%x: %s", cookie, f.text)
		}
		p.idr = r.body(t, m[5], ikev1msg.PayloadID)
		if !bytes.Equal(r.body(t, m[5], ikev1msg.PayloadHash), s.ourHash()) {
			t.Errorf("%x: HASH_R is another", cookie)
		}
		s.keys.iv = m[5].next
		r.quick(t, s, esp)
	}
}

// quick follows quick mode.
func (r *recorded) quick(t *testing.T, s *sa, esp map[uint32][]byte) {
	t.Helper()
	h, err := ikemsg.ParseHeader(r.messages[6])
	if err != nil {
		t.Fatal(err)
	}
	one := r.read(t, &s.keys, 6, s.keys.exchangeIV(s.keys.iv, h.MessageID))
	two := r.read(t, &s.keys, 7, one.next)
	three := r.read(t, &s.keys, 8, two.next)
	ask, f := s.asked(one)
	if f != nil {
		t.Fatal(f.text)
	}
	nr, f := quickNonce(two)
	if f != nil {
		t.Fatal(f.text)
	}
	wants := [][]byte{nil, nil, s.keys.hash3(h.MessageID, ask.nonce, nr)}
	for i, m := range []*message{one, two, three} {
		hash, rest, f := m.hashed()
		if f != nil {
			t.Fatal(f.text)
		}
		switch i {
		case 0:
			wants[i] = s.keys.hash2(h.MessageID, nil, rest)
		case 1:
			wants[i] = s.keys.hash2(h.MessageID, ask.nonce, rest)
		}
		if !bytes.Equal(hash, wants[i]) {
			t.Errorf("HASH(%d) is another", i+1)
		}
	}
	if ask.claimed != r.path.Remote.Addr() {
		t.Errorf("claimed %v", ask.claimed)
	}
	prot, g, f := s.chooseQuick(ask.offer)
	if f != nil {
		t.Fatal(f.text)
	}
	answer, err := ikev1msg.ParseSA(r.body(t, two, ikev1msg.PayloadSA))
	if err != nil {
		t.Fatal(err)
	}
	chosen := suggestions(answer)
	if len(chosen) != 1 {
		t.Fatalf("%d proposals are chosen", len(chosen))
	}
	half := half{s: s, ni: ask.nonce, nr: nr, esp: chosen[0].esp}
	made := half.child(prot, g, termsOf(prot), nil)
	if made.Lifetime <= 0 || made.Lifetime > 24*time.Hour {
		t.Errorf("lifetime %v", made.Lifetime)
	}
	for spi, key := range map[uint32][]byte{made.ESP.InSPI: made.ESP.In.Auth, made.ESP.OutSPI: made.ESP.Out.Auth} {
		packet := esp[spi]
		if len(packet) < 12 {
			t.Errorf("no packet of SPI %08x", spi)
			continue
		}
		mac := hmac.New(md5.New, key)
		mac.Write(packet[:len(packet)-12])
		if !bytes.Equal(mac.Sum(nil)[:12], packet[len(packet)-12:]) {
			t.Errorf("the packet of SPI %08x is not authentic by the keys that were made", spi)
		}
	}
}
