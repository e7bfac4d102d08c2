package show

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
)

// cryptoTexts is every crypto command.
func cryptoTexts(s *Status, form Form) map[string]string {
	none, detail := Select{Form: form}, Select{Detail: true, Form: form}
	return map[string]string{
		"isakmp_sa": IsakmpSA(s, none), "isakmp_sa_detail": IsakmpSA(s, detail), "isakmp_policy": IsakmpPolicy(s), "ikev2_sa": Ikev2SA(s, none), "ikev2_sa_detail": Ikev2SA(s, detail),
		"ipsec_sa": IPsecSA(s, none), "ipsec_sa_detail": IPsecSA(s, detail), "transform_set": TransformSets(s), "crypto_map": CryptoMap(s, none), "session": CryptoSession(s, none), "session_detail": CryptoSession(s, detail),
		"call_admission": CallAdmission(s), "engine": CryptoEngine(s), "dmvpn_detail": DMVPNDetail(s, none),
	}
}

func TestCryptoGolden(t *testing.T) {
	legacy := cryptoTexts(cryptoSample(), Legacy)
	for name, text := range legacy {
		golden(t, "crypto_"+name, text)
	}
	for name, text := range cryptoTexts(cryptoSample(), Modern) {
		if text != legacy[name] {
			golden(t, "modern_crypto_"+name, text)
		}
	}
	for name, text := range cryptoTexts(&Status{Time: now}, Legacy) {
		golden(t, "empty_crypto_"+name, text)
	}
	golden(t, "crypto_ipsec_sa_active", IPsecSA(cryptoSample(), Select{Active: true, Iface: "Tunnel3"}))
}

// What is selected is shown and nothing else, by every command that takes a selection.
func TestCryptoSelect(t *testing.T) {
	s := cryptoSample()
	for name, f := range map[string]func(*Status, Select) string{"ipsec": IPsecSA, "session": CryptoSession} {
		text := f(s, Select{Iface: "Tunnel4"})
		if strings.Contains(text, "Tunnel1") || strings.Contains(text, "Tunnel3") || !strings.Contains(text, "203.0.113.9") || strings.Contains(text, "203.0.113.250") {
			t.Errorf("%s of Tunnel4:\n%s", name, text)
		}
		text = f(s, Select{Peer: addr("198.51.100.77"), Detail: true})
		if strings.Contains(text, "198.51.100.1 ") || strings.Contains(text, "203.0.113.") || !strings.Contains(text, "198.51.100.77") {
			t.Errorf("%s of one peer:\n%s", name, text)
		}
		text = f(s, Select{Active: true})
		if strings.Contains(text, "203.0.113.199") || strings.Contains(text, "198.51.100.99") || strings.Contains(text, "203.0.113.250") || !strings.Contains(text, "203.0.113.9") {
			t.Errorf("active %s:\n%s", name, text)
		}
		if text = f(s, Select{Peer: addr("192.0.2.99")}); strings.Contains(text, "Peer") || strings.Contains(text, "peer") {
			t.Errorf("%s of a peer that is not there:\n%s", name, text)
		}
	}
	if text := IsakmpSA(s, Select{Peer: addr("203.0.113.250")}); !strings.Contains(text, "MM_NO_STATE") || strings.Contains(text, "QM_IDLE") {
		t.Errorf("isakmp sa of one peer:\n%s", text)
	}
	if text := CryptoMap(s, Select{Iface: "Tunnel3"}); strings.Contains(text, "Tunnel1") || !strings.Contains(text, "modern-head-1") {
		t.Errorf("crypto map of Tunnel3:\n%s", text)
	}
	text := DMVPNDetail(s, Select{Iface: "Tunnel1"})
	if strings.Contains(text, "Tunnel0") || strings.Contains(text, "Tunnel3") || !strings.Contains(text, "Outbound SPI : 0x      22, transform : esp-des esp-md5-hmac") {
		t.Errorf("dmvpn detail of Tunnel1:\n%s", text)
	}
}

