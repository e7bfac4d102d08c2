package show

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"nave/slowpath/dmvpn"
	"nave/slowpath/ike"
)

// severityInfo and severityDebug go on where severityNotice ends.
const (
	severityInfo  = 6
	severityDebug = 7
)

// reasons say in words why something failed or ended. What IKE has to add stands in Log.Text.
var reasons = map[ike.Why]string{
	ike.WhyTimeout:        "the peer did not answer",
	ike.WhyNoProposal:     "NO-PROPOSAL-CHOSEN: no proposal of one side is taken by the other",
	ike.WhyAuthentication: "AUTHENTICATION-FAILED: the pre-shared key or the signature is wrong",
	ike.WhyNoKey:          "no pre-shared key or certificate for this peer",
	ike.WhyCertificate:    "the peer's certificate is not accepted",
	ike.WhyIdentity:       "the peer's identity is not one that may use this",
	ike.WhySelectors:      "TS-UNACCEPTABLE: the addresses or protocols are not those of a tunnel",
	ike.WhyPolicy:         "no policy, profile or protected tunnel fits",
	ike.WhyLimit:          "call admission control",
	ike.WhyDeadPeer:       "the peer does not answer any more (dead peer detection)",
	ike.WhyPeerDeleted:    "deleted by the peer",
	ike.WhyCleared:        "cleared",
	ike.WhyReleased:       "not needed any more",
	ike.WhyReplaced:       "replaced by a newer one",
	ike.WhyExpired:        "lifetime expired",
	ike.WhyInitialContact: "the peer started afresh",
	ike.WhyMalformed:      "a message can't be understood",
	ike.WhyRefused:        "refused by the peer",
	ike.WhyBehindNAT:      "nobody can call the peer: it is behind NAT, with others at the same address",
	ike.WhyNATHub:         "the hub is behind NAT, and this hardware can be no hub behind NAT, nor a spoke of one",
}

// notifyNames are errors that a peer may report (RFC 2408 section 3.14.1, RFC 7296 section 3.10.1), as Log.Code has them.
var notifyNames = [2]map[uint16]string{
	{
		1: "INVALID-PAYLOAD-TYPE", 4: "INVALID-COOKIE", 5: "INVALID-MAJOR-VERSION", 7: "INVALID-EXCHANGE-TYPE", 8: "INVALID-FLAGS", 9: "INVALID-MESSAGE-ID",
		10: "INVALID-PROTOCOL-ID", 11: "INVALID-SPI", 12: "INVALID-TRANSFORM-ID", 13: "ATTRIBUTES-NOT-SUPPORTED", 14: "NO-PROPOSAL-CHOSEN",
		15: "BAD-PROPOSAL-SYNTAX", 16: "PAYLOAD-MALFORMED", 17: "INVALID-KEY-INFORMATION", 18: "INVALID-ID-INFORMATION", 19: "INVALID-CERT-ENCODING",
		20: "INVALID-CERTIFICATE", 21: "CERT-TYPE-UNSUPPORTED", 22: "INVALID-CERT-AUTHORITY", 23: "INVALID-HASH-INFORMATION", 24: "AUTHENTICATION-FAILED",
		25: "INVALID-SIGNATURE", 26: "ADDRESS-NOTIFICATION", 27: "NOTIFY-SA-LIFETIME", 28: "CERTIFICATE-UNAVAILABLE", 29: "UNSUPPORTED-EXCHANGE-TYPE",
		30: "UNEQUAL-PAYLOAD-LENGTHS",
	},
	{
		1: "UNSUPPORTED-CRITICAL-PAYLOAD", 4: "INVALID-IKE-SPI", 5: "INVALID-MAJOR-VERSION", 7: "INVALID-SYNTAX", 9: "INVALID-MESSAGE-ID", 11: "INVALID-SPI",
		14: "NO-PROPOSAL-CHOSEN", 17: "INVALID-KE-PAYLOAD", 24: "AUTHENTICATION-FAILED", 34: "SINGLE-PAIR-REQUIRED", 35: "NO-ADDITIONAL-SAS",
		36: "INTERNAL-ADDRESS-FAILURE", 37: "FAILED-CP-REQUIRED", 38: "TS-UNACCEPTABLE", 39: "INVALID-SELECTORS", 40: "UNACCEPTABLE-ADDRESSES",
		43: "TEMPORARY-FAILURE", 44: "CHILD-SA-NOT-FOUND",
	},
}

// reason is why, with the notification and the details that there are.
func reason(version int, why ike.Why, code uint16, text string) string {
	out := reasons[why]
	if out == "" && why != ike.WhyNone {
		out = why.String()
	}
	if code != 0 {
		n := notifyNames[min(max(version, 1), 2)-1][code]
		if n == "" {
			n = fmt.Sprint("notification ", code)
		}
		if !strings.HasPrefix(out, n) {
			out = joined(out, n, ": ")
		}
	}
	return joined(out, text, ": ")
}

