package show

import (
	"cmp"
	"encoding/hex"
	"fmt"

	"nave/fastpath"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
)

// CryptoJSON is JSON for the commands that begin with crypto, and for `dmvpn detail`. What restricts their text restricts it too.
func CryptoJSON(s *Status, what string, sel Select) ([]byte, error) {
	var v any
	switch what {
	case "crypto isakmp sa":
		v = s.ikeSAsJSON(1, sel)
	case "crypto ikev2 sa":
		v = s.ikeSAsJSON(2, sel)
	case "crypto ipsec sa":
		v = s.flowsJSON(sel, false)
	case "crypto session":
		v = s.flowsJSON(sel, true)
	case "dmvpn detail":
		v = map[string]any{"tunnels": s.dmvpnJSON(&sel), "sessions": s.flowsJSON(sel, true)}
	case "crypto map":
		v = s.mapsJSON(sel)
	case "crypto isakmp policy":
		v = s.policiesJSON()
	case "crypto ipsec transform-set":
		v = s.transformsJSON()
	case "crypto call admission statistics":
		v = s.admissionJSON()
	case "crypto engine connections active":
		v = s.engineJSON()
	default:
		return nil, fmt.Errorf("show %s has no JSON form", what)
	}
	return encode(what, v)
}

func (s *Status) ikeSAsJSON(version int, sel Select) any {
	out := make([]map[string]any, 0)
	for _, sa := range s.ikeSAs(version, sel) {
		out = append(out, s.ikeSAJSON(&sa))
	}
	return out
}

func (s *Status) ikeSAJSON(sa *ike.SAStatus) map[string]any {
	row := map[string]any{
		"id": sa.ID, "version": sa.Version, "local": sa.Path.Local, "remote": sa.Path.Remote, "vrf": sa.Path.VRF, "initiator": sa.Initiator,
		"state": sa.State, "established": sa.Established, "initiator_spi": hex.EncodeToString(sa.SPIi[:]), "responder_spi": hex.EncodeToString(sa.SPIr[:]),
		"nat_local": sa.NAT.Self, "nat_remote": sa.NAT.Peer, "dpd": sa.DPD, "fragmentation": sa.Fragmentation, "children": append([]ike.ChildID{}, sa.Children...),
		"profile": sa.Profile, "local_identity": sa.Self.String(), "remote_identity": sa.Peer.String(), "created": orNull(sa.Created),
	}
	if sa.Version == 1 {
		row["aggressive"] = sa.Aggressive
	}
	if sa.Cipher != suite.CipherNone {
		row["encryption"], row["key_bits"] = sa.Cipher.String(), sa.KeyBits
		row["hash"], row["group"] = hashName(sa.Hash), uint16(sa.Group)
		if sa.Version == 2 {
			row["prf"] = hashName(sa.PRF)
		}
	}
	if len(sa.Additional) > 0 {
		names := make([]string, 0, len(sa.Additional))
		for _, g := range sa.Additional {
			names = append(names, g.String())
		}
		row["additional_key_exchanges"] = names
	}
	for name, m := range map[string]ike.AuthMethod{"local_authentication": sa.Auth, "remote_authentication": sa.PeerAuth} {
		if w := authName(m); w != "" {
			row[name] = w
		}
	}
	if sa.Established {
		row["lifetime_seconds"] = int(sa.Lifetime.Seconds())
		row["remaining_seconds"] = secondsLeft(s.Time, sa.Created, sa.Lifetime)
	}
	return row
}

// hashName is a hash by name, nil for none.
func hashName(h suite.Hash) any {
	if h == suite.HashNone {
		return nil
	}
	return h.String()
}

// authName is a method in the words of the configuration.
func authName(m ike.AuthMethod) string {
	switch m {
	case ike.AuthPSK:
		return "pre-share"
	case ike.AuthRSA:
		return "rsa-sig"
	case ike.AuthECDSA:
		return "ecdsa-sig"
	}
	return ""
}

