package show

import (
	"net/netip"
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
	"nave/slowpath/rib"
)

func path(local, remote string) ike.Path {
	return ike.Path{Local: netip.MustParseAddrPort(local), Remote: netip.MustParseAddrPort(remote)}
}

var (
	desMD5  = ike.Transform{Cipher: suite.CipherDES, Auth: suite.HashMD5}
	gcm256  = ike.Transform{Cipher: suite.CipherAESGCM, KeyBits: 256, ICV: 16, ESN: true}
	ahNull  = ike.Transform{AH: suite.HashSHA1, Cipher: suite.CipherNull, Auth: suite.HashSHA256, Tunnel: true}
	aes128  = ike.Transform{Cipher: suite.CipherAESCBC, KeyBits: 128, Auth: suite.HashSHA1, Require: true}
	desOnly = ike.Transform{Cipher: suite.CipherDES}
)

// cryptoSample is a box with one of everything that crypto commands show: a session of the guide's algorithms in the middle of a rekey, one of
// today's behind NAT that two tunnels share, one of AH and ESP in tunnel mode, one that is being negotiated, one that is down, and a stranger.
func cryptoSample() *Status {
	s := sample()
	for k, name := range []string{"Tunnel3", "Tunnel4"} {
		s.Router.Interfaces = append(s.Router.Interfaces, rib.Interface{Name: name, Addrs: []netip.Prefix{pfx("10.3.0.1/24")}, Up: true, MTU: 1400,
			Tunnel: &rib.Tunnel{ID: fib.TunnelID(4 + k), Local: addr("192.0.3.7"), HasKey: true, Key: uint32(k), Protected: true}})
		s.Interfaces[name] = Configured{Source: "192.0.3.7", Multipoint: true, Profile: "modern", Shared: true}
	}
	s.Crypto = Crypto{
		Policies: []ike.V1Policy{
			{Priority: 1, Cipher: suite.CipherDES, Hash: suite.HashSHA1, Group: suite.GroupMODP768, Lifetime: 86400 * time.Second},
			{Priority: 5, Cipher: suite.Cipher3DES, Hash: suite.HashMD5, Group: suite.GroupMODP1024, Lifetime: time.Hour},
			{Priority: 10, Cipher: suite.CipherAESCBC, KeyBits: 256, Hash: suite.HashSHA384, RSA: true, Group: suite.GroupECP384, Lifetime: time.Hour},
		},
		TransformSets: []TransformSet{{"trans2", desMD5}, {"strong", gcm256}, {"both", ahNull}, {"require", aes128}, {"bare", desOnly}},
		Profiles: []IPsecProfile{
			{Name: "vpn", TransformSets: []string{"trans2", "both"}, Lifetime: time.Hour, Kilobytes: 4608000},
			{Name: "modern", TransformSets: []string{"strong"}, PFS: suite.GroupX25519, Lifetime: 8 * time.Hour, IKEv2Profile: "FLEX", ResponderOnly: true},
		},
	}
	s.Router.IKE = ikeSample()
	s.Router.Sessions = dmvpn.Status{Sessions: sessionSample(), SAs: 10}
	s.Fastpath.SAs = map[fib.SAID]fastpath.SACount{
		1: {Packets: 90, Bytes: 9 * 1024, LastSeq: 90}, 2: {Packets: 95, Bytes: 10 * 1024, LastSeq: 95},
		3: {Packets: 9, Bytes: 1024, Replayed: 1, AuthFailed: 2, Errors: 4, LastSeq: 11}, 4: {Packets: 10, Bytes: 2048, LastSeq: 10},
		5: {Packets: 1 << 33, Bytes: 1 << 43, LastSeq: 1 << 33}, 6: {Packets: 7, Errors: 1, LastSeq: 7},
		7: {Packets: 5, Bytes: 500, LastSeq: 5}, 8: {Packets: 6, Bytes: 600, LastSeq: 6}, 9: {Packets: 5, LastSeq: 5}, 10: {Packets: 6, LastSeq: 6},
	}
	return s
}

