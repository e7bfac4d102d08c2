package ikev2

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"slices"
	"testing"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/ikev2/ikev2msg"
	"nave/slowpath/ike/suite"
)

// session is what a hub of the capture saw of one peer.
type session struct {
	dh       []byte
	keys     suite.V2Keys
	hub      ike.Path
	messages [][]byte // in order, repeated ones once
}

// sessions reads testdata/strongswan-psk.txt: by the initiator's SPI; and ESP keys by SPI.
func sessions(t *testing.T) (map[ikemsg.SPI]*session, map[uint32][]byte) {
	t.Helper()
	unhex := func(s string) []byte { return iketest.Unhex(t, s) }
	all, esp := make(map[ikemsg.SPI]*session), make(map[uint32][]byte)
	get := func(spi []byte) *session {
		k := ikemsg.SPI(spi)
		if all[k] == nil {
			all[k] = &session{}
		}
		return all[k]
	}
	iketest.Recording(t, "testdata/strongswan-psk.txt", func(f []string) {
		switch f[0] {
		case "dh":
			get(unhex(f[1])).dh = unhex(f[2])
		case "keys":
			get(unhex(f[1])).keys = suite.V2Keys{D: unhex(f[2]), Ei: unhex(f[3]), Er: unhex(f[4]), Pi: unhex(f[5]), Pr: unhex(f[6])}
		case "esp":
			esp[be32(unhex(f[1]))] = unhex(f[2])
		default:
			b := unhex(f[2])
			s := get(b[:8])
			s.messages = append(s.messages, b)
			if from := netip.MustParseAddrPort(f[0]); from.Addr() != addr("192.0.2.1") {
				s.hub = ike.Path{Local: netip.MustParseAddrPort(f[1]), Remote: from}
			}
		}
	})
	return all, esp
}

// hub is an SA of ours in the state of the capture's hub after the first messages.
func (x *session) hubSA(t *testing.T) *sa {
	t.Helper()
	e := New(ike.NewEnv(iketest.Random(1), 1))
	cfg := config(addr("192.0.2.1"))
	cfg.Keyrings[0].Keys[0].Local, cfg.Keyrings[0].Keys[0].Remote = ike.Secret("dmvpn-secret"), ike.Secret("dmvpn-secret")
	cfg.Protections[0].Transforms = []ike.Transform{{Cipher: suite.CipherAESGCM, KeyBits: 256, ICV: 16}}
	e.Configure(iketest.Start, &cfg)
	s := e.newSA(x.hub, false)
	s.profile = &e.cfg.V2.Profiles[0]
	i, err := ikev2msg.Parse(x.messages[0])
	if err != nil {
		t.Fatal(err)
	}
	r, err := ikev2msg.Parse(x.messages[1])
	if err != nil {
		t.Fatal(err)
	}
	s.spiI, s.spiR = r.Initiator, r.Responder
	fi, ok1 := readFirst(&i)
	fr, ok2 := readFirst(&r)
	if !ok1 || !ok2 {
		t.Fatal("the first messages can't be read")
	}
	s.choice = choiceOf(fr.proposals[0].Transforms)
	s.handshake = &handshake{ni: fi.nonce, nr: fr.nonce, msgI: x.messages[0], msgR: x.messages[1]}
	if err := s.derive(suite.V2Skeyseed(s.choice.PRF, fi.nonce, fr.nonce, x.dh), fi.nonce, fr.nonce); err != nil {
		t.Fatal(err)
	}
	return s
}

// A session of strongSwan is followed with the secret of its key exchange: keys, what is inside the messages, both proofs, and the keys of the child.
func TestGoldenSession(t *testing.T) {
	all, esp := sessions(t)
	if len(all) != 2 {
		t.Fatalf("%d sessions", len(all))
	}
	for spi, x := range all {
		s := x.hubSA(t)
		for i, pair := range [][2][]byte{{s.keys.D, x.keys.D}, {s.keys.Ei, x.keys.Ei}, {s.keys.Er, x.keys.Er}, {s.keys.Pi, x.keys.Pi}, {s.keys.Pr, x.keys.Pr}} {
			if !bytes.Equal(pair[0], pair[1]) {
				t.Errorf("%x: key %d is another", spi, i)
			}
		}
		request, answer := x.open(t, s, 2, s.sealIn), x.open(t, s, 3, s.sealOut)
		idI, _ := ikev2msg.Find(request, ikev2msg.PayloadIDi)
		id, err := ikev2msg.ParseID(idI)
		if err != nil {
			t.Fatal(err)
		}
		s.peer = identityOf(id)
		if s.peer != (ike.Identity{Kind: ike.IDIPv4, Value: x.hub.Remote.Addr().String()}) {
			t.Errorf("the peer is %v", s.peer)
		}
		if f := s.check(request, idI, 1); f != nil {
			t.Errorf("the initiator's proof: %+v", f)
		}
		idR, _ := ikev2msg.Find(answer, ikev2msg.PayloadIDr)
		proof, err := s.prove(idR, 1)
		want, _ := ikev2msg.Find(answer, ikev2msg.PayloadAuth)
		if err != nil || len(proof) != 1 || !bytes.Equal(proof[0].Body, want) {
			t.Errorf("our proof is not that of the capture's hub: %v", err)
		}
		x.child(t, s, request, answer, esp)
	}
}

