package show

import (
	"strings"

	"nave/slowpath"
	"nave/slowpath/bgp"
)

// logBGP is the message of a session that came up or went down.
func logBGP(s bgp.Session) (text string, severity int) {
	who := s.Neighbour.String()
	if s.VRF != "" {
		who += " vpn vrf " + s.VRF
	}
	if s.Up {
		return message("BGP", severityNotice, "ADJCHANGE", "neighbor %s Up", who)
	}
	return message("BGP", severityNotice, "ADJCHANGE", "neighbor %s Down %s", who, bgpEnd(s.Reason))
}

// bgpEnds are ends of sessions as IOS names them, by how BGP's library does.
var bgpEnds = []struct{ begins, says string }{
	{"hold-timer-expired", "BGP Notification sent: hold time expired"},
	{"notification-sent ", "BGP Notification sent: "},
	{"notification-received ", "BGP Notification received: "},
	{"read-failed", "Peer closed the session"},
	{"write-failed", "Peer closed the session"},
	{"graceful-restart", "Peer closed the session: it restarts, and its routes are kept"},
	{"restart-timer-expired", "Peer did not come back in its restart time"},
	{"admin-down", "Admin. shutdown"},
	{"hard-reset", "User reset"},
	{"dying", "Neighbor deleted"},
	{"bad-peer-as", "the neighbour is in another AS than `remote-as` says"},
	{"invalid-msg", "BGP Notification sent: a message can't be read"},
}

func bgpEnd(reason string) string {
	reason = strings.TrimSpace(reason)
	for _, e := range bgpEnds {
		rest, ok := strings.CutPrefix(reason, strings.TrimSpace(e.begins))
		if !ok {
			continue
		}
		if !strings.HasSuffix(e.says, ": ") {
			return e.says
		}
		if rest = strings.TrimSpace(rest); rest == "" {
			return strings.TrimSuffix(e.says, ": ")
		}
		return e.says + rest
	}
	if reason == "" {
		return "Peer closed the session"
	}
	return reason
}

// logNoLabel is the message of a route that there was no label for.
func logNoLabel(l slowpath.NoLabel) (text string, severity int) {
	return message("BGP", severityError, "NO_LABEL", "vrf %s: %s is not announced: %v", l.VRF, l.Prefix, l.Err)
}
