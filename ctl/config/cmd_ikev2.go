package config

import (
	"net/netip"
	"slices"

	"nave/ctl/config/grammar"
)

// ikev2Commands are the global `crypto ikev2 ...`.
func ikev2Commands() []*spec {
	v2 := func(x *ctx) *IKEv2 { return &x.cfg.IKEv2 }
	return []*spec{
		cmd("crypto ikev2 proposal <name>", "Algorithms of IKEv2", func(x *ctx) {
			name := x.Text("name")
			if !x.on() {
				remove(&v2(x).Proposals, func(p *IKEv2Proposal) bool { return p.Name == name })
				return
			}
			p := named(&v2(x).Proposals, name, func(p *IKEv2Proposal) string { return p.Name },
				func() *IKEv2Proposal { return &IKEv2Proposal{Name: name, Pos: x.pos} })
			x.push(mIKEv2Proposal, p, &p.Lines)
		}),
		cmd("crypto ikev2 policy <name>", "Which proposals are used where", func(x *ctx) {
			name := x.Text("name")
			if !x.on() {
				remove(&v2(x).Policies, func(p *IKEv2Policy) bool { return p.Name == name })
				return
			}
			p := named(&v2(x).Policies, name, func(p *IKEv2Policy) string { return p.Name },
				func() *IKEv2Policy { return &IKEv2Policy{Name: name, Pos: x.pos} })
			x.push(mIKEv2Policy, p, &p.Lines)
		}),
		cmd("crypto ikev2 keyring <name>", "Pre-shared keys of IKEv2", func(x *ctx) {
			name := x.Text("name")
			if !x.on() {
				remove(&v2(x).Keyrings, func(k *IKEv2Keyring) bool { return k.Name == name })
				return
			}
			k := named(&v2(x).Keyrings, name, func(k *IKEv2Keyring) string { return k.Name },
				func() *IKEv2Keyring { return &IKEv2Keyring{Name: name, Pos: x.pos} })
			x.push(mIKEv2Keyring, k, &k.Lines)
		}),
		cmd("crypto ikev2 profile <name>", "Identities and authentication of IKEv2", func(x *ctx) {
			name := x.Text("name")
			if !x.on() {
				remove(&v2(x).Profiles, func(p *IKEv2Profile) bool { return p.Name == name })
				return
			}
			p := named(&v2(x).Profiles, name, func(p *IKEv2Profile) string { return p.Name },
				func() *IKEv2Profile { return &IKEv2Profile{Name: name, Pos: x.pos} })
			x.push(mIKEv2Profile, p, &p.Lines)
		}),
		cmd("crypto ikev2 dpd ~ <seconds:10-3600> <retry:2-60> {periodic|on-demand}", "Dead peer detection", func(x *ctx) {
			v2(x).DPD = x.keepalive()
		}).def("off"),
		cmd("crypto ikev2 cookie-challenge ~ <halfopen:1-1000>", "Half-open SAs above which cookies are asked for", func(x *ctx) {
			v2(x).Cookies = x.num("halfopen")
		}).def("100"),
		cmd("crypto ikev2 fragmentation ~ [mtu <bytes:68-1500>]", "Cut long IKE messages (RFC 7383)", func(x *ctx) {
			v2(x).Fragmentation, v2(x).FragmentMTU = x.on(), x.num("bytes")
		}).def("off; 576 bytes"),
		cmd("crypto ikev2 nat keepalive ~ <seconds:5-3600>", "Time between NAT keepalives", func(x *ctx) {
			v2(x).NATKeepalive = x.dur("seconds")
		}).def("20"),
		cmd("crypto ikev2 limit max-sa ~ <count:1-99999>", "Most IKEv2 SAs", func(x *ctx) { v2(x).MaxSA = x.num("count") }).def("no limit"),
		cmd("crypto ikev2 limit max-in-negotiation-sa ~ <count:1-99999>", "Most IKEv2 SAs in negotiation", func(x *ctx) {
			v2(x).MaxHalfOpen = x.num("count")
		}).def("no limit"),
	}
}

var (
	ikev2Ciphers = []string{"des", "3des", "aes-cbc-128", "aes-cbc-192", "aes-cbc-256", "aes-gcm-128", "aes-gcm-256", "chacha20-poly1305"}
	ikev2Hashes  = []string{"md5", "sha1", "sha256", "sha384", "sha512"}
)

