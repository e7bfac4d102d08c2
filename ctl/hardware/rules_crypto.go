package hardware

import (
	"strings"

	"nave/ctl/config"
)

func isProtected(i *config.Interface) bool { return i.IsTunnel() && i.Tunnel.Protection.Profile != "" }

func (k *check) cryptoModule(r *router) {
	f := r.p.Crypto.Hardware
	if !f.No() {
		return
	}
	for _, i := range r.tunnels(isProtected) {
		k.add(at(i, "tunnel protection ipsec profile"), config.Warning, software, r.because(f.Fact),
			"add a crypto module, and choose the profile that has it", "packets of %s are encrypted by the route processor, as there is no crypto module", i.Name)
	}
}

func (k *check) cryptoCipher(r *router) {
	f := r.p.Crypto.Ciphers
	if !f.Known {
		return
	}
	seen := map[*config.TransformSet]bool{}
	for _, i := range r.tunnels(isProtected) {
		p := r.c.IPsecProfile(i.Tunnel.Protection.Profile)
		if p == nil {
			continue
		}
		for _, name := range p.TransformSets {
			t := r.c.TransformSet(name)
			if seen[t] || !r.lacks(t) {
				continue
			}
			seen[t] = true
			k.add(t.Pos, config.Error, refused, r.because(f.Fact), "use one of them on all routers of the network",
				"transform set %s of %s is %s, and the crypto module has %s", t.Name, i.Name, t.Cipher, strings.Join(f.List, ", "))
		}
	}
}

func (k *check) cryptoTunnels(r *router) {
	f := r.p.Crypto.Tunnels
	peers := 0
	for _, i := range r.tunnels(isProtected) {
		n := len(i.NHRP.Maps)
		if i.Tunnel.HasDestination() {
			n++
		}
		if f.Known && float64(peers) <= f.Value && f.Over(peers+n) {
			k.add(i.Pos, config.Warning, scale, r.because(f.Fact), "spread the spokes over several hubs",
				"with the %d peers that are configured on %s there are %d, and the crypto module takes %d tunnels", n, i.Name, peers+n, f.Int())
		}
		peers += n
	}
}
