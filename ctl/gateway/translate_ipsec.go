package gateway

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"nave/ctl/config"
	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
	"nave/slowpath/rib"
)

// protection is the tunnels that share their security associations, as far as it is known while interfaces are translated.
type protection struct {
	ike      ike.Protection
	sessions dmvpn.Protection
	remotes  map[netip.Addr]bool // of its tunnels; the zero Addr stands for multipoint GRE
}

// ipsec notes the protection of a tunnel, and tells the fast path's number of it: 0 where it cannot be carried out, so that nothing passes. mtu is
// what a packet of the tunnel may have inside.
func (t *translation) ipsec(i *config.Interface, in *rib.Interface, shutdown bool) fib.ProtectionID {
	tun := &i.Tunnel
	what := "interface " + i.Name
	profile := t.tree.IPsecProfile(tun.Protection.Profile)
	if profile == nil {
		t.problem(what, "IPsec profile "+tun.Protection.Profile+" is not defined: nothing passes the tunnel; say `crypto ipsec profile "+tun.Protection.Profile+"`")
		return 0
	}
	name := i.Name + " " + profile.Name
	if tun.Protection.Shared {
		name = strings.TrimSuffix("shared "+in.Tunnel.Local.String()+" "+profile.Name+" "+tun.VRF, " ")
	}
	if tun.Protection.Shared && !in.Tunnel.Local.IsValid() {
		return 0 // with whom it shares depends on the source
	}
	id := t.numbers.protection(name, in.Tunnel.ID)
	if shutdown || !in.Tunnel.Local.IsValid() {
		return fib.ProtectionID(id) // nothing to protect yet
	}
	p := t.protections[name]
	if p == nil {
		p = &protection{ike: t.ikeProtection(in.Tunnel, tun, profile, id), remotes: make(map[netip.Addr]bool)}
		if len(p.ike.Transforms) == 0 {
			t.problem(what, "IPsec profile "+profile.Name+" has no transform set that can be used: nothing passes the tunnel")
			return 0
		}
		p.sessions = dmvpn.Protection{
			ID: id, Profile: profile.Name, Shared: tun.Protection.Shared, VRF: uint16(in.Tunnel.OuterVRF), Local: in.Tunnel.Local,
			IdleTime: cmp.Or(profile.IdleTime, t.tree.IPsec.IdleTime), ResponderOnly: profile.ResponderOnly,
		}
		t.protections[name] = p
	} else if v2, v1 := t.tree.IKEv2ProfileOf(tun), isakmpProfileOf(tun, profile); v2 != p.ike.IKEv2Profile || v1 != p.ike.ISAKMPProfile {
		t.problem(what, "shares its security associations with another tunnel that has another IKE profile: that one's counts")
	}
	p.sessions.Ifaces = append(p.sessions.Ifaces, i.Name)
	p.remotes[in.Tunnel.Remote] = true
	if in.Tunnel.Remote.IsValid() && !i.NHRP.Enabled() {
		p.sessions.Always = append(p.sessions.Always, dmvpn.Always{Iface: i.Name, Peer: in.Tunnel.Remote})
	}
	return fib.ProtectionID(id)
}

func isakmpProfileOf(tun *config.Tunnel, p *config.IPsecProfile) string {
	return cmp.Or(tun.Protection.ISAKMPProfile, p.ISAKMPProfile)
}

// protected gives IKE and the sessions what was noted, in the order of the numbers.
func (t *translation) protected() {
	for _, name := range slices.SortedFunc(maps.Keys(t.protections), func(a, b string) int {
		return cmp.Compare(t.protections[a].ike.ID, t.protections[b].ike.ID)
	}) {
		p := t.protections[name]
		if len(p.remotes) == 1 { // a single peer, unless it is multipoint GRE's zero Addr
			for a := range p.remotes {
				p.ike.Remote, p.sessions.Remote = a, a
			}
		}
		t.out.IKE.Protections = append(t.out.IKE.Protections, p.ike)
		t.out.Sessions.Protections = append(t.out.Sessions.Protections, p.sessions)
	}
}

// Defaults of IPsec.
const defaultWindow = 64

func (t *translation) ikeProtection(in *rib.Tunnel, tun *config.Tunnel, p *config.IPsecProfile, id uint32) ike.Protection {
	out := ike.Protection{
		ID: id, Profile: p.Name, VRF: uint16(in.OuterVRF), Local: in.Local, Version: 1, ISAKMPProfile: isakmpProfileOf(tun, p), IKEv2Profile: t.tree.IKEv2ProfileOf(tun),
		PFS: suite.Group(p.PFS), Lifetime: cmp.Or(p.Lifetime.Duration, t.tree.IPsec.Lifetime.Duration, ike.DefaultChildLifetime),
		Window: uint16(cmp.Or(p.ReplayWindow, t.tree.IPsec.ReplayWindow, defaultWindow)), ResponderOnly: p.ResponderOnly,
	}
	if out.IKEv2Profile != "" {
		out.Version = 2
	}
	if p.ReplayOff || p.ReplayWindow == 0 && t.tree.IPsec.ReplayOff {
		out.Window = 0
	}
	if l, g := p.Lifetime, t.tree.IPsec.Lifetime; !l.Unlimited && (l.Kilobytes != 0 || !g.Unlimited) {
		out.Kilobytes = uint64(cmp.Or(l.Kilobytes, g.Kilobytes, ike.DefaultKilobytes))
	}
	if out.PFS != suite.GroupNone && !out.PFS.Supported() {
		t.problem("crypto ipsec profile "+p.Name, fmt.Sprintf("`set pfs group%d`: there is no such group; take group14, group19 or group31", p.PFS))
		return out // without transforms: nothing passes
	}
	for _, name := range p.TransformSets {
		set := t.tree.TransformSet(name)
		if set == nil {
			t.problem("crypto ipsec profile "+p.Name, "transform set "+name+" is not defined")
			continue
		}
		if tr, ok := t.transform(set, out.Version); ok {
			out.Transforms = append(out.Transforms, tr)
		}
	}
	if p.Identity != "" {
		out.Peers = t.cryptoIdentity(p)
	}
	return out
}

