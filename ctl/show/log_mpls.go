package show

import (
	"fmt"

	"nave/slowpath/ldp"
)

// logLDP is the message of something that LDP reports.
func logLDP(l *ldp.Log) (text string, severity int) {
	nb := l.Neighbor
	switch l.Kind {
	case ldp.LogNeighborUp:
		return message("LDP", severityNotice, "NBRCHG", "LDP Neighbor %s is UP", nb)
	case ldp.LogNeighborDown:
		return message("LDP", severityNotice, "NBRCHG", "LDP Neighbor %s is DOWN (%s)", nb, ldpEnd(l, "TCP connection closed"))
	case ldp.LogSessionRefused:
		return message("LDP", severityWarning, "SESSION_REFUSED", "no session with LDP Neighbor %s: %s", nb, ldpEnd(l, "TCP connection closed; if a password is configured on one side only, or they differ, there is none"))
	case ldp.LogNotification:
		return message("LDP", severityWarning, "NOTIFICATION", "LDP Neighbor %s reported: %s", nb, l.Code)
	case ldp.LogMalformed:
		return message("LDP", severityWarning, "MALFORMED", "a message of LDP Neighbor %s can't be taken, and the session goes on: %s", nb, l.Code)
	case ldp.LogDuplicateID:
		return message("LDP", severityError, "DUP_ROUTER_ID", "%s: the router at %s has our LDP identifier; say `mpls ldp router-id INTERFACE force` on one of them", l.Iface, l.Address)
	case ldp.LogTransportChanged:
		return message("LDP", severityError, "TRANSPORT", "%s: LDP Neighbor %s names the transport address %s, and another on other links; its Hellos there do not count", l.Iface, nb, l.Address)
	case ldp.LogTooManyNeighbors:
		return message("LDP", severityError, "NEIGHBOR_LIMIT", "%s: no room for LDP Neighbor %s (%s): there are %d", l.Iface, nb, l.Address, l.Count)
	case ldp.LogTooManyBindings:
		return message("LDP", severityError, "BINDING_LIMIT", "no room for labels of LDP Neighbor %s: %d are known; they are released", nb, l.Count)
	case ldp.LogUnsigned:
		return message("TCP", severityInfo, "BADAUTH", "LDP Neighbor %s: the connection from %s is not signed as its password calls for; say the same `mpls ldp neighbor ADDRESS password KEY` on both ends", nb, l.Address)
	case ldp.LogNoLabels:
		return message("LDP", severityError, "NO_LABELS", "no label for %s: all %d of LDP's half of `mpls label range` are in use, or were until lately; make it larger", l.Prefix, l.Count)
	}
	return "", severityNotice
}

// ldpEnd is how a session ended: what we or the peer said of it, or else that the connection did.
func ldpEnd(l *ldp.Log, closed string) string {
	switch {
	case l.Code == 0:
		return closed
	case l.Received:
		return fmt.Sprintf("Received error notification from peer: %s", l.Code)
	}
	return l.Code.String()
}
