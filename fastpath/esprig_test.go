package fastpath

import (
	"encoding/binary"
	"testing"

	"nave/fastpath/fib"
	"nave/fastpath/internal/sa"
	"nave/fastpath/packet"
)

// suite is an ESP transform of a test, or with ah one over it (or alone, where esp is false).
type suite struct {
	name    string
	cipher  fib.Cipher
	key     int
	auth    fib.Auth
	authKey int
	icv     uint8
	esn     bool
	tunnel  bool
	encap   bool
	window  uint16
	ah      fib.Auth // AH over ESP
	ahKey   int
	ahOnly  bool
}

// suites is every transform there is.
func suites() []suite {
	auths := []suite{
		{name: "md5", auth: fib.AuthHMACMD5, authKey: 16}, {name: "sha1", auth: fib.AuthHMACSHA1, authKey: 20},
		{name: "sha256", auth: fib.AuthHMACSHA256, authKey: 32}, {name: "sha384", auth: fib.AuthHMACSHA384, authKey: 48},
		{name: "sha512", auth: fib.AuthHMACSHA512, authKey: 64}, {name: "sha256-96", auth: fib.AuthHMACSHA256x96, authKey: 32},
	}
	var list []suite
	for _, c := range []suite{
		{name: "null"}, {name: "des", cipher: fib.CipherDES, key: 8}, {name: "3des", cipher: fib.Cipher3DES, key: 24},
		{name: "aes-cbc-128", cipher: fib.CipherAESCBC, key: 16}, {name: "aes-cbc-192", cipher: fib.CipherAESCBC, key: 24},
		{name: "aes-cbc-256", cipher: fib.CipherAESCBC, key: 32},
		{name: "aes-ctr-128", cipher: fib.CipherAESCTR, key: 20}, {name: "aes-ctr-256", cipher: fib.CipherAESCTR, key: 36},
	} {
		for _, a := range auths {
			s := c
			s.name, s.auth, s.authKey = c.name+"-"+a.name, a.auth, a.authKey
			list = append(list, s)
		}
	}
	list = append(list, suite{name: "des-alone", cipher: fib.CipherDES, key: 8}, suite{name: "chacha20-poly1305", cipher: fib.CipherChaCha20Poly1305, key: 36})
	for bits, key := range map[string]int{"128": 20, "192": 28, "256": 36} {
		for icv, name := range map[uint8]string{8: "-8", 12: "-12", 16: "-16", 0: ""} {
			list = append(list, suite{name: "aes-gcm-" + bits + name, cipher: fib.CipherAESGCM, key: key, icv: icv})
		}
		list = append(list, suite{name: "aes-gmac-" + bits, cipher: fib.CipherAESGMAC, key: key})
	}
	for _, a := range auths {
		list = append(list, suite{name: "ah-" + a.name, ahOnly: true, ah: a.auth, ahKey: a.authKey})
	}
	return append(list, suite{name: "ah-sha1-esp-3des", ah: fib.AuthHMACSHA1, ahKey: 20, cipher: fib.Cipher3DES, key: 24},
		suite{name: "ah-md5-esp-null", ah: fib.AuthHMACMD5, ahKey: 16},
		suite{name: "ah-sha256-esp-gcm", ah: fib.AuthHMACSHA256, ahKey: 32, cipher: fib.CipherAESGCM, key: 20})
}

var gcm128 = suite{name: "aes-gcm-128", cipher: fib.CipherAESGCM, key: 20, window: 64}

// Numbers of the associations, the same at both ends: out and in, ESP and AH.
const (
	saOut, saIn, ahOut, ahIn = fib.SAID(1), fib.SAID(2), fib.SAID(3), fib.SAID(4)
	protection               = fib.ProtectionID(5)
	spiToHub, spiToSpoke     = 0xabcd0001, 0xabcd0002
)

// testKey is n bytes that depend on the direction.
func testKey(n int, spi uint32) fib.Key {
	b := make(fib.Key, n)
	for i := range b {
		b[i] = byte(i*31) + byte(spi*101)
	}
	return b
}