func ikev2ProposalCommands() []*spec {
	on := func(syntax, help string, do func(x *ctx, p *IKEv2Proposal)) *spec {
		return cmd(syntax, help, func(x *ctx) { do(x, x.top().obj.(*IKEv2Proposal)) })
	}
	list := func(x *ctx, words []string) []string {
		if !x.on() {
			return nil
		}
		return x.keywords(words...)
	}
	return []*spec{
		on("encryption ~ {des|3des|aes-cbc-128|aes-cbc-192|aes-cbc-256|aes-gcm-128|aes-gcm-256|chacha20-poly1305}...", "Ciphers, the best first",
			func(x *ctx, p *IKEv2Proposal) { p.Encryption = list(x, ikev2Ciphers) }),
		on("integrity ~ {md5|sha1|sha256|sha384|sha512}...", "Hashes, not with GCM or ChaCha20", func(x *ctx, p *IKEv2Proposal) {
			p.Integrity = list(x, ikev2Hashes)
		}),
		on("prf ~ {md5|sha1|sha256|sha384|sha512}...", "Pseudo-random functions", func(x *ctx, p *IKEv2Proposal) {
			p.PRF = list(x, ikev2Hashes)
		}).def("those of integrity"),
		on("group ~ "+groupSyntax+"...", "Diffie-Hellman groups", func(x *ctx, p *IKEv2Proposal) {
			p.Groups = nil
			for _, w := range list(x, groupWords) {
				p.Groups = append(p.Groups, atoi(w))
			}
		}),
		on("additional-key-exchange <round:1-7> ~ {mlkem768|none}...", "One more key exchange (RFC 9370)", func(x *ctx, p *IKEv2Proposal) {
			round := int(x.Uint("round"))
			if !x.on() {
				if delete(p.Additional, round); len(p.Additional) == 0 {
					p.Additional = nil
				}
				return
			}
			if p.Additional == nil {
				p.Additional = map[int][]string{}
			}
			p.Additional[round] = x.keywords("mlkem768", "none")
		}).nave(),
	}
}

func ikev2PolicyCommands() []*spec {
	on := func(syntax, help string, do func(x *ctx, p *IKEv2Policy)) *spec {
		return cmd(syntax, help, func(x *ctx) { do(x, x.top().obj.(*IKEv2Policy)) })
	}
	return []*spec{
		on("proposal <proposal>", "Proposal to use, in order", func(x *ctx, p *IKEv2Policy) {
			update(x, &p.Proposals, x.Text("proposal"), equals(x.Text("proposal")))
		}),
		on("match fvrf ~ <vrf>", "VRF of the encrypted packets, or any", func(x *ctx, p *IKEv2Policy) { p.MatchVRF = x.str("vrf") }),
		on("match address local <address:ip>", "Local address", func(x *ctx, p *IKEv2Policy) {
			update(x, &p.MatchLocal, x.IP("address"), equals(x.IP("address")))
		}),
	}
}

func ikev2KeyringCommands() []*spec {
	return []*spec{
		cmd("peer <name>", "A peer or a group of them", func(x *ctx) {
			k, name := x.top().obj.(*IKEv2Keyring), x.Text("name")
			if !x.on() {
				remove(&k.Peers, func(p *IKEv2Peer) bool { return p.Name == name })
				return
			}
			p := named(&k.Peers, name, func(p *IKEv2Peer) string { return p.Name }, func() *IKEv2Peer { return &IKEv2Peer{Name: name, Pos: x.pos} })
			x.push(mIKEv2Peer, p, &p.Lines)
		}),
	}
}

func ikev2PeerCommands() []*spec {
	on := func(syntax, help string, do func(x *ctx, p *IKEv2Peer)) *spec {
		return cmd(syntax, help, func(x *ctx) { do(x, x.top().obj.(*IKEv2Peer)) })
	}
	return []*spec{
		on("description ~ <text:line>", "Free text", func(x *ctx, p *IKEv2Peer) { p.Description = x.str("text") }),
		on("address ~ <address:ip> [<mask:mask>]", "Address or range of the peer", func(x *ctx, p *IKEv2Peer) {
			p.Prefix = netip.Prefix{}
			if x.on() {
				p.Prefix = x.hostOrNetwork("address", "mask")
			}
		}),
		on("hostname ~ <hostname>", "Host name of the peer", func(x *ctx, p *IKEv2Peer) { p.Hostname = x.str("hostname") }),
		on("identity ~ {address <address:ip>|fqdn <fqdn>|email <email>|key-id <keyid>}", "Identity of the peer", func(x *ctx, p *IKEv2Peer) {
			p.Identity = Identity{}
			if x.on() {
				p.Identity = x.ikev2Identity()
			}
		}),
		on("pre-shared-key ~ [{local|remote}] [{0|6}] <key:secret>", "Key: our own, the peer's, or both", func(x *ctx, p *IKEv2Peer) {
			if x.encrypted() {
				return
			}
			if !x.Has("remote") {
				p.Local = x.secret("key")
			}
			if !x.Has("local") {
				p.Remote = x.secret("key")
			}
		}),
	}
}

