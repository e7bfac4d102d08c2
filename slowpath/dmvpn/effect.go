package dmvpn

import (
	"net/netip"

	"nave/fastpath/fib"
	"nave/slowpath/ike"
	"nave/slowpath/nbma"
	"nave/slowpath/nhrp"
)

// Effect is something to be done for the machine, in the order given. The types of this file are all there are.
type Effect interface{ effect() }

// InstallSA puts an association into the fast path, or changes its peer's address. The receiver keeps no keys.
type InstallSA struct{ SA fib.SA }

// RemoveSA takes an association away, after whatever else is said in the same step.
type RemoveSA struct{ SA fib.SAID }

// Secure has packets to a peer of a tunnel leave by these associations from now on.
type Secure struct {
	Iface string
	NBMA  nbma.Address
	Way   Way
}

// Way is how packets to a peer are sealed, and what their outer header is.
type Way struct {
	SA, AH                fib.SAID   // outbound; 0: without
	To                    netip.Addr // where packets go: another address than NHRP's once a peer behind NAT has moved
	Encap                 bool       // ESP in UDP
	LocalPort, RemotePort uint16     // of Encap
	Seal                  Seal
}

// Unsecure has nothing leave to a peer of a tunnel any more.
type Unsecure struct {
	Iface string
	NBMA  nbma.Address
}

// ToIKE gives IKE an event.
type ToIKE struct{ Event ike.Event }

// ToNHRP tells NHRP how a session is, or where its peer is now: nhrp.PeerState or nhrp.PeerMoved.
type ToNHRP struct{ Event nhrp.Event }

// LogKind says what a Log is about; the text is made elsewhere.
type LogKind uint8

// The kinds.
const (
	LogSocketOpen   LogKind = iota // the crypto socket to a peer was opened (%DMVPN-7-CRYPTO_SS: ... socket is UP)
	LogSocketClosed                // ... is DOWN
	LogSessionUp                   // packets go both ways under protection
	LogSessionDown                 // they do not any more: Why
	LogMoved                       // a peer is reached elsewhere: Peer is new, Was old
	LogReplaced                    // a peer came in the place of another, or from another address: Peer is new, the session with Was ended
	LogNoRoom                      // the fast path has no room for an association
	LogTakenOver                   // a session of the process before goes on by its associations
	LogUnopened                    // a path through NAT on both sides did not open: Why
	LogTwin                        // two peers behind one address call themselves Inside: Peer, and Was. Why is WhyIdentity where Peer was not let in, WhyReplaced where it has the session
	LogNATHub                      // a hub is behind NAT, which this hardware can't have: sessions are refused. Self: that hub is this router, else Peer is
)

var logKindNames = [...]string{"socket-open", "socket-closed", "session-up", "session-down", "moved", "replaced", "no-room", "taken-over", "unopened", "twin", "nat-hub"}

// String names the kind.
func (k LogKind) String() string {
	if int(k) < len(logKindNames) {
		return logKindNames[k]
	}
	return "unknown"
}

// Log is something an operator may want to know. It never holds a secret.
type Log struct {
	Kind       LogKind
	Protection uint32
	Profile    string
	Ifaces     []string // tunnels of the protection
	VRF        uint16
	Local      netip.Addr
	Peer       netip.AddrPort // the port is 500 or, of ESP in UDP, the peer's; 0: not known
	Was        netip.AddrPort
	Inside     netip.Addr   // what the peer calls itself behind NAT; the zero Addr: not known
	Identity   ike.Identity // of the peer, once known
	Why        ike.Why
	Self       bool // of LogNATHub
}

// About names what the log is about, for whoever limits how often it is written.
func (l Log) About() string { return "dmvpn " + l.Kind.String() }

func (InstallSA) effect() {}
func (RemoveSA) effect()  {}
func (Secure) effect()    {}
func (Unsecure) effect()  {}
func (ToIKE) effect()     {}
func (ToNHRP) effect()    {}
func (Log) effect()       {}
