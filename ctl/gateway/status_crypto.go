package gateway

import (
	"nave/ctl/config"
	"nave/ctl/show"
	"nave/slowpath/ike"
	"nave/slowpath/rib"
)

// configuredCrypto is what the configuration says of IKE and IPsec, for show commands. What is wrong with it is said elsewhere.
func configuredCrypto(tree *config.Config, policies []ike.V1Policy) show.Crypto {
	quiet := translation{tree: tree}
	out := show.Crypto{Policies: policies}
	for _, s := range tree.IPsec.TransformSets {
		if t, ok := quiet.transform(s, 2); ok {
			out.TransformSets = append(out.TransformSets, show.TransformSet{Name: s.Name, Transform: t})
		}
	}
	for _, p := range tree.IPsec.Profiles {
		e := quiet.ikeProtection(&rib.Tunnel{}, &config.Tunnel{}, p, 0)
		out.Profiles = append(out.Profiles, show.IPsecProfile{
			Name: p.Name, TransformSets: p.TransformSets, PFS: e.PFS, Lifetime: e.Lifetime, Kilobytes: e.Kilobytes,
			ISAKMPProfile: p.ISAKMPProfile, IKEv2Profile: p.IKEv2Profile, ResponderOnly: p.ResponderOnly,
		})
	}
	return out
}
