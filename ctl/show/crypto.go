package show

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
)

// Crypto is what the configuration says of IKE and IPsec, as far as commands show it. It holds no secret.
type Crypto struct {
	Policies      []ike.V1Policy // by priority
	TransformSets []TransformSet // by name
	Profiles      []IPsecProfile
}

// TransformSet is `crypto ipsec transform-set`.
type TransformSet struct {
	Name      string
	Transform ike.Transform
}

// IPsecProfile is `crypto ipsec profile`, with the global lifetimes where it has none of its own.
type IPsecProfile struct {
	Name          string
	TransformSets []string
	PFS           suite.Group
	Lifetime      time.Duration
	Kilobytes     uint64 // 0: no limit
	ISAKMPProfile string
	IKEv2Profile  string
	ResponderOnly bool
}

// flow is a session with a peer, and all that IKE and the fast path know of it.
type flow struct {
	dmvpn.SessionStatus
	sas      []ike.SAStatus
	children []pair // those that the fast path took
}

// pair is a child: what dmvpn made of it, what was negotiated, what it carried.
type pair struct {
	dmvpn.ChildStatus
	negotiated ike.ChildStatus
	esp, ah    counts
	known      bool // negotiated is there
}

// counts are the numbers of the two associations of one protocol. The zero SACount is that of one that is not installed.
type counts struct{ in, out fastpath.SACount }

// flows joins sessions with their IKE SAs, children and numbers.
func (s *Status) flows() []flow {
	out := make([]flow, 0, len(s.Router.Sessions.Sessions))
	byID := make(map[ike.ChildID]ike.ChildStatus, len(s.Router.IKE.Children))
	for _, c := range s.Router.IKE.Children {
		byID[c.ID] = c
	}
	sas := sasBySession(s.Router.Sessions.Sessions, s.Router.IKE.SAs)
	for i, session := range s.Router.Sessions.Sessions {
		f := flow{SessionStatus: session, sas: sas[i]}
		for _, c := range session.Children {
			if c.Refused {
				continue
			}
			p := pair{ChildStatus: c, esp: s.counts(c.ESPIn, c.ESPOut), ah: s.counts(c.AHIn, c.AHOut)}
			if p.negotiated, p.known = byID[c.Child]; c.Was != nil {
				p.negotiated, p.known = *c.Was, true
			}
			f.children = append(f.children, p)
		}
		out = append(out, f)
	}
	return out
}

func (s *Status) counts(in, out fib.SAID) counts {
	return counts{s.Fastpath.SAs[in], s.Fastpath.SAs[out]}
}

// main is the protocol whose numbers stand for the pair: ESP, or AH where there is none.
func (p *pair) main() counts {
	if p.ESPIn != 0 || p.ESPOut != 0 {
		return p.esp
	}
	return p.ah
}

// protocols is how many protocols protect a packet: ESP, AH or both.
func (p *pair) protocols() int {
	n := 0
	if p.ESPIn != 0 || p.ESPOut != 0 {
		n++
	}
	if p.AHIn != 0 || p.AHOut != 0 {
		n++
	}
	return n
}

// ifaces are the tunnels to show a flow under: those that want the peer, or all of the protection while none does.
func (f *flow) ifaces() []string {
	if len(f.Wanted) > 0 {
		return f.Wanted
	}
	return f.Ifaces
}

// active is the child that packets leave by, nil while there is none.
func (f *flow) active() *pair {
	for k := range f.children {
		if f.children[k].Active {
			return &f.children[k]
		}
	}
	return nil
}

// port is the peer's UDP port: of ESP in UDP, or of IKE.
func (f *flow) port() uint16 {
	if f.Port != 0 {
		return f.Port
	}
	for _, sa := range f.sas {
		return cmp.Or(sa.Path.Remote.Port(), portIKE)
	}
	return portIKE
}

// portIKE is where IKE is without NAT (RFC 7296 section 2).
const portIKE = 500

// status is the session status of IOS.
func (f *flow) status() string {
	established := slices.ContainsFunc(f.sas, func(sa ike.SAStatus) bool { return sa.Established })
	switch {
	case len(f.children) > 0 && established:
		return "UP-ACTIVE"
	case len(f.children) > 0:
		return "UP-NO-IKE"
	case established:
		return "UP-IDLE"
	case len(f.sas) > 0 || f.State == dmvpn.Negotiating:
		return "DOWN-NEGOTIATING"
	}
	return "DOWN"
}

// activeSAs is how many IPsec SAs there are, each direction counted.
func (f *flow) activeSAs() int {
	n := 0
	for k := range f.children {
		n += 2 * f.children[k].protocols()
	}
	return n
}