// cryptoIdentity is who may use a profile. A name that is not defined lets nobody in.
func (t *translation) cryptoIdentity(p *config.IPsecProfile) (out []ike.Match) {
	for _, c := range t.tree.IPsec.Identities {
		if c.Name != p.Identity {
			continue
		}
		for _, dn := range c.DN {
			out = append(out, ike.Match{Kind: ike.IDDN, DN: parts(dn), VRF: ike.AnyVRF})
		}
		for _, name := range c.FQDN {
			out = append(out, ike.Match{Kind: ike.IDFQDN, Value: name, VRF: ike.AnyVRF})
		}
	}
	if len(out) == 0 {
		t.problem("crypto ipsec profile "+p.Name, "`set identity "+p.Identity+"` names nobody, so nobody may use the profile: say who in `crypto identity "+p.Identity+"`")
		out = []ike.Match{{Kind: ike.IDDN}} // matches no name
	}
	return out
}

// parts are the attributes of a distinguished name as configured: "ou=spokes, o=nave".
func parts(dn string) (out []string) {
	for p := range strings.SplitSeq(dn, ",") {
		if p = strings.TrimSpace(p); p != "" {
			out = append(out, p)
		}
	}
	return out
}

var ciphers = map[string]suite.Cipher{
	"": suite.CipherNone, "esp-null": suite.CipherNull, "esp-des": suite.CipherDES, "esp-3des": suite.Cipher3DES, "esp-aes": suite.CipherAESCBC,
	"esp-ctr": suite.CipherAESCTR, "esp-gcm": suite.CipherAESGCM, "esp-gmac": suite.CipherAESGMAC, "esp-chacha20-poly1305": suite.CipherChaCha20Poly1305,
}

var hashes = map[string]suite.Hash{
	"": suite.HashNone, "md5": suite.HashMD5, "sha": suite.HashSHA1, "sha1": suite.HashSHA1, "sha256": suite.HashSHA256, "sha384": suite.HashSHA384,
	"sha512": suite.HashSHA512,
}

// hmac is the hash of a transform such as "esp-sha256-hmac".
func hmac(word string) (suite.Hash, bool) {
	word = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(word, "esp-"), "ah-"), "-hmac")
	h, ok := hashes[word]
	return h, ok
}

func (t *translation) transform(s *config.TransformSet, version int) (out ike.Transform, ok bool) {
	what := "crypto ipsec transform-set " + s.Name
	out = ike.Transform{KeyBits: s.KeyBits, ICV: s.ICV, Tunnel: s.Mode != "transport", Require: s.Require, ESN: s.ESN && version == 2}
	var known [3]bool
	out.Cipher, known[0] = ciphers[s.Cipher]
	out.AH, known[1] = hmac(s.AH)
	out.Auth, known[2] = hmac(s.Auth)
	if known != [3]bool{true, true, true} {
		t.problem(what, "has a transform that this version does not know")
		return out, false
	}
	switch out.Cipher {
	case suite.CipherAESCBC, suite.CipherAESCTR, suite.CipherAESGCM, suite.CipherAESGMAC:
		out.KeyBits = cmp.Or(out.KeyBits, 128)
	}
	if out.Cipher.Combined() {
		out.ICV = cmp.Or(out.ICV, 16)
	}
	if out.Cipher == suite.CipherNone && out.Auth != suite.HashNone {
		out.Cipher = suite.CipherNull // `esp-sha-hmac` alone
	}
	if s.ESN && version == 1 {
		t.problem(what, "`esn` needs IKEv2: with IKEv1 sequence numbers have 32 bits")
	}
	return out, true
}

// sealedMTU is the largest packet that a protected tunnel takes where `ip mtu` says nothing, 0 where it is not protected: what fits the link with
// the heaviest of its transforms, behind NAT too.
func (t *translation) sealedMTU(tun *config.Tunnel, link int) (mtu int) {
	p := t.tree.IPsecProfile(tun.Protection.Profile)
	if p == nil {
		return 0
	}
	gre := greOverhead - 20
	if tun.HasKey {
		gre += greKeyOverhead
	}
	for _, name := range p.TransformSets {
		set := t.tree.TransformSet(name)
		if set == nil {
			continue
		}
		quiet := translation{tree: t.tree} // what is wrong with the set is said elsewhere
		tr, ok := quiet.transform(set, 2)
		if !ok {
			continue
		}
		fit := dmvpn.SealOf(&tr, !t.tree.IPsec.NoNATT && tr.AH == suite.HashNone).Fit(link) - gre
		if mtu == 0 || fit < mtu {
			mtu = fit
		}
	}
	return mtu
}
