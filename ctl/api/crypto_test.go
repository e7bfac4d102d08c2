package api

import (
	"net/netip"
	"time"

	"nave/ctl/show"
	"nave/fastpath"
	"nave/fastpath/fib"
	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
	"nave/slowpath/ike/suite"
)

// fullCrypto fills in what full needs of IKE and IPsec. Identities are bytes that are no UTF-8.
func fullCrypto(s *show.Status) {
	at := s.Time
	p := ike.Path{VRF: 1, Local: netip.MustParseAddrPort("192.0.2.1:500"), Remote: netip.MustParseAddrPort("192.0.2.2:4500")}
	id := ike.Identity{Kind: ike.IDDN, Value: "0\x82\x01\xff\x00\"\\"}
	x := ike.Transform{AH: suite.HashMD5, Cipher: suite.CipherAESGCM, KeyBits: 128, ICV: 8, Auth: suite.HashSHA1, Tunnel: true, Require: true, ESN: true}
	s.Crypto = show.Crypto{
		Policies:      []ike.V1Policy{{Priority: 1, Cipher: suite.CipherDES, KeyBits: 128, Hash: suite.HashMD5, RSA: true, Group: suite.GroupMODP768, Lifetime: time.Hour}},
		TransformSets: []show.TransformSet{{Name: "t", Transform: x}},
		Profiles:      []show.IPsecProfile{{Name: "p", TransformSets: []string{"t"}, PFS: suite.GroupX25519, Lifetime: time.Hour, Kilobytes: 1, ISAKMPProfile: "i", IKEv2Profile: "f", ResponderOnly: true}},
	}
	s.Router.IKE = ike.Status{
		SAs: []ike.SAStatus{{ID: 1, Version: 2, Path: p, Initiator: true, Established: true, State: "READY", SPIi: [8]byte{1}, SPIr: [8]byte{2}, Cipher: suite.CipherAESCBC, KeyBits: 256, Hash: suite.HashSHA256,
			PRF: suite.HashSHA256, Group: suite.GroupX25519, Additional: []suite.Group{suite.GroupMLKEM768}, Auth: ike.AuthPSK, PeerAuth: ike.AuthRSA, Self: id, Peer: id, NAT: ike.NAT{Self: true, Peer: true},
			DPD: true, Fragmentation: true, Aggressive: true, Created: at, Lifetime: time.Hour, Children: []ike.ChildID{7}, Profile: "f", MessageIDs: [4]uint32{1, 2, 3, 4}}},
		Children: []ike.ChildStatus{{ID: 7, SA: 1, Version: 2, Protection: 3, Path: p, Encap: true, Transform: x, Window: 64, ESP: ike.SPIs{In: 1, Out: 2}, AH: ike.SPIs{In: 3, Out: 4}, PFS: suite.GroupMODP2048,
			Created: at, Lifetime: time.Hour, Kilobytes: 5, Peer: id, Claimed: p.Remote.Addr(), Active: true, Initiator: true}},
		Admission: ike.Admission{Limits: ike.Limits{SAs: 1, InNegotiation: 2, Load: 3, SetUp: 65}, LoadNow: 4, SAs: 5, InNegotiation: 6,
			Stats: ike.AdmissionStats{In: 1, InAccepted: 2, InRejected: 3, Out: 4, OutAccepted: 5, OutRejected: 6, RejectedResources: 7, RejectedSALimit: 8, RejectedSetUp: 9}},
		Stats: [3]ike.Stats{1: {Received: 1, FailedBy: [ike.WhyNATHub + 1]uint64{ike.WhyRefused: 2}}, 2: {Sent: 1 << 60}},
	}
	was := s.Router.IKE.Children[0]
	s.Router.Sessions = dmvpn.Status{SAs: 4, Sessions: []dmvpn.SessionStatus{{Protection: 1, Profile: "p", Shared: true, Ifaces: []string{"Tunnel0"}, Wanted: []string{"Tunnel0"}, VRF: 1, Local: p.Local.Addr(), Peer: p.Remote.Addr(), Inside: p.Local.Addr(), Endpoint: p.Remote, Opening: true, Opened: true,
		Port: 4500, Identity: id, State: dmvpn.Up, Since: at, Socket: true, Passive: true, Inherited: true, Tries: 2, NextTry: at, LastWhy: ike.WhyDeadPeer, LastEnd: at, Barred: true, BarredSelf: true,
		Children: []dmvpn.ChildStatus{{Child: 7, IKE: 1, Active: true, ESPIn: 1, ESPOut: 2, AHIn: 3, AHOut: 4, InSPI: 5, OutSPI: 6, Remote: p.Remote, Created: at, SoftBytes: 7, Refused: true, HeardAt: at, UsedLast: at,
			Inherited: true, Until: at, Was: &was}}}}}
	s.Fastpath.SAs = map[fib.SAID]fastpath.SACount{1: {Packets: 1, Bytes: 2, AuthFailed: 3, Replayed: 4, Errors: 5, LastSeq: 6, Heard: true, Remote: p.Remote.Addr(), RemotePort: 7}}
}
