package config

import (
	"fmt"
	"strings"
)

func (c *Config) printISAKMP(p *printer) {
	k := &c.ISAKMP
	for _, r := range k.Keyrings {
		p.in("crypto keyring "+r.Name+word(r.VRF != "", " vrf "+r.VRF), func() {
			set(p, "description", r.Description)
			set(p, "local-address", r.LocalAddr)
			set(p, "local-address", r.LocalInterface)
			for _, key := range r.Keys {
				p.line("pre-shared-key", keyPeer(key), "key", plain(key.Key), key.Key)
			}
		})
		p.bang()
	}
	for _, l := range k.Policies {
		p.in(fmt.Sprintf("crypto isakmp policy %d", l.Priority), func() {
			p.when(l.Encryption != "", "encryption", l.Encryption, word(l.KeyBits != 0, fmt.Sprint(l.KeyBits)))
			set(p, "hash", l.Hash)
			set(p, "authentication", l.Authentication)
			set(p, "group", l.Group)
			set(p, "lifetime", l.Lifetime)
		})
	}
	for _, key := range k.Keys {
		p.line("crypto isakmp key", plain(key.Key), key.Key, keyPeer(key), word(key.NoXAuth, "no-xauth"))
	}
	set(p, "crypto isakmp identity", k.Identity)
	if k.Keepalive.Interval != 0 {
		p.line("crypto isakmp keepalive", keepaliveText(p, "", k.Keepalive))
	}
	set(p, "crypto isakmp nat keepalive", k.NATKeepalive)
	p.when(k.NoAggressive, "crypto isakmp aggressive-mode disable")
	p.when(k.InvalidSPIRecovery, "crypto isakmp invalid-spi-recovery")
	p.when(k.Disabled, "no crypto isakmp enable")
	for _, f := range k.Profiles {
		printISAKMPProfile(p, f)
	}
}

func keyPeer(k ISAKMPKey) string {
	if k.Hostname != "" {
		return "hostname " + k.Hostname
	}
	return "address " + hostText(k.Prefix)
}

// keepaliveText prints interval, retry after the word, and mode.
func keepaliveText(p *printer, retry string, k Keepalive) string {
	out := p.format(k.Interval)
	if k.Retry != 0 {
		out += retry + " " + p.format(k.Retry)
	}
	return out + word(k.Periodic, " periodic") + word(k.OnDemand, " on-demand")
}

func printISAKMPProfile(p *printer, f *ISAKMPProfile) {
	p.in("crypto isakmp profile "+f.Name, func() {
		set(p, "description", f.Description)
		set(p, "vrf", f.VRF)
		for _, k := range f.Keyrings {
			p.line("keyring", k)
		}
		switch id := f.SelfIdentity; id.Kind {
		case "address":
			p.line("self-identity address")
		case "fqdn":
			p.line("self-identity fqdn", id.Value)
		case "email":
			p.line("self-identity user-fqdn", id.Value)
		}
		set(p, "ca trust-point", f.Trustpoint)
		for _, m := range f.Match {
			p.line("match identity", matchIdentityText(m))
		}
		if f.Keepalive.Interval != 0 {
			p.line("keepalive", keepaliveText(p, " retry", f.Keepalive))
		}
		p.when(f.Aggressive, "initiate mode aggressive")
		set(p, "local-address", f.LocalAddr)
		set(p, "local-address", f.LocalInterface)
	})
	p.bang()
}

func matchIdentityText(id Identity) string {
	switch id.Kind {
	case "address":
		return "address " + hostText(id.Prefix) + word(id.VRF != "", " "+id.VRF)
	case "fqdn":
		return "host " + id.Value
	case "fqdn-domain":
		return "host domain " + id.Value
	case "email":
		return "user " + id.Value
	case "email-domain":
		return "user domain " + id.Value
	}
	return "group " + id.Value
}