// hostOrNetwork reads an address with an optional mask; 0.0.0.0 alone is every address.
func (x *ctx) hostOrNetwork(addr, mask string) netip.Prefix {
	bits := 32
	if x.Given(mask) {
		bits, _ = grammar.MaskBits(x.Text(mask))
	}
	if bits == 32 && x.IP(addr).IsUnspecified() {
		bits = 0
	}
	return netip.PrefixFrom(x.IP(addr), bits).Masked()
}

// ikev2Identity reads an identity of one kind.
func (x *ctx) ikev2Identity() Identity {
	switch kind := x.OneOf("address", "fqdn", "email", "key-id", "dn", "any"); kind {
	case "address":
		return Identity{Kind: kind, Prefix: x.hostOrNetwork("address", "mask")}
	case "fqdn", "email":
		if x.Given("domain") {
			return Identity{Kind: kind + "-domain", Value: x.Text("domain")}
		}
		return Identity{Kind: kind, Value: x.Text(kind)}
	case "key-id":
		return Identity{Kind: kind, Value: x.Text("keyid")}
	default:
		return Identity{Kind: kind}
	}
}

func ikev2ProfileCommands() []*spec {
	on := func(syntax, help string, do func(x *ctx, p *IKEv2Profile)) *spec {
		return cmd(syntax, help, func(x *ctx) { do(x, x.top().obj.(*IKEv2Profile)) })
	}
	return []*spec{
		on("description ~ <text:line>", "Free text", func(x *ctx, p *IKEv2Profile) { p.Description = x.str("text") }),
		on("match identity remote {address <address:ip> [<mask:mask>]|fqdn {domain <domain>|<fqdn>}|email {domain <domain>|<email>}|key-id <keyid>|any}",
			"Peers that the profile is for", func(x *ctx, p *IKEv2Profile) {
				id := x.ikev2Identity()
				update(x, &p.MatchRemote, id, equals(id))
			}),
		on("match fvrf ~ <vrf>", "VRF of the encrypted packets, or any", func(x *ctx, p *IKEv2Profile) { p.MatchVRF = x.str("vrf") }),
		on("match address local <address:ip>", "Local address", func(x *ctx, p *IKEv2Profile) {
			update(x, &p.MatchLocal, x.IP("address"), equals(x.IP("address")))
		}),
		on("match address local interface ~ <interface:interface>", "Local interface", func(x *ctx, p *IKEv2Profile) {
			p.MatchLocalIf = x.str("interface")
		}),
		on("identity local ~ {address <address:ip>|fqdn <fqdn>|email <email>|key-id <keyid>|dn}", "How we call ourselves",
			func(x *ctx, p *IKEv2Profile) {
				p.IdentityLocal = Identity{}
				if x.on() {
					p.IdentityLocal = x.ikev2Identity()
				}
			}).def("the tunnel source's address"),
		on("authentication local ~ {pre-share|rsa-sig|ecdsa-sig}", "How we prove who we are", func(x *ctx, p *IKEv2Profile) {
			p.AuthLocal = x.choice("pre-share", "rsa-sig", "ecdsa-sig")
		}),
		on("authentication remote {pre-share|rsa-sig|ecdsa-sig}", "How peers prove who they are", func(x *ctx, p *IKEv2Profile) {
			m := x.OneOf("pre-share", "rsa-sig", "ecdsa-sig")
			if update(x, &p.AuthRemote, m, equals(m)); x.on() {
				slices.Sort(p.AuthRemote)
			}
		}),
		on("keyring local ~ <keyring>", "Pre-shared keys to use", func(x *ctx, p *IKEv2Profile) { p.Keyring = x.str("keyring") }),
		on("pki trustpoint <trustpoint> ~ [{sign|verify}]", "Certificates to use", func(x *ctx, p *IKEv2Profile) {
			t := IKEv2Trustpoint{x.Text("trustpoint"), x.OneOf("sign", "verify")}
			if !x.on() && t.Use == "" {
				remove(&p.Trustpoints, func(o IKEv2Trustpoint) bool { return o.Name == t.Name })
				return
			}
			update(x, &p.Trustpoints, t, equals(t))
		}),
		on("lifetime ~ <seconds:120-86400>", "Lifetime of the IKE SA", func(x *ctx, p *IKEv2Profile) { p.Lifetime = x.dur("seconds") }).def("86400"),
		on("dpd ~ <seconds:10-3600> <retry:2-60> {periodic|on-demand}", "Dead peer detection", func(x *ctx, p *IKEv2Profile) { p.DPD = x.keepalive() }),
		on("ivrf ~ <vrf>", "VRF of the clear-text packets", func(x *ctx, p *IKEv2Profile) { p.IVRF = x.str("vrf") }),
	}
}
