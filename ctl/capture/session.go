package capture

import (
	"time"

	"nave/fastpath"
	"nave/fastpath/fib"
)

// Injected is the interface of a packet that came in by none: this box has made it.
const Injected = "injected"

// Names are those of interfaces and VRFs, by what the fast path knows them by.
type Names struct {
	Ports   map[fib.PortID]string
	Tunnels map[fib.TunnelID]string
	VRFs    map[fib.VRF]string // without the global table
	// Subs are subinterfaces, by their parent and VLAN.
	Subs map[Tag]string
}

// Tag is a VLAN of a port.
type Tag struct {
	Port fib.PortID
	VLAN uint16
}

// Session is a capture from its first copy to its last. It has no clock: who runs it says what time it is.
type Session struct {
	r       Request
	names   Names
	began   time.Time
	ends    time.Time
	file    *file // nil: packets come as values
	packets []Packet
	sum     Summary
}

// Why a capture ended.
const (
	WhyCount    = "count"
	WhyDuration = "duration"
	WhyBytes    = "bytes"
	WhyStopped  = "stopped"
)

// NewSession begins one. r is complete. version is that of nave, for the file.
func NewSession(r Request, names Names, now time.Time, version string) *Session {
	s := &Session{r: r, names: names, began: now, ends: now.Add(r.Duration)}
	if r.File {
		s.file = &file{version: version, filter: r.Filter, snaplen: r.Snaplen, began: now, tracks: make(map[track]int)}
	}
	return s
}

// Rename tells new names: the configuration has changed meanwhile.
func (s *Session) Rename(n Names) { s.names = n }

// Add takes a copy that was made at a time. False: the capture is at one of its bounds, and takes no more.
func (s *Session) Add(c *fastpath.Captured, at time.Time) (more bool, err error) {
	if s.sum.Why != "" {
		return false, nil
	}
	p := Describe(c)
	p.Time, p.Interface, p.VRF = at, s.name(c, &p), s.names.VRFs[c.VRF]
	if s.file != nil {
		if err := s.file.add(c, &p); err != nil {
			return false, err
		}
	} else {
		s.packets = append(s.packets, p)
	}
	s.sum.Packets++
	s.sum.Bytes += int64(len(c.Data))
	switch {
	case s.sum.Packets >= s.r.Count:
		s.sum.Why = WhyCount
	case s.sum.Bytes >= s.r.Bytes:
		s.sum.Why = WhyBytes
	}
	return s.sum.Why == "", nil
}

// Over tells whether the capture is at one of its bounds.
func (s *Session) Over(now time.Time) bool {
	if s.sum.Why == "" && !now.Before(s.ends) {
		s.sum.Why = WhyDuration
	}
	return s.sum.Why != ""
}

// Take is what was added since the last time, as values, or as a piece of the file.
func (s *Session) Take() (packets []Packet, piece []byte, err error) {
	packets, s.packets = s.packets, nil
	if s.file != nil {
		piece, err = s.file.take()
	}
	return packets, piece, err
}

// End ends the capture, of whose copies some found no room, and says what came of it. What the file ends with is to be taken then.
func (s *Session) End(now time.Time, lost uint64) (Summary, error) {
	if s.sum.Why == "" {
		s.sum.Why = WhyStopped
	}
	s.sum.Lost, s.sum.Took = lost, now.Sub(s.began)
	if s.file == nil {
		return s.sum, nil
	}
	return s.sum, s.file.end(now, s.r.Interface, lost)
}

// name is the interface of a copy.
func (s *Session) name(c *fastpath.Captured, p *Packet) string {
	var name string
	var ok bool
	switch {
	case c.Tunnel != 0:
		if name, ok = s.names.Tunnels[c.Tunnel]; !ok {
			name = "a tunnel"
		}
	case c.Port != 0:
		if name, ok = s.names.Subs[Tag{c.Port, p.VLAN}]; ok && p.VLAN != 0 {
			return name
		}
		if name, ok = s.names.Ports[c.Port]; !ok {
			name = "a port"
		}
	case c.Proto == 0: // a frame of one that is not configured
		name = "a port"
	default:
		name = Injected
	}
	return name
}
