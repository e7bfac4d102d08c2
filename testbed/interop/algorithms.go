package interop

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Suite is how a tunnel is protected, in the words of strongSwan's proposals. From it come the commands of both sides, and
// what both must show.
type Suite struct {
	Version int
	Auth    string // "psk"; "rsa" or "ecdsa" for certificates
	IKE     string // "aes128-sha256-modp2048"
	ESP     string // "aes128gcm16"; with a group for PFS; "ah=sha1" for AH
	Tunnel  bool   // tunnel mode
}

// String is the suite on one line.
func (s Suite) String() string {
	mode := ""
	if s.Tunnel {
		mode = " tunnel"
	}
	return fmt.Sprintf("IKEv%d %s %s, ESP %s%s", s.Version, s.Auth, s.IKE, s.ESP, mode)
}

// cipher is what a cipher is called by strongSwan's status, and by nave's commands.
type cipher struct {
	swan string // "AES_CBC-128"
	v1   string // of an ISAKMP policy
	v2   string // of an IKEv2 proposal
	esp  string // of a transform set
	show string // of its status, where that is another word
	aead bool
}

// hash is what a hash is called, as ESP's and IKE's integrity and as IKE's PRF.
type hash struct {
	icv  string // "HMAC_SHA1_96"
	prf  string
	v1   string // "sha"
	v2   string // "sha1"
	hmac string // of a transform set, behind "esp-" or "ah-"
}

var ciphers = func() map[string]cipher {
	m := map[string]cipher{
		"des":              {swan: "DES_CBC", v1: "des", v2: "des", esp: "esp-des"},
		"3des":             {swan: "3DES_CBC", v1: "3des", v2: "3des", esp: "esp-3des"},
		"null":             {swan: "NULL", esp: "esp-null"},
		"chacha20poly1305": {swan: "CHACHA20_POLY1305", v2: "chacha20-poly1305", esp: "esp-chacha20-poly1305", aead: true},
	}
	for _, bits := range []string{"128", "192", "256"} {
		m["aes"+bits] = cipher{swan: "AES_CBC-" + bits, v1: "aes " + bits, v2: "aes-cbc-" + bits, esp: "esp-aes " + bits, show: "esp-" + bits + "-aes"}
		m["aes"+bits+"ctr"] = cipher{swan: "AES_CTR-" + bits, esp: "esp-ctr " + bits}
		for _, icv := range []string{"8", "12", "16"} {
			m["aes"+bits+"gcm"+icv] = cipher{swan: "AES_GCM_" + icv + "-" + bits, v2: "aes-gcm-" + bits, esp: "esp-gcm " + bits + " icv " + icv, aead: true}
		}
		m["aes"+bits+"gmac"] = cipher{swan: "NULL_AES_GMAC-" + bits, esp: "esp-gmac " + bits, aead: true}
	}
	for name, c := range m { // what is the default is left out
		if c.show == "" {
			c.show = strings.TrimSuffix(c.esp, " icv 16")
		}
		if c.show = strings.Replace(c.show, " 128", "", 1); c.show == "esp-128-aes" {
			c.show = "esp-aes"
		}
		m[name] = c
	}
	return m
}()

var hashes = map[string]hash{
	"md5":    {"HMAC_MD5_96", "PRF_HMAC_MD5", "md5", "md5", "md5-hmac"},
	"sha1":   {"HMAC_SHA1_96", "PRF_HMAC_SHA1", "sha", "sha1", "sha-hmac"},
	"sha256": {"HMAC_SHA2_256_128", "PRF_HMAC_SHA2_256", "sha256", "sha256", "sha256-hmac"},
	"sha384": {"HMAC_SHA2_384_192", "PRF_HMAC_SHA2_384", "sha384", "sha384", "sha384-hmac"},
	"sha512": {"HMAC_SHA2_512_256", "PRF_HMAC_SHA2_512", "sha512", "sha512", "sha512-hmac"},
}

// groups are key exchanges by strongSwan's word: its status' word, and the number.
var groups = map[string]struct {
	swan   string
	number int
}{
	"modp768": {"MODP_768", 1}, "modp1024": {"MODP_1024", 2}, "modp1536": {"MODP_1536", 5}, "modp2048": {"MODP_2048", 14},
	"modp3072": {"MODP_3072", 15}, "modp4096": {"MODP_4096", 16},
	"ecp256": {"ECP_256", 19}, "ecp384": {"ECP_384", 20}, "ecp521": {"ECP_521", 21}, "x25519": {"CURVE_25519", 31},
}

// proposal is a proposal taken apart.
type proposal struct {
	ah          bool
	cipher      string
	hash, prf   string
	group       string
	esn         bool
	groupNumber int
}