// carried sums the numbers of all children.
func (f *flow) carried() (total counts) {
	for k := range f.children {
		m := f.children[k].main()
		total.in, total.out = plus(total.in, m.in), plus(total.out, m.out)
	}
	return total
}

func plus(a, b fastpath.SACount) fastpath.SACount {
	a.Packets, a.Bytes = a.Packets+b.Packets, a.Bytes+b.Bytes
	a.AuthFailed, a.Replayed, a.Errors = a.AuthFailed+b.AuthFailed, a.Replayed+b.Replayed, a.Errors+b.Errors
	return a
}

// dropped is how many packets were refused, for whatever reason.
func dropped(c fastpath.SACount) uint64 { return c.AuthFailed + c.Replayed + c.Errors }

// secondsLeft is how many seconds of a life are left.
func secondsLeft(now, created time.Time, life time.Duration) int {
	return max(0, int(created.Add(life).Sub(now)/time.Second))
}

// kilobytesLeft is how much of a volume is left.
func kilobytesLeft(limit, carried uint64) uint64 { return limit - min(limit, carried/1024) }

// mapTag is IOS's name of the crypto map that it makes for a protected tunnel, or for all that share a profile.
func mapTag(iface, profile string, shared bool) string {
	if shared {
		return profile + "-head-1"
	}
	return iface + "-head-0"
}

// frontVRF names the VRF of outer packets.
func (s *Status) frontVRF(vrf uint16) string { return s.vrfOr(fib.VRF(vrf), "(none)") }

// insideVRF names the VRF of what is protected, that of the tunnels; none is what the global table is called.
func (s *Status) insideVRF(ifaces []string, none string) string {
	for _, i := range s.Router.Interfaces {
		if slices.Contains(ifaces, i.Name) {
			return s.vrfOr(i.VRF, none)
		}
	}
	return none
}

// orNone is a name, or IOS's word for none.
func orNone(s string) string { return cmp.Or(s, "(none)") }

// ident is a side's outer address as IOS has it in selectors: address, mask, protocol and port.
func ident(a netip.Addr) string { return a.String() + "/255.255.255.255/47/0" }

// transformText is a transform in the words of `show crypto ipsec sa`: "esp-256-aes esp-sha-hmac".
func transformText(t ike.Transform) string {
	var words []string
	if t.AH != suite.HashNone {
		words = append(words, "ah-"+hmacWord(t.AH))
	}
	if w := cipherWord(t); w != "" {
		words = append(words, w)
	}
	if t.Auth != suite.HashNone {
		words = append(words, "esp-"+hmacWord(t.Auth))
	}
	return strings.Join(words, " ")
}

func hmacWord(h suite.Hash) string {
	if h == suite.HashSHA1 {
		return "sha-hmac"
	}
	return h.String() + "-hmac"
}

// cipherWord is IOS's word for a cipher of ESP, "" for none.
func cipherWord(t ike.Transform) string {
	bits := ""
	if t.KeyBits != 0 && t.KeyBits != 128 {
		bits = fmt.Sprint(" ", t.KeyBits)
	}
	switch t.Cipher {
	case suite.CipherNone:
		return ""
	case suite.CipherAESCBC:
		if bits != "" {
			return fmt.Sprintf("esp-%d-aes", t.KeyBits)
		}
		return "esp-aes"
	case suite.CipherAESCTR:
		return "esp-ctr" + bits
	case suite.CipherAESGMAC:
		return "esp-gmac" + bits
	case suite.CipherAESGCM:
		if t.ICV != 0 && t.ICV != 16 {
			bits += fmt.Sprintf(" icv %d", t.ICV)
		}
		return "esp-gcm" + bits
	}
	return "esp-" + t.Cipher.String()
}

// ivBytes is the length of a cipher's initialization vector on the wire (RFC 2405, 2451, 3602, 3686, 4106, 4543, 7634).
func ivBytes(c suite.Cipher) int {
	switch c {
	case suite.CipherNone, suite.CipherNull:
		return 0
	case suite.CipherAESCBC:
		return 16
	}
	return 8
}

// mode is how a transform encapsulates.
func mode(t ike.Transform) string {
	if t.Tunnel {
		return "Tunnel"
	}
	return "Transport"
}

// groupText is a Diffie-Hellman group in the words of the configuration.
func groupText(g suite.Group) string {
	if g == suite.GroupNone {
		return "none"
	}
	return fmt.Sprintf("group%d", uint16(g))
}