func (c *Config) printIPsec(p *printer) {
	s := &c.IPsec
	set(p, "crypto ipsec security-association lifetime seconds", s.Lifetime.Duration)
	set(p, "crypto ipsec security-association lifetime kilobytes", s.Lifetime.Kilobytes)
	p.when(s.Lifetime.Unlimited, "crypto ipsec security-association lifetime kilobytes disable")
	set(p, "crypto ipsec security-association replay window-size", s.ReplayWindow)
	p.when(s.ReplayOff, "crypto ipsec security-association replay disable")
	set(p, "crypto ipsec security-association idle-time", s.IdleTime)
	set(p, "crypto ipsec df-bit", s.DFBit)
	set(p, "crypto ipsec fragmentation", s.Fragmentation)
	p.when(s.NoNATT, "no crypto ipsec nat-transparency udp-encapsulation")
	for _, i := range s.Identities {
		p.in("crypto identity "+i.Name, func() {
			for _, d := range i.DN {
				p.line("dn", d)
			}
			for _, f := range i.FQDN {
				p.line("fqdn", f)
			}
		})
		p.bang()
	}
	for _, t := range s.TransformSets {
		p.in("crypto ipsec transform-set "+t.Name+" "+transformText(t), func() {
			p.when(t.Mode != "", "mode", t.Mode, word(t.Require, "require"))
			p.when(t.ESN, "esn")
		})
		p.bang()
	}
	for _, f := range s.Profiles {
		printIPsecProfile(p, f)
	}
}

// transformText prints the transforms in the order AH, cipher, authentication.
func transformText(t *TransformSet) string {
	var words []string
	for _, w := range []string{t.AH, t.Cipher, word(t.KeyBits != 0, fmt.Sprint(t.KeyBits)), word(t.ICV != 0, fmt.Sprintf("icv %d", t.ICV)), t.Auth} {
		if w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, " ")
}

func printIPsecProfile(p *printer, f *IPsecProfile) {
	p.in("crypto ipsec profile "+f.Name, func() {
		set(p, "description", f.Description)
		set(p, "set security-association lifetime seconds", f.Lifetime.Duration)
		set(p, "set security-association lifetime kilobytes", f.Lifetime.Kilobytes)
		p.when(f.Lifetime.Unlimited, "set security-association lifetime kilobytes disable")
		set(p, "set security-association idle-time", f.IdleTime)
		set(p, "set security-association replay window-size", f.ReplayWindow)
		p.when(f.ReplayOff, "set security-association replay disable")
		p.when(len(f.TransformSets) > 0, "set transform-set", strings.Join(f.TransformSets, " "))
		p.when(f.IdentitySet, "set identity", f.Identity)
		p.when(f.PFS != 0, fmt.Sprintf("set pfs group%d", f.PFS))
		set(p, "set isakmp-profile", f.ISAKMPProfile)
		set(p, "set ikev2-profile", f.IKEv2Profile)
		p.when(f.ResponderOnly, "responder-only")
	})
	p.bang()
}

func (c *Config) printPKI(p *printer) {
	for _, t := range c.PKI.Trustpoints {
		p.in("crypto pki trustpoint "+t.Name, func() {
			for _, s := range t.Ignored {
				p.line(s)
			}
			set(p, "ca-file", t.CAFile)
			set(p, "certificate-file", t.CertificateFile)
			set(p, "key-file", t.KeyFile)
			set(p, "crl-file", t.CRLFile)
			set(p, "subject-name", t.SubjectName)
			set(p, "rsakeypair", t.KeyPair)
			set(p, "revocation-check", strings.Join(t.Revocation, " "))
		})
		p.bang()
	}
}

