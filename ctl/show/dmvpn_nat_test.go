package show

import (
	"strings"
	"testing"
	"time"

	"nave/hwprofiles"
	"nave/slowpath/dmvpn"
)

// A session that is refused because of where the hub is says so, with what is known of the hardware and of the next try; one that is up, or down for another reason, does not.
func TestBarredShown(t *testing.T) {
	set, err := hwprofiles.Load("")
	if err != nil {
		t.Fatal(err)
	}
	profile, err := set.Profile("sup720-3bxl-7600-spa")
	if err != nil {
		t.Fatal(err)
	}
	next := now.Add(75 * time.Second)
	for _, c := range []struct {
		name string
		set  func(*Status, *dmvpn.SessionStatus)
		want string
	}{
		{"this router", func(_ *Status, f *dmvpn.SessionStatus) { f.Barred, f.BarredSelf, f.NextTry = true, true, time.Time{} }, "this router, the hub, is behind NAT, and this hardware can be no hub behind NAT, nor a spoke of one (nat.hub is no"},
		{"its hub", func(_ *Status, f *dmvpn.SessionStatus) { f.Barred, f.NextTry = true, next }, "the hub is behind NAT, and this hardware can be no hub behind NAT, nor a spoke of one (nat.hub is no"},
		{"no profile any more", func(s *Status, f *dmvpn.SessionStatus) { f.Barred, f.NextTry, s.Hardware = true, next, nil }, "nor a spoke of one; tried again in 00:01:15\n"},
		{"down", func(_ *Status, f *dmvpn.SessionStatus) { f.NextTry = next }, ""},
		{"up", func(_ *Status, f *dmvpn.SessionStatus) { f.Barred, f.State = true, dmvpn.Up }, ""},
	} {
		s := cryptoSample()
		s.Hardware = &Hardware{Profile: profile}
		f := &s.Router.Sessions.Sessions[0]
		f.State, f.Children = dmvpn.Negotiating, nil
		c.set(s, f)
		for what, text := range map[string]string{"dmvpn detail": DMVPNDetail(s, Select{}), "crypto session": CryptoSession(s, Select{})} {
			if got := strings.Contains(text, "\n  Refused: "); got != (c.want != "") || !strings.Contains(text, c.want) {
				t.Errorf("%s, %s:\n%s", what, c.name, text)
			}
		}
	}
}