func TestSessionStatus(t *testing.T) {
	up, half := ike.SAStatus{Established: true}, ike.SAStatus{}
	child := []pair{{}}
	for _, c := range []struct {
		f    flow
		want string
	}{
		{flow{sas: []ike.SAStatus{half, up}, children: child}, "UP-ACTIVE"}, {flow{children: child}, "UP-NO-IKE"},
		{flow{sas: []ike.SAStatus{half}, children: child}, "UP-NO-IKE"}, {flow{sas: []ike.SAStatus{up}}, "UP-IDLE"},
		{flow{sas: []ike.SAStatus{half}}, "DOWN-NEGOTIATING"}, {flow{SessionStatus: dmvpn.SessionStatus{State: dmvpn.Negotiating}}, "DOWN-NEGOTIATING"}, {flow{}, "DOWN"},
	} {
		if got := c.f.status(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.f, got, c.want)
		}
	}
}

func TestTransformText(t *testing.T) {
	for _, c := range []struct {
		t    ike.Transform
		want string
		eng  string
	}{
		{desMD5, "esp-des esp-md5-hmac", "DES+MD5"}, {desOnly, "esp-des", "DES"}, {aes128, "esp-aes esp-sha-hmac", "AES128+SHA"}, {ahNull, "ah-sha-hmac esp-null esp-sha256-hmac", "NULL+SHA256+SHA"},
		{gcm256, "esp-gcm 256", "AES-GCM256"}, {ike.Transform{Cipher: suite.CipherAESGCM, KeyBits: 128, ICV: 8}, "esp-gcm icv 8", "AES-GCM128"},
		{ike.Transform{Cipher: suite.CipherAESCBC, KeyBits: 192, Auth: suite.HashSHA512}, "esp-192-aes esp-sha512-hmac", "AES192+SHA512"},
		{ike.Transform{Cipher: suite.CipherAESCTR, KeyBits: 256, Auth: suite.HashSHA256}, "esp-ctr 256 esp-sha256-hmac", "AES-CTR256+SHA256"},
		{ike.Transform{Cipher: suite.CipherAESGMAC, KeyBits: 128}, "esp-gmac", "AES-GMAC128"}, {ike.Transform{Cipher: suite.Cipher3DES, Auth: suite.HashSHA384}, "esp-3des esp-sha384-hmac", "3DES+SHA384"},
		{ike.Transform{Cipher: suite.CipherChaCha20Poly1305, KeyBits: 256}, "esp-chacha20-poly1305 256", ""}, {ike.Transform{AH: suite.HashMD5}, "ah-md5-hmac", "MD5"}, {ike.Transform{}, "", ""},
	} {
		if got := transformText(c.t); got != c.want && c.t.Cipher != suite.CipherChaCha20Poly1305 {
			t.Errorf("%+v: %q, want %q", c.t, got, c.want)
		}
		if got := algorithms(c.t); c.eng != "" && got != c.eng {
			t.Errorf("%+v: %q, want %q", c.t, got, c.eng)
		}
	}
	if got := transformText(ike.Transform{Cipher: suite.CipherChaCha20Poly1305}); got != "esp-chacha20-poly1305" {
		t.Error(got)
	}
}