// flowsJSON is each session with its children, and where asked for with its IKE SAs.
func (s *Status) flowsJSON(sel Select, withIKE bool) any {
	out := make([]map[string]any, 0)
	flows := s.flows()
	for k := range flows {
		f := &flows[k]
		if !sel.wants(s, f) {
			continue
		}
		total := f.carried()
		row := map[string]any{
			"interfaces": f.ifaces(), "profile": f.Profile, "shared": f.Shared, "vrf": f.VRF, "local": f.Local, "peer": f.Peer, "port": f.port(),
			"identity": f.identity().String(), "status": f.status(), "since": orNull(f.Since), "socket_open": f.Socket, "passive": f.Passive, "active_sas": f.activeSAs(),
			"encapsulated": saJSON(total.out), "decapsulated": saJSON(total.in), "tries": f.Tries, "next_try": orNull(f.NextTry), "inherited": f.Inherited, "refused": f.Barred,
		}
		if f.LastWhy != ike.WhyNone {
			row["last_end"], row["last_reason"] = orNull(f.LastEnd), f.LastWhy.String()
		}
		if f.Endpoint.IsValid() {
			row["path_endpoint"], row["path_opened"], row["path_opening"] = f.Endpoint, f.Opened, f.Opening
		}
		children := make([]map[string]any, 0, len(f.children))
		for n := range f.children {
			children = append(children, s.childJSON(&f.children[n]))
		}
		row["children"] = children
		if withIKE {
			sas := make([]map[string]any, 0, len(f.sas))
			for n := range f.sas {
				sas = append(sas, s.ikeSAJSON(&f.sas[n]))
			}
			row["ike_sas"] = sas
		}
		out = append(out, row)
	}
	return out
}

func (s *Status) childJSON(p *pair) map[string]any {
	row := map[string]any{"id": p.Child, "ike_sa": p.IKE, "active": p.Active, "remote": p.Remote, "created": orNull(p.Created), "inherited": p.Inherited}
	if p.ESPIn != 0 || p.ESPOut != 0 {
		row["esp_inbound"], row["esp_outbound"] = saJSON(p.esp.in), saJSON(p.esp.out)
	}
	if p.AHIn != 0 || p.AHOut != 0 {
		row["ah_inbound"], row["ah_outbound"] = saJSON(p.ah.in), saJSON(p.ah.out)
	}
	if !p.known {
		row["inbound_spi"], row["outbound_spi"] = p.InSPI, p.OutSPI
		return row
	}
	c := &p.negotiated
	if c.ESP.In != 0 || c.ESP.Out != 0 {
		row["inbound_spi"], row["outbound_spi"] = c.ESP.In, c.ESP.Out
	}
	if c.AH.In != 0 || c.AH.Out != 0 {
		row["ah_inbound_spi"], row["ah_outbound_spi"] = c.AH.In, c.AH.Out
	}
	row["transform"], row["mode"], row["udp_encapsulation"] = transformText(c.Transform), modeName(c.Transform), c.Encap
	row["esn"], row["replay_window"], row["initiator"] = c.Transform.ESN, c.Window, c.Initiator
	row["pfs_group"] = uint16(c.PFS)
	row["lifetime_seconds"], row["remaining_seconds"] = int(c.Lifetime.Seconds()), secondsLeft(s.Time, c.Created, c.Lifetime)
	if c.Kilobytes != 0 {
		m := p.main()
		row["lifetime_kilobytes"] = c.Kilobytes
		row["remaining_kilobytes"] = kilobytesLeft(c.Kilobytes, max(m.in.Bytes, m.out.Bytes))
	}
	if c.Claimed.IsValid() {
		row["claimed_address"] = c.Claimed
	}
	return row
}

func modeName(t ike.Transform) string {
	if t.Tunnel {
		return "tunnel"
	}
	return "transport"
}