// cause is reason for texts that end with it: it is never empty.
func cause(l *ike.Log) string {
	return cmp.Or(cut(reason(l.Version, l.Why, l.Code, l.Text)), "no reason was given")
}

// joined puts two texts together, of which either may be missing.
func joined(a, b, between string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + between + b
}

func message(facility string, severity int, mnemonic, format string, args ...any) (string, int) {
	return fmt.Sprintf("%%%s-%d-%s: ", facility, severity, mnemonic) + fmt.Sprintf(format, args...), severity
}

// logIKE is the message of something that IKE reports.
func logIKE(l *ike.Log) (text string, severity int) {
	peer := l.Path.Remote
	switch l.Kind {
	case ike.LogSAUp:
		if l.Version == 2 {
			return message("IKEV2", severityNotice, "SA_UP", "SA UP%s", about(l))
		}
		return message("CRYPTO", severityInfo, "IKMP_SA_UP", "ISAKMP SA is UP%s", about(l))
	case ike.LogSADown:
		if l.Version == 2 {
			return message("IKEV2", severityNotice, "SA_DOWN", "SA DOWN%s%s", about(l), dueTo(l))
		}
		return message("CRYPTO", severityInfo, "IKMP_SA_DOWN", "ISAKMP SA is DOWN%s%s", about(l), dueTo(l))
	case ike.LogRekeyed:
		if l.Version == 2 {
			return message("IKEV2", severityInfo, "SA_REKEYED", "SA REKEYED%s", about(l))
		}
		return message("CRYPTO", severityInfo, "IKMP_SA_REKEYED", "ISAKMP SA is REKEYED%s", about(l))
	case ike.LogFailed:
		return logFailed(l)
	case ike.LogRejected:
		return logRejected(l)
	case ike.LogLimit:
		return message("CRYPTO", severityWarning, "IKE_DENY_SA_REQ", "IKE denied an SA request with %s due to %s", peer, cut(joined("IKE SA limit or system load", l.Text, ": ")))
	case ike.LogChildUp, ike.LogChildDown:
		return logChild(l)
	case ike.LogUnprotected:
		return message("CRYPTO", severityWarning, "NO_AUTHENTICATION",
			"packets to and from %s are encrypted and not authenticated: whoever is on the way can change them unseen; add esp-sha256-hmac or use esp-gcm on both ends", peer.Addr())
	case ike.LogWarning:
		return message(facility(l), severityWarning, "WARNING", "peer %s: %s", peer, cause(l))
	}
	return "", severityNotice
}

func facility(l *ike.Log) string {
	if l.Version == 2 {
		return "IKEV2"
	}
	return "CRYPTO"
}

// about names the peer of an IKE SA.
func about(l *ike.Log) string {
	return ".  Peer " + l.Path.Remote.String() + "  Id: " + orNone(l.Peer.String())
}

func dueTo(l *ike.Log) string {
	if r := reason(l.Version, l.Why, l.Code, l.Text); r != "" {
		return "  Reason: " + cut(r)
	}
	return ""
}

// maxReason bounds what a peer may have put into a message.
const maxReason = 400

// cut keeps a message on one line and within bounds.
func cut(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "") + "..."
	}
	return s
}

func logFailed(l *ike.Log) (string, int) {
	peer, why := l.Path.Remote, cause(l)
	if l.Version == 2 {
		return message("IKEV2", severityError, "NEG_ABORT", "Negotiation with %s aborted due to ERROR: %s", peer, why)
	}
	switch l.Why {
	case ike.WhyAuthentication:
		return message("CRYPTO", severityWarning, "IKMP_AUTH_FAIL", "Authentication failed with host %s: %s", peer.Addr(), why)
	case ike.WhyCertificate:
		return message("CRYPTO", severityNotice, "IKMP_INVAL_CERT", "Certificate received from %s is bad: %s", peer.Addr(), why)
	}
	phase := "Main"
	switch {
	case l.Why == ike.WhyIdentity || l.Why == ike.WhyNoKey: // the peer has only just said who it is
	case l.Why == ike.WhySelectors || l.Child != 0 || l.SA != 0 && l.Peer.Kind != ike.IDNone:
		phase = "Quick" // the peer has shown who it is: phase 1 is over
	}
	return message("CRYPTO", severityInfo, "IKMP_MODE_FAILURE", "Processing of %s mode failed with peer at %s: %s", phase, peer.Addr(), why)
}

