package labs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"nave/testbed/topo"
)

// obstacle is something that NAT traversal does not get over, or need not: what a spoke is told, or its box does.
type obstacle struct {
	number, what string
	spoke        int
	line         string   // at the beginning of the spoke's configuration
	drops        []string // of its box
	want         Way
	// logged is what the log of the spoke, or else of the hub, has to say of it then; "": nothing.
	logged string
}

var noNATT = "no crypto ipsec nat-transparency udp-encapsulation\n"

// obstacles: each is put up, the spoke begins anew, and is asked what it thinks of it. All at a time: one takes half a minute.
func obstacles(n *NATLab) error {
	list := []obstacle{
		{"6b", "no NAT, the spoke does not offer NAT-T", 1, noNATT, nil, WayDirect, ""},
		{"6c", "1:1 NAT, the spoke does not offer NAT-T", 3, noNATT, nil, WayNone, "there is NAT on the way"},
		{"6d", "PAT, the spoke does not offer NAT-T", 5, noNATT, []string{"meta l4proto esp"}, WayNone, "there is NAT on the way"},
		{"6e", "1:1 NAT, the box drops UDP port 4500", 2, "", []string{"udp dport 4500", "udp sport 4500"}, WayNone, "does anything on the way drop port 4500?"},
	}
	errs := make([]error, len(list))
	var all sync.WaitGroup
	for k, o := range list {
		all.Go(func() {
			if err := n.meets(o); err != nil {
				errs[k] = fmt.Errorf("%s: %w", o.what, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// meets puts an obstacle up, tells what comes of it, and takes it away.
func (n *NATLab) meets(o obstacle) error {
	s := n.Cloud.Site(o.spoke)
	r := NATRow{Case: o.number, What: o.what, Between: n.names(0, o.spoke), Want: o.want}
	if len(o.drops) > 0 {
		if err := n.drop(s, o.drops); err != nil {
			return err
		}
	}
	if err := n.configure(o.spoke, o.line); err != nil {
		return err
	}
	hub := n.Cloud.Site(0)
	began, spokeLog, hubLog := time.Now(), len(n.log(s)), len(n.log(hub))
	logged := func() string { // of the hub's, what is about the spoke
		text := n.log(s)[spokeLog:]
		for line := range strings.Lines(n.log(hub)[hubLog:]) {
			if strings.Contains(line, n.Cloud.Public(o.spoke).String()+":") {
				text += line
			}
		}
		return text
	}
	if _, err := n.Nave(s.Router(), "clear", "crypto", "session"); err != nil {
		return err
	}
	f, err := n.Stream(0, o.spoke)
	if err != nil {
		return err
	}
	defer f.Close()
	err = topo.Eventually(2*patience, func() error {
		text := logged()
		switch {
		case o.want != WayNone && f.Way() != o.want:
			return fmt.Errorf("packets come %s (%s and %s), want %s", f.Way(), f[0].Way(), f[1].Way(), o.want)
		case o.logged != "" && !strings.Contains(text, o.logged):
			return fmt.Errorf("the logs of %s and of the hub have no %q", s.Router(), o.logged)
		}
		return nil
	})
	r.Took = seconds(time.Since(began))
	if err != nil {
		r.fail("%v", err)
	}
	if r.Way = f.await(o.want, wayWithin); r.Way != o.want {
		r.fail("packets come %s, want %s", r.Way, o.want)
	}
	r.Attempts = n.Outside.Attempts(began, n.Cloud.Public(0), n.Cloud.Public(o.spoke))
	if o.logged != "" {
		r.Note = lastWith(logged(), o.logged)
	}
	if r.Show, err = n.shown(o.spoke, 0); err != nil {
		return err
	}
	n.tell(r)
	if err := n.configure(o.spoke, ""); err != nil || len(o.drops) == 0 {
		return err
	}
	return n.drop(s, nil)
}

// drop has the box of a spoke drop packets; none: as it was. Other obstacles look at the cloud at the same time, so it is not changed.
func (n *NATLab) drop(s *Site, drops []string) error {
	b := *n.Cloud.Box(s.Box)
	b.Drops = drops
	return b.Become(n.Lab, 0)
}

// configure gives a router its configuration with lines before it, if that is not what it has.
func (n *NATLab) configure(site int, lines string) error {
	router := n.Cloud.Site(site).Router()
	text := []byte(lines + n.Cloud.Config(site))
	if old, err := os.ReadFile(n.ConfigFile(router)); err == nil && string(old) == string(text) {
		return nil
	}
	if err := os.WriteFile(n.ConfigFile(router), text, 0o600); err != nil {
		return fmt.Errorf("labs: %w", err)
	}
	_, err := n.Nave(router, "reload")
	return err
}

// log is what a site's router has logged.
func (n *NATLab) log(s *Site) string {
	text, _ := os.ReadFile(n.LogFile(s.Router()))
	return string(text)
}

// lastWith is the message of the last line that has a text.
func lastWith(log, text string) (out string) {
	for line := range strings.Lines(log) {
		if strings.Contains(line, text) {
			if _, after, ok := strings.Cut(line, `msg="`); ok {
				out, _, _ = strings.Cut(after, `" event=`)
			}
		}
	}
	return out
}

// Encapsulated tells how packets have crossed so far: between two addresses of which one is NAT's, all ESP is in UDP, without a checksum (RFC 3948 2.1); between
// others, none is; and nothing of what tunnels carry is in clear.
func (n *NATLab) Encapsulated() error {
	through := NATRow{Case: "6", What: "every ESP packet through NAT is in UDP, checksum zero", Want: WayNone, Way: WayNone}
	without := NATRow{Case: "6a", What: "without NAT none is, though NAT-T is offered", Want: WayNone, Way: WayNone}
	counts := make(map[Sort][2]int)
	sums := 0
	var wrong []string
	for _, c := range n.Outside.Since(time.Time{}) {
		k := 0
		if n.translated[c.From.Addr()] || n.translated[c.To.Addr()] {
			k = 1
		}
		v := counts[c.Sort]
		v[k]++
		counts[c.Sort] = v
		if c.Sort == SortUDPESP && c.Sum != 0 {
			sums++
		}
		if c.Sort == SortESP && k == 1 || c.Sort == SortUDPESP && k == 0 || c.Sort == SortClear {
			wrong = append(wrong, fmt.Sprintf("%s %s > %s", c.At.Format(clockOf), c.From, c.To))
		}
	}
	through.Note = fmt.Sprintf("%d packets, and %d keepalives", counts[SortUDPESP][1], counts[SortKeepalive][1])
	without.Note = fmt.Sprintf("%d packets", counts[SortESP][0])
	if counts[SortUDPESP][1] == 0 || counts[SortESP][1] > 0 || sums > 0 {
		through.fail("%d in UDP, %d of them with a checksum, %d not", counts[SortUDPESP][1], sums, counts[SortESP][1])
	}
	if counts[SortUDPESP][0] > 0 {
		without.fail("%d in UDP", counts[SortUDPESP][0])
	}
	if c := counts[SortClear]; c[0]+c[1] > 0 {
		through.fail("%d in clear", c[0]+c[1])
	}
	if len(wrong) > 0 {
		through.fail("the first: %s", wrong[0])
	}
	n.tell(through)
	n.tell(without)
	return nil
}

const clockOf = "15:04:05.000000"

// restrictedProfile is hardware that can be no hub behind NAT, nor a spoke of one.
const restrictedProfile = "sup720-3bxl-7600-spa"

// Restricted asks what such hardware would do with the cloud's configurations, all together: that is how NAT between two of them shows.
func (n *NATLab) Restricted(number, what string) error {
	r := NATRow{Case: number, What: what, Between: n.names(0, 1), Want: WayNone, Way: WayNone}
	args := []string{filepath.Join(n.Bin, "nave"), "check", "--profile", restrictedProfile, n.ConfigFile("hub"), n.ConfigFile("spoke1")}
	out, err := n.Run("internet", args...)
	if err == nil {
		r.fail("nave check takes a hub behind NAT as a %s", restrictedProfile)
	}
	refused := 0
	for line := range strings.Lines(out) {
		if strings.Contains(line, " behind NAT") && strings.Contains(line, restrictedProfile+": refused") {
			if refused++; refused == 1 {
				_, r.Note, _ = strings.Cut(strings.TrimSpace(line), ": ")
			}
		}
	}
	if refused != 2 {
		r.fail("nave check refuses %d of hub and spoke for NAT before the hub", refused)
	}
	n.tell(r)
	return nil
}

// Barred has a router be such hardware while the lab runs: the hub, which is behind NAT, or a spoke of it. Its log says that it is refused, the session is down, and
// once the profile is gone all is as it was.
func (n *NATLab) Barred(number, what string, site int) error {
	s := n.Cloud.Site(site)
	r := NATRow{Case: number, What: what, Between: n.names(site, 0), Want: WayNone, Way: WayDirect}
	if site == 0 {
		r.Between = "hub - all spokes"
	}
	began, before := time.Now(), len(n.log(s))
	if err := n.configure(site, "platform hardware profile "+restrictedProfile+"\n"); err != nil {
		return err
	}
	const says = "NAT_HUB"
	err := topo.Eventually(patience, func() error {
		if text := n.log(s)[before:]; !strings.Contains(text, says) {
			return fmt.Errorf("the log of %s does not say that the hub is behind NAT", s.Router())
		}
		for k := range n.Cloud.Sites { // two spokes may go on with each other
			if far := n.Cloud.Sites[k].Number; (far == 0) != (site == 0) {
				if line, err := n.shown(site, far); err != nil || strings.Contains(line, " UP ") {
					return errors.Join(err, fmt.Errorf("%s has %q", s.Router(), line))
				}
			}
		}
		return nil
	})
	if r.Took = seconds(time.Since(began)); err != nil {
		r.fail("%v", err)
	} else {
		r.Way, r.Note = WayNone, lastWith(n.log(s)[before:], says)
	}
	n.tell(r)
	if err := n.configure(site, ""); err != nil {
		return err
	}
	return n.awaitRegistered()
}
