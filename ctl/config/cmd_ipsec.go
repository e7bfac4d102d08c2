package config

// ipsecCommands are `crypto ipsec ...`.
func ipsecCommands() []*spec {
	life := func(syntax, help string, do func(x *ctx)) *spec {
		return cmd("crypto ipsec security-association "+syntax, help, do)
	}
	return []*spec{
		cmd("crypto ipsec transform-set <name> ~ "+transformSyntax, "How packets are encrypted and authenticated", setTransformSet),
		cmd("crypto ipsec profile <name>", "IPsec parameters of tunnels", func(x *ctx) {
			name := x.Text("name")
			if !x.on() {
				remove(&x.cfg.IPsec.Profiles, func(p *IPsecProfile) bool { return p.Name == name })
				return
			}
			p := named(&x.cfg.IPsec.Profiles, name, func(p *IPsecProfile) string { return p.Name },
				func() *IPsecProfile { return &IPsecProfile{Name: name, Pos: x.pos} })
			x.push(mIPsecProfile, p, &p.Lines)
		}),
		life("lifetime seconds ~ <seconds:120-2592000>", "Lifetime of an SA in seconds", func(x *ctx) {
			x.cfg.IPsec.Lifetime.Duration = x.dur("seconds")
		}).def("3600"),
		life("lifetime kilobytes ~ {<kilobytes:2560-4294967295>|disable}", "Lifetime of an SA in traffic", func(x *ctx) {
			x.cfg.IPsec.Lifetime.Kilobytes, x.cfg.IPsec.Lifetime.Unlimited = x.num("kilobytes"), x.has("disable")
		}).def("4608000"),
		life("replay window-size ~ {64|128|256|512|1024}", "Packets that may arrive out of order", func(x *ctx) {
			x.cfg.IPsec.ReplayWindow, x.cfg.IPsec.ReplayOff = x.window(), false
		}).def("64"),
		life("replay disable", "Accept repeated packets", func(x *ctx) { x.cfg.IPsec.ReplayOff = x.on() }).def("off"),
		life("idle-time ~ <seconds:60-86400>", "Remove an SA without traffic", func(x *ctx) { x.cfg.IPsec.IdleTime = x.dur("seconds") }).def("never"),
		cmd("crypto ipsec df-bit ~ {clear|set|copy}", "DF of the outer header", func(x *ctx) {
			x.cfg.IPsec.DFBit = x.choice("clear", "set", "copy")
		}).def("copy"),
		cmd("crypto ipsec fragmentation ~ {before-encryption|after-encryption}", "Where long packets are cut", func(x *ctx) {
			x.cfg.IPsec.Fragmentation = x.choice("before-encryption", "after-encryption")
		}).def("before-encryption"),
		cmd("crypto ipsec nat-transparency udp-encapsulation", "Encapsulate in UDP where there is NAT", func(x *ctx) {
			x.cfg.IPsec.NoNATT = x.off()
		}).def("on"),
	}
}

// choice returns which of the keywords is set, empty for a `no` form.
func (x *ctx) choice(words ...string) string {
	if !x.on() {
		return ""
	}
	return x.OneOf(words...)
}

func (x *ctx) window() int { return atoi(x.choice("64", "128", "256", "512", "1024")) }

// transformSyntax takes the transforms in any order; setTransformSet refuses combinations that make no sense.
const transformSyntax = "{ah-md5-hmac|ah-sha-hmac|ah-sha256-hmac|ah-sha384-hmac|ah-sha512-hmac|" +
	"esp-md5-hmac|esp-sha-hmac|esp-sha256-hmac|esp-sha384-hmac|esp-sha512-hmac|" +
	"esp-des|esp-3des|esp-null|esp-seal|esp-chacha20-poly1305|" +
	"esp-aes [{128|192|256}]|esp-ctr [{128|192|256}]|esp-gmac [{128|192|256}]|" +
	"esp-gcm [{128|192|256}] [icv {8|12|16}]|comp-lzs}..."

var (
	ahWords     = []string{"ah-md5-hmac", "ah-sha-hmac", "ah-sha256-hmac", "ah-sha384-hmac", "ah-sha512-hmac"}
	authWords   = []string{"esp-md5-hmac", "esp-sha-hmac", "esp-sha256-hmac", "esp-sha384-hmac", "esp-sha512-hmac"}
	cipherWords = []string{"esp-des", "esp-3des", "esp-null", "esp-chacha20-poly1305", "esp-aes", "esp-ctr", "esp-gmac", "esp-gcm"}
)

func setTransformSet(x *ctx) {
	name := x.Text("name")
	if !x.on() {
		remove(&x.cfg.IPsec.TransformSets, func(t *TransformSet) bool { return t.Name == name })
		return
	}
	var t TransformSet
	for _, list := range []struct {
		words []string
		to    *string
	}{{ahWords, &t.AH}, {authWords, &t.Auth}, {cipherWords, &t.Cipher}} {
		found := x.keywords(list.words...)
		if len(found) > 1 {
			x.report(Error, "transform", "one transform set can't have both "+found[0]+" and "+found[1], "keep one of them")
			return
		}
		if len(found) == 1 {
			*list.to = found[0]
		}
	}
	if !x.transformOK(&t) {
		return
	}
	if c := t.Cipher; c == "esp-aes" || c == "esp-ctr" || c == "esp-gmac" || c == "esp-gcm" {
		t.KeyBits = atoi(x.OneOf("128", "192", "256"))
	}
	t.ICV = atoi(x.OneOf("8", "12", "16"))
	set := named(&x.cfg.IPsec.TransformSets, name, func(t *TransformSet) string { return t.Name },
		func() *TransformSet { return &TransformSet{Name: name, Pos: x.pos} })
	set.AH, set.Cipher, set.KeyBits, set.ICV, set.Auth = t.AH, t.Cipher, t.KeyBits, t.ICV, t.Auth
	x.push(mTransformSet, set, &set.Lines)
}