// associations are those of one end: ESP, AH, or both.
func (s suite) associations(local, remote [4]byte, out, in uint32) (list []fib.SA) {
	mode := s.tunnel
	for _, d := range []struct {
		inbound bool
		spi     uint32
		esp, ah fib.SAID
	}{{false, out, saOut, ahOut}, {true, in, saIn, ahIn}} {
		base := fib.SA{Inbound: d.inbound, SPI: d.spi, Local: addr(local), Remote: addr(remote), ESN: s.esn, Protection: protection}
		if d.inbound {
			base.Window = s.window
		}
		if !s.ahOnly {
			f := base
			f.ID, f.Cipher, f.CipherKey, f.Auth, f.AuthKey, f.ICV = d.esp, s.cipher, testKey(s.key, d.spi), s.auth, testKey(s.authKey, d.spi+7), s.icv
			f.TunnelMode = mode
			if s.encap {
				f.Encap, f.LocalPort, f.RemotePort = true, natPort, natPort
			}
			if s.ah != 0 && d.inbound {
				f.Under = d.ah
			}
			list = append(list, f)
		}
		if s.ah != 0 {
			f := base
			f.ID, f.AH, f.Auth, f.AuthKey = d.ah, true, s.ah, testKey(s.ahKey, d.spi+9)
			f.TunnelMode = mode && s.ahOnly
			f.Over = d.inbound && !s.ahOnly
			list = append(list, f)
		}
	}
	return list
}

// seal makes an adjacency leave by the associations.
func (s suite) seal(a *fib.Adjacency) {
	if !s.ahOnly {
		a.SA = saOut
	}
	if s.ah != 0 {
		a.AH = ahOut
	}
	if s.encap {
		udp := make([]byte, packet.UDPLen)
		binary.BigEndian.PutUint16(udp, natPort)
		binary.BigEndian.PutUint16(udp[2:], natPort)
		a.Outer = append(a.Outer, udp...)
	}
}

// hub protects the rig's tunnel, with the associations to spoke 1.
func (s suite) hub(_ *Config, b *fib.Batch) {
	b.Tunnels[0].Protected, b.Tunnels[0].Protection = true, protection
	b.SAs = s.associations(hubNBMA, spoke1NBMA, spiToSpoke, spiToHub)
	s.seal(&b.Adjacencies[1])
}

// spoke makes the rig spoke 1: its LAN is behind1's.
func (s suite) spoke(c *Config, b *fib.Batch) {
	if c != nil {
		c.library = true // so that our kernels and the library seal for each other
	}
	b.Tunnels[0].Local, b.Tunnels[0].Redirect = addr(spoke1NBMA), false
	b.Tunnels[0].Protected, b.Tunnels[0].Protection = true, protection
	b.Ports[0].Addr = addr(spoke1NBMA)
	b.SAs = s.associations(spoke1NBMA, hubNBMA, spiToHub, spiToSpoke)
	a := &b.Adjacencies[1]
	src := spoke1NBMA
	copy(a.Outer[packet.EthernetLen+12:], src[:])
	dst := hubNBMA
	copy(a.Outer[packet.EthernetLen+16:], dst[:])
	s.seal(a)
	b.Groups = []fib.Group{{ID: group, Members: []fib.AdjID{adjSpoke1}}}
	b.Adjacencies = b.Adjacencies[:2]
	b.Routes = []fib.Route{route("192.0.2.11/32", fib.Receive), route("10.1.0.5/32", adjHost), route("10.0.0.0/24", adjSpoke1)}
}

// pair is a hub and a spoke.
type pair struct {
	t          testing.TB
	hub, spoke *rig
}

func newPair(t testing.TB, s suite, change ...func(*Config, *fib.Batch)) *pair {
	return &pair{t, newRig(t, append([]func(*Config, *fib.Batch){s.hub}, change...)...), newRig(t, append([]func(*Config, *fib.Batch){s.spoke}, change...)...)}
}

