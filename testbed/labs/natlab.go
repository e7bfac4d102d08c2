package labs

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"nave/testbed/topo"
)

// NATRow is a line of the matrix: what was tried, and what came of it.
type NATRow struct {
	Case    string  `json:"case"`
	What    string  `json:"what"`
	Between string  `json:"between"`
	Want    Way     `json:"want"`
	Way     Way     `json:"way"`
	Took    Seconds `json:"took_seconds"` // until packets came directly in both directions, or until all was as it should be; 0: never, or nothing to wait for
	Sent    int     `json:"sent"`         // packets of a steady stream in each direction
	Lost    int     `json:"lost"`
	Late    int     `json:"lost_late"`      // of Lost, those that were not in flight, or sent while a box was off
	Outage  Seconds `json:"outage_seconds"` // from the first packet that was lost to the last
	// Attempts is how many IKE SAs the two ends began with each other meanwhile.
	Attempts int    `json:"attempts"`
	Show     string `json:"show_dmvpn"` // what the first router's `show dmvpn` has for the other
	Note     string `json:"note,omitempty"`
	Failed   string `json:"failed,omitempty"` // what is not as it should be
}

// Seconds is a time as a number of seconds.
type Seconds float64

func seconds(d time.Duration) Seconds { return Seconds(d.Seconds()) }

// fail notes what is not as it should be.
func (r *NATRow) fail(format string, args ...any) {
	if r.Failed != "" {
		r.Failed += "; "
	}
	r.Failed += fmt.Sprintf(format, args...)
}

// NATLab is a cloud with NAT that is up.
type NATLab struct {
	*topo.Lab
	Cloud   Cloud
	Outside *Outside
	// Told gets each row as it is measured; not by two at a time.
	Told func(NATRow)
	mu   sync.Mutex
	// translated are the addresses that NAT boxes have outside, or had.
	translated map[netip.Addr]bool
}

// NewNATLab watches a cloud's lab, until Close.
func NewNATLab(l *topo.Lab, c Cloud, told func(NATRow)) (*NATLab, error) {
	o, err := WatchOutside(l)
	if err != nil {
		return nil, err
	}
	n := &NATLab{Lab: l, Cloud: c, Outside: o, Told: told, translated: make(map[netip.Addr]bool)}
	for _, a := range c.OutsideAddrs() {
		n.translated[a] = true
	}
	return n, nil
}

// Close ends the watch. The lab stays up.
func (n *NATLab) Close() { n.Outside.Close() }

func (n *NATLab) tell(r NATRow) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.Told(r)
}

// NATMatrix is a cloud, and what is tried in it.
type NATMatrix struct {
	Cloud Cloud
	Steps []NATStep
}

// NATStep is a part of the matrix. Steps are taken in order: one may change what the next one finds.
type NATStep struct {
	Name string
	Run  func(*NATLab) error // an error is of the lab; what is measured goes into rows
}

// probeEvery is how far packets of a stream are apart.
const probeEvery = 10 * time.Millisecond

// Streams are two probes between two sites, one in each direction.
type Streams [2]*Probe

// Stream starts to send between two sites in both directions, a packet each interval, until Close.
func (n *NATLab) Stream(a, b int) (s Streams, err error) {
	one, other := n.Cloud.Site(a), n.Cloud.Site(b)
	if s[0], err = StartProbe(n.Lab, one.Host(), other.Host(), other.Addr(), probeEvery); err != nil {
		return s, err
	}
	if s[1], err = StartProbe(n.Lab, other.Host(), one.Host(), one.Addr(), probeEvery); err != nil {
		s[0].Close()
	}
	return s, err
}

// Close ends both.
func (s Streams) Close() {
	s[0].Close()
	s[1].Close()
}

// Way is that of both directions, WayNone where they differ.
func (s Streams) Way() Way {
	if a, b := s[0].Way(), s[1].Way(); a == b {
		return a
	}
	return WayNone
}

// put adds what became of packets from one time to another.
func (s Streams) put(r *NATRow, from, to time.Time) {
	for _, p := range s {
		w := p.Between(from, to)
		r.Sent, r.Lost = r.Sent+w.Sent, r.Lost+w.Lost
		r.Outage = max(r.Outage, seconds(w.Outage))
	}
}