// transformOK reports combinations that are not supported or do not exist.
func (x *ctx) transformOK(t *TransformSet) bool {
	switch {
	case x.Has("comp-lzs"):
		x.report(Error, "refused", "compression is not supported", "leave comp-lzs out")
	case x.Has("esp-seal"):
		x.report(Error, "refused", "SEAL is not supported", "use esp-aes or esp-gcm")
	case t.Combined() && t.Auth != "":
		x.report(Error, "transform", t.Cipher+" authenticates by itself", "leave "+t.Auth+" out")
	case t.Cipher == "" && t.Auth == "" && t.AH == "":
		x.report(Error, "transform", "the transform set is empty", "name a cipher")
	case t.Cipher == "esp-null" && t.Auth == "" && t.AH == "":
		x.report(Error, "transform", "esp-null without authentication protects nothing", "add esp-sha256-hmac")
	default:
		return true
	}
	return false
}

func transformSetCommands() []*spec {
	on := func(syntax, help string, do func(x *ctx, t *TransformSet)) *spec {
		return cmd(syntax, help, func(x *ctx) { do(x, x.top().obj.(*TransformSet)) })
	}
	return []*spec{
		on("mode ~ {transport [require]|tunnel}", "Encapsulation; transport is what DMVPN wants", func(x *ctx, t *TransformSet) {
			t.Mode, t.Require = x.choice("transport", "tunnel"), x.has("require")
		}).def("tunnel"),
		on("esn", "64-bit sequence numbers", func(x *ctx, t *TransformSet) { t.ESN = x.on() }).def("off"),
	}
}

func ipsecProfileCommands() []*spec {
	on := func(syntax, help string, do func(x *ctx, p *IPsecProfile)) *spec {
		return cmd(syntax, help, func(x *ctx) { do(x, x.top().obj.(*IPsecProfile)) })
	}
	seconds := func(x *ctx, p *IPsecProfile) { p.Lifetime.Duration = x.dur("seconds") }
	kilobytes := func(x *ctx, p *IPsecProfile) {
		p.Lifetime.Kilobytes, p.Lifetime.Unlimited = x.num("kilobytes"), x.has("disable")
	}
	return []*spec{
		on("description ~ <text:line>", "Free text", func(x *ctx, p *IPsecProfile) { p.Description = x.str("text") }),
		on("set transform-set ~ <transformset>...", "Transform sets, the best first", func(x *ctx, p *IPsecProfile) {
			p.TransformSets = nil
			if x.on() {
				p.TransformSets = unique(x.All("transformset"))
			}
		}),
		on("set identity ~ [<identity>]", "Peers that may use the profile", func(x *ctx, p *IPsecProfile) {
			p.IdentitySet, p.Identity = x.on(), x.str("identity")
		}).def("all"),
		on("set pfs ~ [{group1|group2|group5|group14|group15|group16|group19|group20|group21|group31}]", "New Diffie-Hellman exchange for each SA",
			func(x *ctx, p *IPsecProfile) {
				p.PFS = 0
				if x.on() {
					p.PFS = max(1, atoi(trimGroup(x.OneOf("group1", "group2", "group5", "group14", "group15", "group16", "group19",
						"group20", "group21", "group31"))))
				}
			}).def("none; group1 where no group is named"),
		on("set security-association lifetime seconds ~ <seconds:120-2592000>", "Lifetime of an SA in seconds", seconds).def("the global one, 3600"),
		on("set security-association lifetime kilobytes ~ {<kilobytes:2560-4294967295>|disable}", "Lifetime of an SA in traffic",
			kilobytes).def("the global one, 4608000"),
		on("set security association lifetime seconds ~ <seconds:120-2592000>", "Lifetime of an SA in seconds", seconds).def("the global one, 3600"),
		on("set security association lifetime kilobytes ~ {<kilobytes:2560-4294967295>|disable}", "Lifetime of an SA in traffic",
			kilobytes).def("the global one, 4608000"),
		on("set security-association idle-time ~ <seconds:60-86400>", "Remove an SA without traffic", func(x *ctx, p *IPsecProfile) {
			p.IdleTime = x.dur("seconds")
		}).def("the global one"),
		on("set security-association replay window-size ~ {64|128|256|512|1024}", "Packets that may arrive out of order",
			func(x *ctx, p *IPsecProfile) { p.ReplayWindow, p.ReplayOff = x.window(), false }).def("the global one, 64"),
		on("set security-association replay disable", "Accept repeated packets", func(x *ctx, p *IPsecProfile) { p.ReplayOff = x.on() }),
		on("set isakmp-profile ~ <profile>", "IKEv1 profile", func(x *ctx, p *IPsecProfile) { p.ISAKMPProfile = x.str("profile") }),
		on("set ikev2-profile ~ <profile>", "IKEv2 profile; SAs are then made by IKEv2", func(x *ctx, p *IPsecProfile) {
			p.IKEv2Profile = x.str("profile")
		}),
		on("responder-only", "Let the peer begin", func(x *ctx, p *IPsecProfile) { p.ResponderOnly = x.on() }).def("off"),
		not("set peer <text:line>", "Peer address", "an IPsec profile has no peer: the tunnel knows it", "remove the line"),
		not("match address <text:line>", "Packets to encrypt", "an IPsec profile has no access list: the tunnel protects all its packets",
			"remove the line"),
	}
}

func trimGroup(s string) string {
	if len(s) > 5 {
		return s[5:]
	}
	return ""
}

// unique drops repeated strings.
func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if !contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