func logRejected(l *ike.Log) (string, int) {
	peer, why := l.Path.Remote, cause(l)
	switch {
	case l.Why == ike.WhyMalformed:
		return message(facility(l), severityWarning, "IKMP_BAD_MESSAGE", "IKE message from %s failed its sanity check or is malformed: %s", peer.Addr(), why)
	case l.Version == 2:
		return message("IKEV2", severityWarning, "MSG_REJECTED", "A message from %s was rejected: %s", peer, why)
	case l.SA == 0 && l.Why != ike.WhyNone: // an offer that nobody takes
		return message("CRYPTO", severityInfo, "IKMP_MODE_FAILURE", "Processing of Main mode failed with peer at %s: %s", peer.Addr(), why)
	case l.SA == 0:
		return message("CRYPTO", severityWarning, "IKMP_NO_SA", "IKE message from %s has no SA and is not an initialization offer: %s", peer.Addr(), why)
	}
	return message("CRYPTO", severityWarning, "IKMP_REJECTED", "A message from %s was rejected: %s", peer, why)
}

func logChild(l *ike.Log) (string, int) {
	state, due := "UP", ""
	if l.Kind == ike.LogChildDown {
		state, due = "DOWN", dueTo(l)
	}
	return message("CRYPTO", severityInfo, "IPSEC_SA", "IPsec SA is %s.  Peer %s  inbound spi 0x%X  outbound spi 0x%X%s", state, l.Path.Remote, l.InSPI, l.OutSPI, due)
}

// logSession is the message of something that sessions report.
func logSession(l *dmvpn.Log) (text string, severity int) {
	tunnels := strings.Join(l.Ifaces, ",")
	switch l.Kind {
	case dmvpn.LogSocketOpen:
		return message("DMVPN", severityDebug, "CRYPTO_SS", "%s-%s socket is UP", tunnels, l.Peer.Addr())
	case dmvpn.LogSocketClosed:
		return message("DMVPN", severityDebug, "CRYPTO_SS", "%s-%s socket is DOWN", tunnels, l.Peer.Addr())
	case dmvpn.LogSessionUp:
		return message("CRYPTO", severityNotice, "SESSION_STATUS", "Crypto tunnel is UP.  Peer %s  Id: %s", withPort(l.Peer), orNone(l.Identity.String()))
	case dmvpn.LogSessionDown:
		due := ""
		if r := reason(0, l.Why, 0, ""); r != "" {
			due = "  Reason: " + r
		}
		return message("CRYPTO", severityNotice, "SESSION_STATUS", "Crypto tunnel is DOWN.  Peer %s  Id: %s%s", withPort(l.Peer), orNone(l.Identity.String()), due)
	case dmvpn.LogMoved:
		return message("DMVPN", severityNotice, "CRYPTO_MOVED", "%s: peer %s is reached at %s now", tunnels, withPort(l.Was), withPort(l.Peer))
	case dmvpn.LogReplaced:
		return message("DMVPN", severityNotice, "CRYPTO_REPLACED", "%s: peer %s (Id: %s) came back as %s; its old session has ended", tunnels, withPort(l.Was), orNone(l.Identity.String()), withPort(l.Peer))
	case dmvpn.LogTakenOver:
		return message("DMVPN", severityNotice, "CRYPTO_TAKEN_OVER", "%s: packets to and from %s go on under the associations from before the restart", tunnels, withPort(l.Peer))
	case dmvpn.LogUnopened:
		return message("DMVPN", severityNotice, "NAT_UNOPENED", "%s: no path to %s could be opened through NAT: %s; traffic stays with the next hop server", tunnels, withPort(l.Peer), reason(0, l.Why, 0, ""))
	case dmvpn.LogTwin:
		return twin(tunnels, l)
	case dmvpn.LogNATHub:
		return natHub(tunnels, l)
	case dmvpn.LogNoRoom:
		return message("DMVPN", severityError, "CRYPTO_FULL", "%s: the fast path has no room for an association with %s", tunnels, withPort(l.Peer))
	}
	return "", severityNotice
}

// twin is a line about two peers that can't be told apart by where they are.
func twin(tunnels string, l *dmvpn.Log) (text string, severity int) {
	const advice = "give one of them another address behind its NAT box"
	if l.Why == ike.WhyIdentity {
		return message("DMVPN", severityWarning, "NAT_TWIN", "%s: peer %s (Id: %s) calls itself %s, as %s does, who is there already: it is not let in; %s",
			tunnels, withPort(l.Peer), orNone(l.Identity.String()), inside(l), withPort(l.Was), advice)
	}
	return message("DMVPN", severityWarning, "NAT_TWIN", "%s: peers %s and %s both call themselves %s (Id: %s), and only the former is sent to; %s",
		tunnels, withPort(l.Peer), withPort(l.Was), inside(l), orNone(l.Identity.String()), advice)
}

// inside is what a peer calls itself.
func inside(l *dmvpn.Log) string {
	if l.Inside.IsValid() {
		return l.Inside.String()
	}
	return l.Peer.Addr().String()
}

// withPort is address and port, with the port of IKE where it is not known.
func withPort(a netip.AddrPort) string {
	if a.Port() == 0 {
		a = netip.AddrPortFrom(a.Addr(), portIKE)
	}
	return a.String()
}