func ikeSample() ike.Status {
	id := func(a string) ike.Identity { return ike.Identity{Kind: ike.IDIPv4, Value: a} }
	st := ike.Status{
		SAs: []ike.SAStatus{
			{ID: 1, Version: 1, Path: path("192.0.2.7:500", "198.51.100.1:500"), Initiator: true, Established: true, State: "QM_IDLE", SPIi: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, SPIr: [8]byte{0xa, 0xb},
				Cipher: suite.CipherDES, Hash: suite.HashSHA1, Group: suite.GroupMODP768, Auth: ike.AuthPSK, PeerAuth: ike.AuthPSK, Self: id("192.0.2.7"), Peer: id("198.51.100.1"),
				DPD: true, Created: ago(10 * time.Minute), Lifetime: 24 * time.Hour, Children: []ike.ChildID{1, 2}},
			{ID: 2, Version: 2, Path: path("192.0.3.7:4500", "203.0.113.9:61234"), Established: true, State: "READY", SPIi: [8]byte{0xde, 0xad, 0xbe, 0xef}, SPIr: [8]byte{0, 0, 0, 0, 0, 0, 0, 9},
				Cipher: suite.CipherAESGCM, KeyBits: 256, PRF: suite.HashSHA384, Group: suite.GroupX25519, Additional: []suite.Group{suite.GroupMLKEM768}, Auth: ike.AuthRSA, PeerAuth: ike.AuthECDSA,
				Self: ike.Identity{Kind: ike.IDFQDN, Value: "branch7.example.net"}, Peer: ike.Identity{Kind: ike.IDEmail, Value: "spoke9@example.net"}, NAT: ike.NAT{Peer: true}, DPD: true, Fragmentation: true,
				Created: ago(time.Hour), Lifetime: 24 * time.Hour, Children: []ike.ChildID{3}, Profile: "FLEX", MessageIDs: [4]uint32{4, 3, 8, 7}},
			{ID: 3, Version: 2, Path: path("192.0.3.7:500", "203.0.113.199:500"), State: "IN-NEG", SPIi: [8]byte{7}, Initiator: true},
			{ID: 4, Version: 1, Path: path("192.0.2.7:500", "198.51.100.77:500"), Established: true, State: "QM_IDLE", Cipher: suite.CipherAESCBC, KeyBits: 256, Hash: suite.HashSHA512, Group: suite.GroupMODP2048,
				Auth: ike.AuthRSA, PeerAuth: ike.AuthRSA, Peer: ike.Identity{Kind: ike.IDFQDN, Value: "r77.example.net"}, Created: ago(time.Hour), Lifetime: 2 * time.Hour, Children: []ike.ChildID{4}, Profile: "certs", Aggressive: true},
			{ID: 5, Version: 1, Path: path("192.0.2.7:500", "203.0.113.250:500"), State: "MM_NO_STATE"},
		},
		Children: []ike.ChildStatus{
			{ID: 1, SA: 1, Version: 1, Path: path("192.0.2.7:500", "198.51.100.1:500"), Transform: desMD5, Window: 64, ESP: ike.SPIs{In: 0xD3E9ABD0, Out: 0xD42904F0}, Created: ago(55 * time.Minute), Lifetime: time.Hour, Kilobytes: 4608000},
			{ID: 2, SA: 1, Version: 1, Path: path("192.0.2.7:500", "198.51.100.1:500"), Transform: desMD5, Window: 64, ESP: ike.SPIs{In: 0x11, Out: 0x22}, Created: ago(time.Minute), Lifetime: time.Hour, Kilobytes: 4608000, Active: true, Initiator: true},
			{ID: 3, SA: 2, Version: 2, Path: path("192.0.3.7:4500", "203.0.113.9:61234"), Encap: true, Transform: gcm256, Window: 1024, ESP: ike.SPIs{In: 0x333, Out: 0x444}, PFS: suite.GroupX25519, Created: ago(time.Hour), Lifetime: 8 * time.Hour, Claimed: addr("172.16.0.9"), Active: true},
			{ID: 4, SA: 4, Version: 1, Path: path("192.0.2.7:500", "198.51.100.77:500"), Transform: ahNull, ESP: ike.SPIs{In: 0x555, Out: 0x666}, AH: ike.SPIs{In: 0x777, Out: 0x888}, Created: ago(time.Minute), Lifetime: time.Hour, Kilobytes: 10, Active: true},
		},
	}
	st.Admission = ike.Admission{Limits: ike.Limits{SAs: 500, InNegotiation: 40, Load: 80}, LoadNow: 12, SAs: 5, InNegotiation: 2,
		Stats: ike.AdmissionStats{In: 11, InAccepted: 8, InRejected: 3, Out: 7, OutAccepted: 6, OutRejected: 1, RejectedResources: 1, RejectedSALimit: 3}}
	return st
}