func parseProposal(text string) (p proposal, err error) {
	text, p.ah = strings.CutPrefix(text, "ah=")
	for _, w := range strings.Split(text, "-") {
		prf, isPRF := strings.CutPrefix(w, "prf")
		switch {
		case isPRF:
			p.prf = prf
		case w == "esn":
			p.esn = true
		case ciphers[w].swan != "":
			p.cipher = w
		case hashes[w].icv != "":
			p.hash = w
		case groups[w].number != 0:
			p.group, p.groupNumber = w, groups[w].number
		default:
			return p, fmt.Errorf("interop: %q of the proposal %s is none of %v %v %v", w, text, slices.Sorted(maps.Keys(ciphers)),
				slices.Sorted(maps.Keys(hashes)), slices.Sorted(maps.Keys(groups)))
		}
	}
	return p, nil
}

// mustProposal is for proposals that tests write down.
func mustProposal(text string) proposal {
	p, err := parseProposal(text)
	if err != nil {
		panic(err)
	}
	return p
}

// SwanIKE and SwanESP are what strongSwan must show of the suite's IKE SA and of its child. pfs: the child had a key exchange of its own.
func (s Suite) SwanIKE() string {
	p := mustProposal(s.IKE)
	prf := p.prf
	if prf == "" {
		prf = p.hash
	}
	out := []string{ciphers[p.cipher].swan}
	if p.hash != "" {
		out = append(out, hashes[p.hash].icv)
	}
	return strings.Join(append(out, hashes[prf].prf, groups[p.group].swan), "/")
}

// SwanESP see SwanIKE.
func (s Suite) SwanESP(pfs bool) string {
	p := mustProposal(s.ESP)
	out, parts := "TRANSPORT ", []string(nil)
	if s.Tunnel {
		out = "TUNNEL "
	}
	if p.ah {
		out += "AH "
	} else {
		out += "ESP "
		parts = append(parts, ciphers[p.cipher].swan)
	}
	if p.hash != "" {
		parts = append(parts, hashes[p.hash].icv)
	}
	if pfs && p.group != "" {
		parts = append(parts, groups[p.group].swan)
	}
	out += strings.Join(parts, "/")
	if p.esn {
		out += " esn"
	}
	return out
}

// Crypto is the suite as nave's commands: everything that `tunnel protection ipsec profile LAB` needs, in which lines of the profile
// go into `crypto ipsec profile`. Keys are strongSwan's default, certificates those of dir.
func (s Suite) Crypto(dir string, profile ...string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if s.Auth != "psk" {
		line("crypto pki trustpoint LAB\n ca-file %s/ca.pem\n certificate-file %s/nave-%s.pem\n key-file %s/nave-%s.key\n crl-file %s/ca.crl\n revocation-check crl",
			dir, dir, s.Auth, dir, s.Auth, dir)
	}
	if s.Version == 1 {
		s.policy(line)
	} else {
		s.proposal(line)
	}
	e := mustProposal(s.ESP)
	set := ciphers[e.cipher].esp
	switch {
	case e.ah:
		set = "ah-" + hashes[e.hash].hmac
	case e.hash != "":
		set += " esp-" + hashes[e.hash].hmac
	}
	line("crypto ipsec transform-set LAB %s", set)
	line(" mode %s", map[bool]string{false: "transport", true: "tunnel"}[s.Tunnel])
	if e.esn {
		line(" esn")
	}
	line("crypto ipsec profile LAB\n set transform-set LAB")
	if e.group != "" {
		line(" set pfs group%d", e.groupNumber)
	}
	if s.Version == 2 {
		line(" set ikev2-profile LAB")
	}
	for _, l := range profile {
		line(" %s", l)
	}
	return b.String()
}

// policy writes what IKEv1 needs.
func (s Suite) policy(line func(string, ...any)) {
	p := mustProposal(s.IKE)
	auth := map[string]string{"psk": "pre-share", "rsa": "rsa-sig"}[s.Auth]
	line("crypto isakmp policy 10\n encryption %s\n hash %s\n authentication %s\n group %d", ciphers[p.cipher].v1, hashes[p.hash].v1, auth, p.groupNumber)
	if s.Auth == "psk" {
		line("crypto isakmp key nave-secret address 192.0.2.0 255.255.255.0")
	} else {
		line("crypto isakmp identity dn")
	}
}

// proposal writes what IKEv2 needs.
func (s Suite) proposal(line func(string, ...any)) {
	p := mustProposal(s.IKE)
	line("crypto ikev2 proposal LAB\n encryption %s", ciphers[p.cipher].v2)
	if !ciphers[p.cipher].aead {
		line(" integrity %s", hashes[p.hash].v2)
	}
	if p.prf != "" {
		line(" prf %s", hashes[p.prf].v2)
	}
	line(" group %s\ncrypto ikev2 policy LAB\n proposal LAB", strconv.Itoa(p.groupNumber))
	if s.Auth == "psk" {
		line("crypto ikev2 keyring LAB\n peer all\n  address 192.0.2.0 255.255.255.0\n  pre-shared-key nave-secret")
	}
	auth := map[string]string{"psk": "pre-share", "rsa": "rsa-sig", "ecdsa": "ecdsa-sig"}[s.Auth]
	line("crypto ikev2 profile LAB\n match identity remote any\n authentication local %s\n authentication remote %s", auth, auth)
	if s.Auth == "psk" {
		line(" keyring local LAB")
	} else {
		line(" identity local dn\n pki trustpoint LAB")
	}
}
