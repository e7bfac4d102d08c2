package show

import (
	"fmt"

	"nave/slowpath/dmvpn"
)

// openingText says how the path of a session came about that leads through NAT on both sides; "" for others.
func openingText(s *dmvpn.SessionStatus) string {
	how := ""
	switch {
	case s.Opened:
		how = "opened from both sides"
	case s.Opening:
		how = "is being opened from both sides"
	case s.Endpoint.IsValid() && len(s.Children) == 0:
		how = "did not open, traffic stays with the next hop server"
	default:
		return ""
	}
	return fmt.Sprintf("  Path through NAT: %s; the next hop server sees the peer at %s\n", how, s.Endpoint)
}