// A packet as long as the plaintext MTU fits the link once sealed, and one more byte does not.
func TestPlaintextMTU(t *testing.T) {
	sealed := func(n int, c *ike.ChildStatus) int {
		x := &c.Transform
		if !x.Tunnel {
			n -= ipv4Bytes
		}
		if x.Cipher != suite.CipherNone {
			block := max(4, x.Cipher.BlockSize())
			n = (n + 2 + block - 1) / block * block
			n += espBytes + ivBytes(x.Cipher)
			if x.Cipher.Combined() {
				n += 16
			} else if x.Auth != suite.HashNone {
				n += x.Auth.ICVLen()
			}
		}
		if x.AH != suite.HashNone {
			n += ahBytes + x.AH.ICVLen()
		}
		if c.Encap {
			n += udpBytes
		}
		return n + ipv4Bytes
	}
	for _, x := range []ike.Transform{desMD5, desOnly, gcm256, ahNull, aes128, {AH: suite.HashSHA256}, {Cipher: suite.CipherChaCha20Poly1305}} {
		for _, encap := range []bool{false, true} {
			for link := 1400; link < 1432; link++ {
				c := ike.ChildStatus{Transform: x, Encap: encap}
				n := plaintextMTU(link, &c)
				if sealed(n, &c) > link || sealed(n+1, &c) <= link {
					t.Fatalf("%+v, UDP %v, link %d: %d bytes come to %d, one more to %d", x, encap, link, n, sealed(n, &c), sealed(n+1, &c))
				}
			}
		}
	}
	aes := ike.Transform{Cipher: suite.CipherAESCBC, KeyBits: 256, Auth: suite.HashSHA1}
	if got := plaintextMTU(1500, &ike.ChildStatus{Transform: aes, Encap: true}); got != 1442 { // what routers print of this
		t.Errorf("AES and SHA-1 in UDP: %d, want 1442", got)
	}
}

// Lives that are over, or longer than they can be, show as such.
func TestLives(t *testing.T) {
	if got := secondsLeft(now, ago(time.Hour), time.Minute); got != 0 {
		t.Error(got)
	}
	if got := kilobytesLeft(10, 11*1024); got != 0 {
		t.Error(got)
	}
	if got := kilobytesLeft(10, 1023); got != 10 {
		t.Error(got)
	}
}

// Every reason and every kind of log of IKE and of sessions has a text whose severity is the one given, on one line.
func TestCryptoLogs(t *testing.T) {
	var b strings.Builder
	check := func(name, text string, severity int) {
		if text == "" || severity < 3 || severity > 7 || !strings.Contains(text, "-"+string('0'+rune(severity))+"-") || strings.ContainsAny(text, "\n\r\x1b") {
			t.Errorf("%s: severity %d, %q", name, severity, text)
		}
		b.WriteString(name + ": " + text + "\n")
	}
	for version := 1; version <= 2; version++ {
		l := ike.Log{Version: version, Path: path("192.0.2.7:500", "198.51.100.1:4500"), Peer: ike.Identity{Kind: ike.IDFQDN, Value: "r1.example.net"}, InSPI: 0x11, OutSPI: 0x22}
		for l.Kind = 0; l.Kind.String() != "unknown"; l.Kind++ {
			text, severity := Log(l)
			check(l.Kind.String(), text, severity)
		}
		for why := ike.WhyTimeout; why.String() != "unknown"; why++ {
			if reasons[why] == "" {
				t.Errorf("%v has no words", why)
			}
			for _, kind := range []ike.LogKind{ike.LogFailed, ike.LogSADown, ike.LogRejected} {
				text, severity := Log(ike.Log{Kind: kind, Version: version, Path: l.Path, Why: why, Text: "more\n\x1b[31mto say"})
				check(kind.String()+" "+why.String(), text, severity)
				if !strings.Contains(text, "more??[31mto say") {
					t.Errorf("%v %v: what there is to say is left out: %s", kind, why, text)
				}
			}
		}
		text, _ := Log(ike.Log{Kind: ike.LogFailed, Version: version, Path: l.Path, Why: ike.WhyRefused, Code: 14})
		check("refused", text, map[int]int{1: 6, 2: 3}[version])
		if !strings.Contains(text, "NO-PROPOSAL-CHOSEN") {
			t.Errorf("a notification is not named: %s", text)
		}
		text, _ = Log(ike.Log{Kind: ike.LogFailed, Version: version, Path: l.Path, Why: ike.WhyRefused, Code: 40000})
		if !strings.Contains(text, "notification 40000") {
			t.Errorf("an unknown notification: %s", text)
		}
		text, _ = Log(ike.Log{Kind: ike.LogWarning, Version: version, Path: l.Path, Text: strings.Repeat("é", 5000)})
		if len(text) > 2*maxReason {
			t.Errorf("a long text is not cut: %d bytes", len(text))
		}
	}
	l := dmvpn.Log{Ifaces: []string{"Tunnel101"}, Peer: path("192.0.2.7:500", "198.51.100.1:0").Remote, Was: path("192.0.2.7:500", "198.51.100.9:4711").Remote, Why: ike.WhyDeadPeer}
	for l.Kind = 0; l.Kind.String() != "unknown"; l.Kind++ {
		text, severity := Log(l)
		check(l.Kind.String(), text, severity)
	}
	l.Kind, l.Why, l.Inside = dmvpn.LogTwin, ike.WhyIdentity, netip.MustParseAddr("10.0.0.2")
	text, severity := Log(l)
	check(l.Kind.String(), text, severity)
	l.Kind, l.Self = dmvpn.LogNATHub, true
	text, severity = Log(l)
	check(l.Kind.String(), text, severity)
	golden(t, "logs_crypto", b.String())
	for _, e := range []ike.Log{{Kind: 200}} {
		if text, _ := Log(e); text != "" {
			t.Errorf("an unknown kind: %q", text)
		}
	}
	if text, _ := Log(dmvpn.Log{Kind: 200}); text != "" {
		t.Errorf("an unknown kind: %q", text)
	}
	if text, _ := Log(strange{}); text != "" {
		t.Errorf("an unknown event: %q", text)
	}
}