func sessionSample() []dmvpn.SessionStatus {
	return []dmvpn.SessionStatus{
		{Protection: 1, Profile: "vpn", Ifaces: []string{"Tunnel1"}, Wanted: []string{"Tunnel1"}, Local: addr("192.0.2.7"), Peer: addr("198.51.100.1"), Identity: ike.Identity{Kind: ike.IDIPv4, Value: "198.51.100.1"},
			State: dmvpn.Up, Since: ago(55 * time.Minute), Socket: true, Children: []dmvpn.ChildStatus{
				{Child: 2, IKE: 1, Active: true, ESPIn: 3, ESPOut: 4, InSPI: 0x11, OutSPI: 0x22, Created: ago(time.Minute)},
				{Child: 1, IKE: 1, ESPIn: 1, ESPOut: 2, InSPI: 0xD3E9ABD0, OutSPI: 0xD42904F0, Created: ago(55 * time.Minute)},
			}},
		{Protection: 1, Profile: "vpn", Ifaces: []string{"Tunnel1"}, Local: addr("192.0.2.7"), Peer: addr("198.51.100.77"), Identity: ike.Identity{Kind: ike.IDFQDN, Value: "r77.example.net"},
			State: dmvpn.Up, Since: ago(time.Minute), Socket: true, Passive: true, Children: []dmvpn.ChildStatus{
				{Child: 4, IKE: 4, Active: true, ESPIn: 7, ESPOut: 8, AHIn: 9, AHOut: 10, InSPI: 0x555, OutSPI: 0x666, Created: ago(time.Minute)},
				{Child: 9, IKE: 4, Refused: true},
			}},
		{Protection: 1, Profile: "vpn", Ifaces: []string{"Tunnel1"}, Wanted: []string{"Tunnel1"}, Local: addr("192.0.2.7"), Peer: addr("198.51.100.99"), State: dmvpn.Closed, Since: ago(2 * time.Hour),
			Socket: true, Tries: 4, NextTry: now.Add(30 * time.Second), LastWhy: ike.WhyTimeout, LastEnd: ago(10 * time.Second)},
		{Protection: 2, Profile: "modern", Shared: true, Ifaces: []string{"Tunnel3", "Tunnel4"}, Wanted: []string{"Tunnel3", "Tunnel4"}, Local: addr("192.0.3.7"), Peer: addr("203.0.113.9"), Port: 61234,
			Identity: ike.Identity{Kind: ike.IDEmail, Value: "spoke9@example.net"}, State: dmvpn.Up, Since: ago(26 * time.Hour), Socket: true, Children: []dmvpn.ChildStatus{
				{Child: 3, IKE: 2, Active: true, ESPIn: 5, ESPOut: 6, InSPI: 0x333, OutSPI: 0x444, Remote: netip.MustParseAddrPort("203.0.113.9:61234"), Created: ago(time.Hour)},
			}},
		{Protection: 2, Profile: "modern", Shared: true, Ifaces: []string{"Tunnel3", "Tunnel4"}, Wanted: []string{"Tunnel4"}, Local: addr("192.0.3.7"), Peer: addr("203.0.113.199"), State: dmvpn.Negotiating, Since: ago(2 * time.Second), Socket: true, Tries: 1},
	}
}
