package interop

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"
)

// NaveIKE is an IKE SA of a session of nave's.
type NaveIKE struct {
	ID          uint32 `json:"id"`
	Version     int    `json:"version"`
	Initiator   bool   `json:"initiator"`
	Established bool   `json:"established"`
	State       string `json:"state"`
	Encryption  string `json:"encryption"`
	KeyBits     int    `json:"key_bits"`
	Hash        string `json:"hash"` // of IKEv2: integrity; empty with a combined cipher
	PRF         string `json:"prf"`
	Group       int    `json:"group"`
	Auth        string `json:"local_authentication"`
	PeerAuth    string `json:"remote_authentication"`
	NATLocal    bool   `json:"nat_local"`
	NATRemote   bool   `json:"nat_remote"`
	Aggressive  bool   `json:"aggressive"`
	SPIi        string `json:"initiator_spi"`
}

// NaveChild is a child of a session of nave's.
type NaveChild struct {
	ID        uint32 `json:"id"`
	Active    bool   `json:"active"`
	Initiator bool   `json:"initiator"`
	In        uint32 `json:"inbound_spi"`
	Out       uint32 `json:"outbound_spi"`
	Transform string `json:"transform"`
	Mode      string `json:"mode"`
	ESN       bool   `json:"esn"`
	Encap     bool   `json:"udp_encapsulation"`
	PFS       int    `json:"pfs_group"`
}

// NaveSession is a row of naved's `show crypto session --json`.
type NaveSession struct {
	Peer     netip.Addr  `json:"peer"`
	Port     int         `json:"port"`
	Status   string      `json:"status"`
	Why      string      `json:"last_reason"`
	Since    *time.Time  `json:"since"`
	Children []NaveChild `json:"children"`
	IKE      []NaveIKE   `json:"ike_sas"`
}

// Session finds the session of a router with a peer; nil if there is none.
func (s *Scenario) Session(router, peer string) (*NaveSession, error) {
	var all []NaveSession
	if err := s.show(router, "crypto session", &all); err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Peer == netip.MustParseAddr(peer) {
			return &all[i], nil
		}
	}
	return nil, nil
}

// Active is the child that the session sends by; nil if there is none.
func (n *NaveSession) Active() *NaveChild {
	for k := range n.Children {
		if n.Children[k].Active {
			return &n.Children[k]
		}
	}
	return nil
}

// established are the IKE SAs that are up: one that was deleted stays until its peer says so, or does not.
func (n *NaveSession) established() (out []NaveIKE) {
	for _, i := range n.IKE {
		if i.Established {
			out = append(out, i)
		}
	}
	return out
}

// CheckNave compares what a router shows of its session with a peer to the suite: up, one IKE SA, and one child that sends.
func (s *Scenario) CheckNave(router, peer string, suite Suite, initiator bool) error {
	n, err := s.Session(router, peer)
	if err != nil {
		return err
	}
	if n == nil || n.Status != "UP-ACTIVE" || len(n.established()) != 1 || n.Active() == nil {
		return fmt.Errorf("show crypto session of %s has %+v for %s", router, n, peer)
	}
	got, want := n.established()[0], suite.naveIKE()
	want.ID, want.State, want.SPIi, want.Initiator, want.Established = got.ID, got.State, got.SPIi, initiator, true
	want.Aggressive = got.Aggressive
	if got != want {
		return fmt.Errorf("show crypto session of %s has an IKE SA\n%+v and should have\n%+v", router, got, want)
	}
	child, wantChild := *n.Active(), suite.naveChild()
	wantChild.ID, wantChild.In, wantChild.Out, wantChild.Initiator, wantChild.Active = child.ID, child.In, child.Out, initiator, true
	if child != wantChild {
		return fmt.Errorf("show crypto session of %s has a child\n%+v and should have\n%+v", router, child, wantChild)
	}
	return nil
}

func (s Suite) naveIKE() NaveIKE {
	p := mustProposal(s.IKE)
	out := NaveIKE{Version: s.Version, Group: p.groupNumber, Auth: map[string]string{"psk": "pre-share", "rsa": "rsa-sig", "ecdsa": "ecdsa-sig"}[s.Auth]}
	out.PeerAuth = out.Auth
	out.Encryption, out.KeyBits = naveCipher(p.cipher)
	if s.Version == 1 {
		out.Hash = p.hash
		return out
	}
	if !ciphers[p.cipher].aead {
		out.Hash, out.PRF = p.hash, p.hash
	}
	if p.prf != "" {
		out.PRF = p.prf
	}
	return out
}

// naveCipher is nave's word for a cipher of IKE's, and the length of its key where it has several.
func naveCipher(swan string) (name string, bits int) {
	if _, err := fmt.Sscanf(swan, "aes%dgcm16", &bits); err == nil {
		return "aes-gcm", bits
	}
	if _, err := fmt.Sscanf(swan, "aes%d", &bits); err == nil {
		return "aes-cbc", bits
	}
	return strings.Replace(swan, "chacha20poly1305", "chacha20-poly1305", 1), 0
}

func (s Suite) naveChild() NaveChild {
	p := mustProposal(s.ESP)
	words := []string{}
	switch {
	case p.ah:
		words = append(words, "ah-"+hashes[p.hash].hmac)
	case p.hash != "":
		words = append(words, ciphers[p.cipher].show, "esp-"+hashes[p.hash].hmac)
	default:
		words = append(words, ciphers[p.cipher].show)
	}
	out := NaveChild{Transform: strings.Join(words, " "), Mode: "transport", ESN: p.esn}
	if s.Tunnel {
		out.Mode = "tunnel"
	}
	if s.Version == 1 { // a first child of IKEv2's has its keys from the IKE SA
		out.PFS = p.groupNumber
	}
	return out
}

// Configure gives a router another configuration and has it read.
func (s *Scenario) Configure(router, config string) error {
	if err := os.WriteFile(s.ConfigFile(router), []byte(config), 0o600); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	out, err := s.Nave(router, "reload")
	if err != nil {
		return fmt.Errorf("interop: reload of %s: %w: %s", router, err, out)
	}
	return nil
}

// LogSince is what a router has logged behind a position in its log; it returns where the log ends.
func (s *Scenario) LogSince(router string, from int) (text string, end int, err error) {
	all, err := os.ReadFile(s.LogFile(router))
	if err != nil {
		return "", 0, fmt.Errorf("interop: %w", err)
	}
	return string(all[min(from, len(all)):]), len(all), nil
}