// first is when packets came directly in both directions, since the streams began; 0: they do not.
func (s Streams) first(until time.Time) Seconds {
	var out Seconds
	for _, p := range s {
		w := p.Between(time.Time{}, until)
		if w.First == 0 {
			return 0
		}
		out = max(out, seconds(w.First))
	}
	return out
}

// await waits until packets come by a way, in both directions, and returns that; or after the limit the way that they come then.
func (s Streams) await(way Way, limit time.Duration) Way { return await(s.Way, way, limit) }

func await(now func() Way, way Way, limit time.Duration) (w Way) {
	for end := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		if w = now(); w == way || time.Now().After(end) {
			return w
		}
	}
}

// settled is a moment such that of all packets that were sent before it it is known whether they arrive: some that were sent after it have.
func (s Streams) settled() time.Time {
	at := time.Now()
	for _, p := range s {
		p.overtaken(at)
	}
	return at
}

// Times of the matrix.
const (
	directWithin = time.Minute      // a direct path comes up in, on a machine that is busy
	directStays  = 3 * time.Second  // a pair that has one is looked at: where both ends have begun, one of two SAs ends
	hubStays     = 20 * time.Second // a pair that has no direct path is looked at
	wayWithin    = 15 * time.Second // a stream is of one way again that is late for want of CPU
	mostAttempts = 4                // IKE SAs that such a pair begins meanwhile, both ends together
)

// Pair is two sites that begin to speak.
type Pair struct {
	Case, What string
	A, B       int
	Want       Way
	Stays      time.Duration // how long a pair is looked at that has no direct path, or has until it has one; 0: hubStays, directWithin
}