func (c *Config) printIKEv2(p *printer) {
	k := &c.IKEv2
	for _, l := range k.Proposals {
		p.in("crypto ikev2 proposal "+l.Name, func() {
			set(p, "encryption", strings.Join(l.Encryption, " "))
			set(p, "integrity", strings.Join(l.Integrity, " "))
			set(p, "prf", strings.Join(l.PRF, " "))
			p.when(len(l.Groups) > 0, "group", joinInts(l.Groups))
			for round := 1; round <= 7; round++ {
				p.when(len(l.Additional[round]) > 0, "additional-key-exchange", round, strings.Join(l.Additional[round], " "))
			}
		})
		p.bang()
	}
	for _, l := range k.Policies {
		p.in("crypto ikev2 policy "+l.Name, func() {
			set(p, "match fvrf", l.MatchVRF)
			for _, a := range l.MatchLocal {
				p.line("match address local", a)
			}
			for _, s := range l.Proposals {
				p.line("proposal", s)
			}
		})
		p.bang()
	}
	for _, r := range k.Keyrings {
		p.in("crypto ikev2 keyring "+r.Name, func() {
			for _, e := range r.Peers {
				p.in("peer "+e.Name, func() { printIKEv2Peer(p, e) })
				p.bang()
			}
		})
		p.bang()
	}
	for _, f := range k.Profiles {
		printIKEv2Profile(p, f)
	}
	p.when(k.DPD.Interval != 0, "crypto ikev2 dpd", keepaliveText(p, "", k.DPD))
	set(p, "crypto ikev2 cookie-challenge", k.Cookies)
	p.when(k.Fragmentation, "crypto ikev2 fragmentation", opt(p, "mtu", k.FragmentMTU))
	set(p, "crypto ikev2 nat keepalive", k.NATKeepalive)
	set(p, "crypto ikev2 limit max-sa", k.MaxSA)
	set(p, "crypto ikev2 limit max-in-negotiation-sa", k.MaxHalfOpen)
}

func printIKEv2Peer(p *printer, e *IKEv2Peer) {
	set(p, "description", e.Description)
	if e.Prefix.IsValid() {
		p.line("address", hostText(e.Prefix))
	}
	set(p, "hostname", e.Hostname)
	p.when(e.Identity.Kind != "", "identity", ikev2IdentityText(e.Identity))
	if e.Local == e.Remote {
		p.when(e.Local != "", "pre-shared-key", plain(e.Local), e.Local)
		return
	}
	p.when(e.Local != "", "pre-shared-key local", plain(e.Local), e.Local)
	p.when(e.Remote != "", "pre-shared-key remote", plain(e.Remote), e.Remote)
}

func ikev2IdentityText(id Identity) string {
	switch id.Kind {
	case "address":
		return "address " + hostText(id.Prefix)
	case "fqdn-domain", "email-domain":
		return strings.TrimSuffix(id.Kind, "-domain") + " domain " + id.Value
	case "any", "dn":
		return id.Kind
	}
	return id.Kind + " " + id.Value
}

func printIKEv2Profile(p *printer, f *IKEv2Profile) {
	p.in("crypto ikev2 profile "+f.Name, func() {
		set(p, "description", f.Description)
		set(p, "match fvrf", f.MatchVRF)
		for _, a := range f.MatchLocal {
			p.line("match address local", a)
		}
		set(p, "match address local interface", f.MatchLocalIf)
		for _, m := range f.MatchRemote {
			p.line("match identity remote", ikev2IdentityText(m))
		}
		p.when(f.IdentityLocal.Kind != "", "identity local", ikev2IdentityText(f.IdentityLocal))
		for _, a := range f.AuthRemote {
			p.line("authentication remote", a)
		}
		set(p, "authentication local", f.AuthLocal)
		set(p, "keyring local", f.Keyring)
		for _, t := range f.Trustpoints {
			p.line("pki trustpoint", t.Name, t.Use)
		}
		set(p, "lifetime", f.Lifetime)
		p.when(f.DPD.Interval != 0, "dpd", keepaliveText(p, "", f.DPD))
		set(p, "ivrf", f.IVRF)
	})
	p.bang()
}