// settle polls until nothing waits.
func (r *rig) settle() {
	for r.poll() > 0 {
	}
}

// take is what left by a port, which forgets it.
func (p *wire) take() [][]byte {
	out := p.out
	p.out = nil
	return out
}

// sealed is what the spoke makes of packets from its LAN, as they arrive at the hub.
func (p *pair) sealed(packets ...[]byte) [][]byte {
	for _, ip := range packets {
		p.spoke.lan.in = append(p.spoke.lan.in, toLAN(ip))
	}
	p.spoke.settle()
	return toHub(p.spoke.wan.take())
}

// toHub gives frames that left a rig the addresses that they arrive at the other with.
func toHub(frames [][]byte) [][]byte {
	for _, f := range frames {
		packet.PutEthernet(f, wanMAC, gwMAC, packet.TypeIPv4)
	}
	return frames
}

// deliver gives the hub frames, and is what came out at its LAN.
func (p *pair) deliver(frames ...[]byte) [][]byte {
	for _, f := range frames {
		p.hub.wan.in = append(p.hub.wan.in, append([]byte(nil), f...))
	}
	p.hub.settle()
	return p.hub.lan.take()
}

// one is the only frame of several.
func (p *pair) one(frames [][]byte) []byte {
	p.t.Helper()
	if len(frames) != 1 {
		p.t.Fatalf("%d frames, want one; hub %v, spoke %v", len(frames), p.hub.nonZero(), p.spoke.nonZero())
	}
	return frames[0]
}

// forger makes packets that a spoke would not send.
type forger struct {
	tr *sa.Transform
	x  *sa.Scratch
	f  fib.SA
}

// forger has the keys of the spoke's association id.
func (p *pair) forger(s suite, id fib.SAID) *forger {
	p.t.Helper()
	for _, f := range s.associations(spoke1NBMA, hubNBMA, spiToHub, spiToSpoke) {
		if f.ID == id {
			return p.forgerOf(f)
		}
	}
	p.t.Fatalf("no association %d", id)
	return nil
}

func (p *pair) forgerOf(f fib.SA) *forger {
	p.t.Helper()
	tr, err := sa.New(&f)
	if err != nil {
		p.t.Fatal(err)
	}
	return &forger{tr, sa.NewScratch(4096, p.spoke.e.ivs), f}
}

// esp seals payload and trailer, which is on a block already, and is the ESP packet.
func (f *forger) esp(seq uint64, body []byte) []byte {
	chunk := make([]byte, 8+f.tr.Front()+len(body)+f.tr.Tail())
	copy(chunk[8+f.tr.Front():], body)
	n := f.tr.Seal(f.x, chunk, 8, len(body), seq)
	return chunk[8 : 8+n]
}

// body is a payload with its trailer.
func (f *forger) body(payload []byte, next uint8) []byte {
	b := make([]byte, f.tr.Padded(len(payload)))
	copy(b, payload)
	sa.Trailer(b, len(payload), next)
	return b
}

// frame is ESP from the spoke to the hub.
func (f *forger) frame(esp []byte, opts ...ipOpt) []byte {
	return toWAN(ipv4(spoke1NBMA, hubNBMA, esp, append([]ipOpt{proto(packet.ProtoESP)}, opts...)...))
}

// gre is what the spoke's tunnel packet carries before it is sealed.
func gre(typ uint16, payload []byte) []byte {
	b := make([]byte, 8, 8+len(payload))
	packet.PutGRE(b, typ, tunnelKey, true)
	return append(b, payload...)
}

func udp4500(src [4]byte, port uint16, esp []byte) []byte {
	b := make([]byte, packet.UDPLen, packet.UDPLen+len(esp))
	binary.BigEndian.PutUint16(b, port)
	binary.BigEndian.PutUint16(b[2:], natPort)
	binary.BigEndian.PutUint16(b[4:], uint16(packet.UDPLen+len(esp)))
	return toWAN(ipv4(src, hubNBMA, append(b, esp...)))
}