// open decrypts a message, and seals it again to one of the same length that opens too.
func (x *session) open(t *testing.T, s *sa, k int, seal suite.Sealer) []ikemsg.Payload {
	t.Helper()
	m, err := ikev2msg.Parse(x.messages[k])
	if err != nil {
		t.Fatal(err)
	}
	plain, err := seal.Open(nil, m.AAD, m.Encrypted)
	if err != nil {
		t.Fatalf("message %d: %v", k, err)
	}
	list, err := ikev2msg.ParseInner(m.First, slices.Clone(plain))
	if err != nil {
		t.Fatal(err)
	}
	var out []ikev2msg.Out
	for _, p := range list {
		out = append(out, ikev2msg.Out{Type: p.Type, Body: p.Body})
	}
	if got := ikev2msg.AppendChain(nil, out); !bytes.Equal(got, plain) {
		t.Errorf("message %d: what is inside is written as %x, was %x", k, got, plain)
	}
	return list
}

// child makes the child that the capture's hub made, and compares the keys.
func (x *session) child(t *testing.T, s *sa, request, answer []ikemsg.Payload, esp map[uint32][]byte) {
	t.Helper()
	s.setState(stateUp)
	_, c := s.respondChild(request, s.handshake.ni, s.handshake.nr, nil, true)
	if c == nil {
		t.Fatalf("the child of the capture is refused: %+v", s.e.out)
	}
	if c.Transform.Tunnel || c.Transform.Cipher != suite.CipherAESGCM || c.Transform.KeyBits != 256 {
		t.Errorf("child %+v", c.Transform)
	}
	body, _ := ikev2msg.Find(answer, ikev2msg.PayloadSA)
	theirs, err := ikev2msg.ParseSA(body)
	if err != nil {
		t.Fatal(err)
	}
	in := be32(theirs[0].SPI)
	if !bytes.Equal(c.ESP.In.Cipher, esp[in]) || !bytes.Equal(c.ESP.Out.Cipher, esp[c.ESP.OutSPI]) || len(esp[in]) == 0 {
		t.Errorf("keys of the child are not those that strongSwan gave its kernel (SPIs %x %x)", in, c.ESP.OutSPI)
	}
	// What the answer says about selectors is what we say.
	tsi, tsr := selectorsOf(answer)
	i, r, _, ok := s.selectors(request, true)
	if !ok || len(tsi) != 1 || tsi[0] != i || len(tsr) != 1 || tsr[0] != r {
		t.Errorf("selectors %v %v, the capture's %v %v", i, r, tsi, tsr)
	}
}

// NAT detection of real peers: nobody was translated.
func TestGoldenNAT(t *testing.T) {
	all, _ := sessions(t)
	for spi, x := range all {
		i, _ := ikev2msg.Parse(x.messages[0])
		path := ike.Path{Local: netip.AddrPortFrom(x.hub.Local.Addr(), 500), Remote: netip.AddrPortFrom(x.hub.Remote.Addr(), 500)}
		if n, offered := natSeen(i.Initiator, ikemsg.SPI{}, path, i.Payloads); !offered || n != (ike.NAT{}) {
			t.Errorf("%x: %+v %v", spi, n, offered)
		}
		path.Remote = netip.AddrPortFrom(path.Remote.Addr(), 501)
		if n, _ := natSeen(i.Initiator, ikemsg.SPI{}, path, i.Payloads); n != (ike.NAT{Peer: true}) {
			t.Errorf("%x behind another port: %+v", spi, n)
		}
	}
}

// Nothing of what a status shows, or a failure says, holds a key.
func TestNoSecretsShown(t *testing.T) {
	w := join(t, 20, nil)
	w.A.Initiate()
	w.Run(1e9)
	var st ike.Status
	w.A.Engine.AppendStatus(w.Now, &st)
	text, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	s := w.A.Engine.all()[0]
	for _, k := range [][]byte{s.keys.D, s.keys.Ei, s.keys.Er, w.A.Children[w.A.Active].ESP.In.Cipher, []byte("secret")} {
		if len(k) == 0 || bytes.Contains(text, k) || bytes.Contains(text, []byte(hex.EncodeToString(k))) {
			t.Errorf("a key is in %s", text)
		}
	}
}
