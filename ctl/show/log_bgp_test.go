package show

import (
	"errors"
	"net/netip"
	"testing"

	"nave/slowpath"
	"nave/slowpath/bgp"
)

func TestLogBGP(t *testing.T) {
	a := netip.MustParseAddr("10.0.0.11")
	for _, c := range []struct {
		e    slowpath.Event
		want string
	}{
		{bgp.Session{Neighbour: a, Up: true}, "%BGP-5-ADJCHANGE: neighbor 10.0.0.11 Up"},
		{bgp.Session{Neighbour: a, VRF: "red", Up: true}, "%BGP-5-ADJCHANGE: neighbor 10.0.0.11 vpn vrf red Up"},
		{bgp.Session{Neighbour: a, Reason: "hold-timer-expired"}, "%BGP-5-ADJCHANGE: neighbor 10.0.0.11 Down BGP Notification sent: hold time expired"},
		{bgp.Session{Neighbour: a, Reason: "read-failed"}, "%BGP-5-ADJCHANGE: neighbor 10.0.0.11 Down Peer closed the session"},
		{bgp.Session{Neighbour: a}, "%BGP-5-ADJCHANGE: neighbor 10.0.0.11 Down Peer closed the session"},
		{bgp.Session{Neighbour: a, Reason: "notification-received code 6(cease) subcode 4(administrative reset)"},
			"%BGP-5-ADJCHANGE: neighbor 10.0.0.11 Down BGP Notification received: code 6(cease) subcode 4(administrative reset)"},
		{bgp.Session{Neighbour: a, Reason: "notification-sent"}, "%BGP-5-ADJCHANGE: neighbor 10.0.0.11 Down BGP Notification sent"},
		{bgp.Session{Neighbour: a, Reason: "something new"}, "%BGP-5-ADJCHANGE: neighbor 10.0.0.11 Down something new"},
		{slowpath.NoLabel{VRF: "red", Prefix: netip.MustParsePrefix("10.1.0.0/16"), Err: errors.New("no label is left")},
			"%BGP-3-NO_LABEL: vrf red: 10.1.0.0/16 is not announced: no label is left"},
	} {
		if got, _ := Log(c.e); got != c.want {
			t.Errorf("%+v:\n got %q\nwant %q", c.e, got, c.want)
		}
	}
}