// Meet has pairs begin to speak, all at a time, and tells by which way they come to, how soon, and what was lost on the way there.
func (n *NATLab) Meet(pairs ...Pair) error {
	var all sync.WaitGroup
	errs := make([]error, len(pairs))
	for k, p := range pairs {
		same := 0 // pairs at the same two addresses outside, which nobody can tell apart there
		for _, o := range pairs {
			if n.alike(p, o) {
				same++
			}
		}
		all.Go(func() {
			var r NATRow
			if r, errs[k] = n.meet(p, same); errs[k] == nil {
				n.tell(r)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// alike tells whether two pairs are at the same addresses outside.
func (n *NATLab) alike(p, o Pair) bool {
	a, b, c, d := n.Cloud.Public(p.A), n.Cloud.Public(p.B), n.Cloud.Public(o.A), n.Cloud.Public(o.B)
	return a == c && b == d || a == d && b == c
}

func (n *NATLab) meet(p Pair, same int) (NATRow, error) {
	r := NATRow{Case: p.Case, What: p.What, Between: n.names(p.A, p.B), Want: p.Want}
	began := time.Now()
	s, err := n.Stream(p.A, p.B)
	if err != nil {
		return r, err
	}
	defer s.Close()
	stays := cmp.Or(p.Stays, hubStays)
	if p.Want == WayHub {
		time.Sleep(stays)
	} else if s.await(p.Want, cmp.Or(p.Stays, directWithin)) == p.Want {
		time.Sleep(directStays) // what comes of it when both ends have begun
	}
	r.Way = s.await(p.Want, wayWithin)
	until := s.settled()
	r.Took = s.first(until)
	s.put(&r, began, until)
	r.Attempts = n.Outside.Attempts(began, n.Cloud.Public(p.A), n.Cloud.Public(p.B))
	if r.Way != p.Want {
		r.fail("packets come %s (%s and %s), want %s", r.Way, s[0].Way(), s[1].Way(), p.Want)
	}
	if r.Lost > 0 {
		r.fail("%d packets were lost", r.Lost)
	}
	if p.Want == WayHub && r.Attempts > mostAttempts*same {
		r.fail("%d attempts of %d pairs in %v", r.Attempts, same, stays)
	}
	r.Show, err = n.shown(p.A, p.B)
	return r, err
}

func (n *NATLab) names(a, b int) string {
	return n.Cloud.Site(a).Router() + " - " + n.Cloud.Site(b).Router()
}

// shown is the line of a router's `show dmvpn` for another.
func (n *NATLab) shown(router, peer int) (string, error) {
	out, err := n.Nave(n.Cloud.Site(router).Router(), "show", "dmvpn")
	if err != nil {
		return "", err
	}
	tunnel := n.Cloud.Site(peer).Tunnel().String()
	for line := range strings.Lines(out) {
		if strings.Contains(" "+strings.Join(strings.Fields(line), " ")+" ", " "+tunnel+" ") {
			return strings.Join(strings.Fields(line), " "), nil
		}
	}
	return "", nil
}

// Registered waits until all spokes are registered with the hub, and tells how long it took. Each has a mapping with its public address, and one that is behind
// NAT is shown as such.
func (n *NATLab) Registered(number, what string) error {
	r := NATRow{Case: number, What: what, Between: "all spokes - hub", Want: WayDirect, Way: WayDirect}
	began := time.Now()
	err := n.awaitRegistered()
	if r.Took = seconds(time.Since(began)); err != nil {
		r.Took, r.Way = 0, WayNone
		r.fail("%v", err)
	}
	n.tell(r)
	return nil
}

func (n *NATLab) awaitRegistered() error {
	return topo.Eventually(patience, func() error {
		for k := range n.Cloud.Sites {
			if s := &n.Cloud.Sites[k]; s.Number != 0 {
				if err := n.registered(s); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// anew has spokes forget what they have of NHRP, and all their SAs, and waits until they are registered again. An SA of before would be used as soon as NHRP wants its
// peer, and if the boxes let its packets through no more, only dead peer detection would find that out.
func (n *NATLab) anew(spokes ...int) error {
	for _, s := range spokes {
		for _, what := range []string{"clear dmvpn session", "clear crypto session"} {
			if _, err := n.Nave(n.Cloud.Site(s).Router(), strings.Fields(what)...); err != nil {
				return err
			}
		}
	}
	time.Sleep(probeLooks) // the hub hears of it
	return n.awaitRegistered()
}

func (n *NATLab) registered(s *Site) error {
	line, err := n.shown(0, s.Number)
	if err != nil {
		return err
	}
	public := n.Cloud.Public(s.Number)
	f := strings.Fields(line)
	if len(f) < 6 || f[3] != "UP" || hostOf(f[1]) != public.String() {
		return fmt.Errorf("the hub has %q of %s, which is at %s", line, s.Router(), public)
	}
	if natted := strings.Contains(f[len(f)-1], "N"); natted != (s.Box != "") {
		return fmt.Errorf("the hub has %q of %s: is it behind NAT?", line, s.Router())
	}
	_, err = n.Run(s.Host(), "ping", "-n", "-c", "1", "-W", "1", n.Cloud.Site(0).Addr().String())
	return err
}

// hostOf is the address of an address that may have a port.
func hostOf(text string) string {
	if a, err := netip.ParseAddrPort(text); err == nil {
		return a.Addr().String()
	}
	return text
}

// Change is how two sites that speak see something that happens to NAT.
type Change struct {
	Case, What string
	A, B       int
	Want       Way
}

// inFlight is how long after a change packets may be lost that were sent before anybody could know of it: one round trip, on a machine that is busy.
const inFlight = 300 * time.Millisecond

// Changes has something happen while pairs speak that already have their way, and tells what was lost. do tells from when to when nothing could get through.
func (n *NATLab) Changes(do func(*NATLab) (off, on time.Time, err error), list ...Change) error {
	streams := make([]Streams, 0, len(list))
	defer func() {
		for _, s := range streams {
			s.Close()
		}
	}()
	rows := make([]NATRow, len(list))
	for k, c := range list {
		s, err := n.Stream(c.A, c.B)
		if err != nil {
			return err
		}
		streams = append(streams, s)
		rows[k] = NATRow{Case: c.Case, What: c.What, Between: n.names(c.A, c.B), Want: c.Want}
	}
	for k, s := range streams {
		if way := s.await(list[k].Want, directWithin); way != list[k].Want {
			rows[k].fail("packets come %s before it happens", way)
		}
	}
	before := time.Now()
	off, on, err := do(n)
	if err != nil {
		return err
	}
	for k := range rows {
		if err := n.follows(&rows[k], list[k].A, list[k].B, on); err != nil {
			return err
		}
	}
	time.Sleep(probeLooks + probeArrives) // what is looked at is all of afterwards
	for k, s := range streams {
		if rows[k].Way = s.await(list[k].Want, directWithin); rows[k].Way != list[k].Want {
			rows[k].fail("packets come %s (%s and %s) %v after it happened", rows[k].Way, s[0].Way(), s[1].Way(), directWithin)
		}
	}
	for k, s := range streams {
		r, until := &rows[k], s.settled()
		s.put(r, before.Add(-time.Second), until)
		for _, p := range s {
			r.Late += p.Between(before.Add(-time.Second), off.Add(-inFlight)).Lost + p.Between(on.Add(inFlight), until).Lost
		}
		if r.Late > 0 {
			r.fail("%d packets were lost that were not in flight", r.Late)
		}
		r.Attempts = n.Outside.Attempts(before, n.Cloud.Public(list[k].A), n.Cloud.Public(list[k].B))
		if r.Attempts > 0 {
			r.fail("%d IKE SAs were begun, though those that there were do", r.Attempts)
		}
		n.tell(*r)
	}
	return nil
}

// follows waits until a router's `show dmvpn` has another at the address and port that it has now, and tells how long after a moment that is.
func (n *NATLab) follows(r *NATRow, router, peer int, since time.Time) error {
	want := n.Cloud.Seen(peer)
	err := topo.Eventually(oneKeepalive, func() (err error) {
		if r.Show, err = n.shown(router, peer); err == nil && !strings.Contains(r.Show+" ", " "+want+" ") {
			err = errElsewhere
		}
		return err
	})
	if errors.Is(err, errElsewhere) {
		r.fail("show dmvpn does not have the address %s", want)
		return nil
	}
	r.Took = seconds(time.Since(since))
	return err
}

var errElsewhere = errors.New("labs: a peer is shown at another address")

// oneKeepalive is how long a change may stay unknown that no packet of the spoke's tells of: the interval of its dead peer detection, and what it takes to ask again.
const oneKeepalive = 15 * time.Second

// Silent has a spoke's box change while only the hub's site sends, and tells how long it takes until its packets arrive again.
func (n *NATLab) Silent(number, what string, spoke int, box string, change func(*Box)) error {
	r := NATRow{Case: number, What: what, Between: n.names(0, spoke), Want: WayDirect, Way: WayNone}
	p, err := StartProbe(n.Lab, n.Cloud.Site(0).Host(), n.Cloud.Site(spoke).Host(), n.Cloud.Site(spoke).Addr(), probeEvery)
	if err != nil {
		return err
	}
	defer p.Close()
	if way := await(p.Way, WayDirect, directWithin); way != WayDirect {
		r.fail("packets come %s before it happens", way)
	}
	_, on, err := rebind(box, 0, change)(n)
	if err != nil {
		return err
	}
	time.Sleep(probeLooks + probeArrives)
	r.Way = await(p.Way, WayDirect, oneKeepalive)
	w := p.Between(on.Add(-time.Second), time.Now().Add(-probeArrives))
	r.Sent, r.Lost, r.Outage = w.Sent, w.Lost, seconds(w.Outage)
	if r.Way != WayDirect {
		r.fail("packets come %s %v after it happened", r.Way, oneKeepalive)
	} else if w.Lost > 0 {
		r.Took = seconds(w.LastLost.Sub(on))
	}
	if r.Show, err = n.shown(0, spoke); err != nil {
		return err
	}
	n.tell(r)
	return nil
}

// rebind gives a box other rules, off for a while.
func rebind(box string, off time.Duration, change func(*Box)) func(*NATLab) (time.Time, time.Time, error) {
	return func(n *NATLab) (down, up time.Time, err error) {
		b := n.Cloud.Box(box)
		change(b)
		down = time.Now()
		err = b.Become(n.Lab, off)
		return down, time.Now(), err
	}
}

// NATRowHead is the headline of rows.
var NATRowHead = fmt.Sprintf("%-3s %-58s %-17s %-10s %8s  %s", "", "what there is, or happens", "between", "packets go", "after", "lost; [show dmvpn of the first]")

// String is the row in words, on one line.
func (r NATRow) String() string {
	took := "-"
	if r.Took > 0 {
		took = fmt.Sprintf("%.2f s", r.Took)
	}
	text := fmt.Sprintf("%-3s %-58s %-17s %-10s %8s  %d of %d lost", r.Case, r.What, r.Between, cmp.Or(r.Way, WayNone), took, r.Lost, r.Sent)
	if r.Outage > 0 {
		text += fmt.Sprintf(" within %.2f s", r.Outage)
	}
	if r.Attempts > 0 {
		text += fmt.Sprintf(", %d attempts", r.Attempts)
	}
	if r.Show != "" {
		text += "  [" + r.Show + "]"
	}
	if r.Note != "" {
		text += "  " + r.Note
	}
	if r.Failed != "" {
		text += "  FAILED: " + r.Failed
	}
	return text
}