func saJSON(n fastpath.SACount) map[string]any {
	return map[string]any{"packets": n.Packets, "bytes": n.Bytes, "auth_failed": n.AuthFailed, "replayed": n.Replayed, "errors": n.Errors}
}

func (s *Status) mapsJSON(sel Select) any {
	out := make([]map[string]any, 0)
	flows := s.flows()
	for _, m := range s.cryptoMaps(flows) {
		if !m.selected(&sel) {
			continue
		}
		p := s.profile(m.profile)
		peers := make([]map[string]any, 0, len(m.flows))
		for _, f := range m.flows {
			if sel.Peer.IsValid() && f.Peer != sel.Peer {
				continue
			}
			peers = append(peers, map[string]any{"peer": f.Peer, "local": f.Local})
		}
		row := map[string]any{
			"name": m.tag, "profile": m.profile, "interfaces": m.ifaces, "peers": peers, "transform_sets": append([]string{}, p.TransformSets...),
			"lifetime_seconds": int(cmp.Or(p.Lifetime, ike.DefaultChildLifetime).Seconds()), "lifetime_kilobytes": nil, "pfs_group": uint16(p.PFS),
			"isakmp_profile": p.ISAKMPProfile, "ikev2_profile": p.IKEv2Profile, "responder_only": p.ResponderOnly,
		}
		if p.Kilobytes != 0 {
			row["lifetime_kilobytes"] = p.Kilobytes
		}
		out = append(out, row)
	}
	return out
}

func (s *Status) policiesJSON() any {
	out := make([]map[string]any, 0)
	for _, p := range s.Crypto.Policies {
		auth := ike.AuthPSK
		if p.RSA {
			auth = ike.AuthRSA
		}
		out = append(out, map[string]any{
			"priority": p.Priority, "encryption": p.Cipher.String(), "key_bits": p.KeyBits, "hash": hashName(p.Hash), "authentication": authName(auth),
			"group": uint16(p.Group), "lifetime_seconds": int(p.Lifetime.Seconds()),
		})
	}
	return out
}

func (s *Status) transformsJSON() any {
	out := make([]map[string]any, 0)
	for _, t := range s.Crypto.TransformSets {
		out = append(out, map[string]any{
			"name": t.Name, "transform": transformText(t.Transform), "mode": modeName(t.Transform), "require": t.Transform.Require, "esn": t.Transform.ESN,
		})
	}
	return out
}

func (s *Status) admissionJSON() any {
	a := &s.Router.IKE.Admission
	n := &a.Stats
	out := map[string]any{
		"load_limit_percent": a.Load, "load_percent": a.LoadNow, "max_ike_sas": a.Limits.SAs,
		"max_in_negotiation": cmp.Or(a.Limits.InNegotiation, ike.DefaultInNegotiation),
		"ike_sas":            a.SAs, "negotiating": a.InNegotiation, "active": a.SAs - a.InNegotiation,
		"incoming": n.In, "incoming_accepted": n.InAccepted, "incoming_rejected": n.InRejected,
		"outgoing": n.Out, "outgoing_accepted": n.OutAccepted, "outgoing_rejected": n.OutRejected,
		"rejected_resources": n.RejectedResources, "rejected_sa_limit": n.RejectedSALimit,
	}
	if a.SetUp > 0 {
		out["set_up_per_second"], out["rejected_set_up"] = a.SetUp, n.RejectedSetUp
	}
	return out
}

func (s *Status) engineJSON() any {
	out := make([]map[string]any, 0)
	flows := s.flows()
	for k := range flows {
		for _, e := range flows[k].associations() {
			row := saJSON(e.count)
			row["id"], row["algorithm"], row["inbound"], row["local"], row["peer"] = e.id, e.algorithm, e.in, flows[k].Local, flows[k].Peer
			row["last_sequence"] = e.count.LastSeq
			out = append(out, row)
		}
	}
	return out
}