type strange struct{}

func (strange) About() string { return "strange" }

// The phase of IKEv1 that failed is told by how far the peer came.
func TestModeFailure(t *testing.T) {
	id := ike.Identity{Kind: ike.IDIPv4, Value: "198.51.100.1"}
	for _, c := range []struct {
		l    ike.Log
		want string
	}{
		{ike.Log{Why: ike.WhyNoProposal}, "Main"}, {ike.Log{Why: ike.WhyNoProposal, SA: 1}, "Main"}, {ike.Log{Why: ike.WhyNoProposal, SA: 1, Peer: id}, "Quick"},
		{ike.Log{Why: ike.WhyTimeout, SA: 1}, "Main"}, {ike.Log{Why: ike.WhyIdentity, SA: 1, Peer: id}, "Main"}, {ike.Log{Why: ike.WhySelectors}, "Quick"}, {ike.Log{Why: ike.WhyTimeout, Child: 1}, "Quick"},
	} {
		c.l.Kind, c.l.Version, c.l.Path = ike.LogFailed, 1, path("192.0.2.7:500", "198.51.100.1:500")
		if text, _ := Log(c.l); !strings.HasPrefix(text, "%CRYPTO-6-IKMP_MODE_FAILURE: Processing of "+c.want+" mode failed with peer at 198.51.100.1: ") {
			t.Errorf("%+v: %s, want %s mode", c.l, text, c.want)
		}
	}
}

// The guide's own lines for crypto sockets.
func TestSocketLog(t *testing.T) {
	for kind, want := range map[dmvpn.LogKind]string{
		dmvpn.LogSocketOpen: "%DMVPN-7-CRYPTO_SS: Tunnel101-192.0.2.1 socket is UP", dmvpn.LogSocketClosed: "%DMVPN-7-CRYPTO_SS: Tunnel101-192.0.2.1 socket is DOWN",
	} {
		if text, severity := Log(dmvpn.Log{Kind: kind, Ifaces: []string{"Tunnel101"}, Peer: path("192.0.2.7:500", "192.0.2.1:500").Remote}); text != want || severity != 7 {
			t.Errorf("%v: %q %d, want %q", kind, text, severity, want)
		}
	}
}

// No interface is shown twice, and none is left out.
func TestFlowIfaces(t *testing.T) {
	got := flowIfaces(cryptoSample().flows())
	if !slices.Equal(got, []string{"Tunnel1", "Tunnel3", "Tunnel4"}) {
		t.Error(got)
	}
}
