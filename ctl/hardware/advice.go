package hardware

import (
	"slices"
	"strings"

	"nave/ctl/config"
	"nave/hwprofiles"
)

// What is good advice elsewhere may be bad advice for hardware: a tunnel key, say, or a cipher that its module does not have. A check with a profile leaves out of the general
// findings what the findings of the profile contradict.

// amend changes a general finding for the hardware of a profile; false leaves it out.
type amend func(r *router, d *config.Diagnostic) bool

var amendments = map[string]amend{
	"ip-mtu-missing": func(r *router, d *config.Diagnostic) bool {
		if i := r.interfaceAt(d.Line); i == nil || !isMGRE(i) || !r.p.MGRE.AdjustMSS.No() {
			return true
		}
		d.Action = "add `ip mtu 1400`"
		return !r.p.DMVPN.IPMTU.Known // hw-mtu says it
	},
	"adjust-mss": func(r *router, d *config.Diagnostic) bool {
		i := r.interfaceAt(d.Line)
		return i == nil || !tcpAdjustMSS.flag(r.p).No() || !tcpAdjustMSS.on(i)
	},
	"mgre-no-key": func(r *router, d *config.Diagnostic) bool {
		if r.p.GRE.Key.No() {
			d.Action = "give each another `tunnel source`"
		}
		return true
	},
	"tunnel-duplicate": func(r *router, d *config.Diagnostic) bool {
		if r.p.GRE.Key.No() {
			d.Action = "give one of them another `tunnel source`"
		}
		return true
	},
	"weak-cipher": func(r *router, d *config.Diagnostic) bool { return r.strongerCipher(d, "") },
	"esp-no-auth": func(r *router, d *config.Diagnostic) bool {
		return r.strongerCipher(d, "add esp-sha256-hmac, on all routers")
	},
	"eigrp-summary": func(r *router, _ *config.Diagnostic) bool { return !r.p.DMVPN.Phase3.No() },
	"eigrp-next-hop": func(r *router, d *config.Diagnostic) bool {
		if !r.p.DMVPN.Phase3.No() {
			return true
		}
		phase2, or, ok := strings.Cut(d.Action, ", or `ip nhrp redirect`")
		if !ok || or == "" { // it goes by redirects alone
			return false
		}
		d.Action = phase2
		return true
	},
	"eigrp-vrf": func(r *router, _ *config.Diagnostic) bool { return !r.p.DMVPN.VRFAwareEIGRP.No() }, // hw-eigrp-vrf says it
}

// strongerCipher amends advice about a transform set: only what the crypto module has is good advice.
func (r *router) strongerCipher(d *config.Diagnostic, without string) bool {
	f := r.p.Crypto.Ciphers
	k := slices.IndexFunc(r.c.IPsec.TransformSets, func(t *config.TransformSet) bool { return t.Pos.Line == d.Line })
	if !f.Known || k < 0 || slices.Contains(f.List, "gcm") {
		return true
	}
	switch weak := strings.TrimPrefix(r.c.IPsec.TransformSets[k].Cipher, "esp-"); {
	case without != "":
		d.Action = without
	case slices.Contains(f.List, "aes") && weak != "aes":
		d.Action = "use esp-aes, on all routers"
	case slices.Contains(f.List, "3des") && weak != "3des":
		d.Action = "use esp-3des, the strongest that the crypto module has, on all routers"
	default:
		return false // it has nothing stronger
	}
	return true
}

// interfaceAt returns the interface whose commands stand around a line; nil before all.
func (r *router) interfaceAt(line int) (found *config.Interface) {
	for _, i := range r.c.Interfaces {
		if i.Pos.Line <= line && (found == nil || i.Pos.Line > found.Pos.Line) {
			found = i
		}
	}
	return found
}

// Amend returns the general findings about one configuration without the advice that its hardware contradicts. Without a profile they stay as they are.
func Amend(p *hwprofiles.Profile, c *config.Config, general config.Diagnostics) config.Diagnostics {
	if p == nil {
		return general
	}
	r := &router{c: c, p: p}
	var out config.Diagnostics
	for _, d := range general {
		if d.Code == config.CodeNoProfile {
			continue
		}
		if f := amendments[d.Code]; f == nil || f(r, &d) {
			out = append(out, d)
		}
	}
	return out
}
