package ikev1

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev1/ikev1msg"
)

// dpd is dead peer detection on an SA (RFC 3706).
type dpd struct {
	timer
	heard time.Time // when something authentic last came
	seq   uint32    // of the last question; 0: none yet
	asked int       // questions since, without a sign of life
	since time.Time // of the first of them
	their uint32    // number of the peer's last question
}

const (
	dpdRetry = 2 * time.Second // `crypto isakmp keepalive` without one
	dpdTries = 5
)

// keepalive is the configuration for peers of a profile.
func (e *Engine) keepalive(profile string) ike.Keepalive {
	k := e.cfg.V1.Keepalive
	if p := e.profile(profile); p != nil && p.Keepalive.Interval > 0 {
		k = p.Keepalive
	}
	if k.Retry == 0 {
		k.Retry = dpdRetry
	}
	return k
}

// startDPD watches over the peer from now on, if that is configured and it knows how.
func (s *sa) startDPD() {
	s.dpd.heard = s.e.now
	if s.dpd.seq == 0 {
		var b [4]byte
		s.e.env.Random(b[:])
		s.dpd.seq = binary.BigEndian.Uint32(b[:]) >> 1 // RFC 3706 section 5.4: not the high bit
	}
	s.watch()
}

// watch sets the timer for the next look.
func (s *sa) watch() {
	k := s.e.keepalive(s.profile)
	if k.Interval <= 0 || !s.peerDPD || s.retired || s.state != established {
		return
	}
	wait := k.Interval
	if !k.Periodic {
		wait = max(s.dpd.heard.Add(k.Interval).Sub(s.e.now), time.Millisecond)
	}
	s.e.after(&s.dpd.timer, wait, s.look)
}

// look asks the peer if nothing was heard for too long, or always where that is configured.
func (s *sa) look() {
	k := s.e.keepalive(s.profile)
	if k.Interval <= 0 {
		return // not configured any more
	}
	if !k.Periodic && s.e.now.Sub(s.dpd.heard) < k.Interval {
		s.watch()
		return
	}
	s.dpd.asked, s.dpd.since = 0, s.e.now
	s.ask()
}

func (s *sa) ask() {
	e := s.e
	if s.dpd.asked > 0 && s.dpd.heard.After(s.dpd.since) {
		s.dpd.asked = 0
		s.watch()
		return
	}
	if s.dpd.asked >= dpdTries {
		e.stats.DeadPeers++
		s.dead()
		return
	}
	s.dpd.asked++
	s.dpd.seq++
	s.inform([]ikemsg.Payload{{Type: ikev1msg.PayloadNotify, Body: s.dpdNotify(ikev1msg.NotifyRUThere, s.dpd.seq)}})
	e.after(&s.dpd.timer, e.keepalive(s.profile).Retry, s.ask)
}

// dead ends all that leads to a peer that does not answer.
func (s *sa) dead() {
	for _, c := range slices.Clone(s.peer.children) {
		if c.sa == s || c.Peer == s.other && c.Path.Remote == s.path.Remote {
			c.end(ike.WhyDeadPeer)
		}
	}
	s.end(ike.WhyDeadPeer, false)
}

func (d *dpd) stop(s *sa) { s.e.timers.stop(&d.timer) }

func (s *sa) dpdNotify(typ uint16, seq uint32) []byte {
	n := ikev1msg.Notify{
		DOI: ikev1msg.DOIIPsec, Protocol: ikev1msg.ProtoISAKMP, SPI: slices.Concat(s.ci[:], s.cr[:]), Type: typ,
		Data: binary.BigEndian.AppendUint32(nil, seq),
	}
	return n.Append(nil)
}

// number is the sequence number of a question or its answer about this SA.
func (s *sa) number(n *ikev1msg.Notify) (uint32, *fault) {
	if len(n.Data) != 4 || len(n.SPI) != 0 && !bytes.Equal(n.SPI, slices.Concat(s.ci[:], s.cr[:])) {
		return 0, malformed("a DPD notification of %d bytes about another SA", len(n.Data))
	}
	return binary.BigEndian.Uint32(n.Data), nil
}

// answerDPD answers a peer's question. One that is older than the last is a replay.
func (s *sa) answerDPD(n *ikev1msg.Notify) *fault {
	seq, f := s.number(n)
	if f != nil {
		return f
	}
	if s.dpd.their != 0 && int32(seq-s.dpd.their) < 0 {
		return malformed("DPD number %d after %d", seq, s.dpd.their)
	}
	s.dpd.their = seq
	s.inform([]ikemsg.Payload{{Type: ikev1msg.PayloadNotify, Body: s.dpdNotify(ikev1msg.NotifyRUThereAck, seq)}})
	return nil
}

// acknowledged takes an answer in. That something authentic came is all that counts, and is noted already.
func (s *sa) acknowledged(n *ikev1msg.Notify) *fault {
	seq, f := s.number(n)
	if f != nil {
		return f
	}
	if seq != s.dpd.seq && int32(s.dpd.seq-seq) > dpdTries || int32(s.dpd.seq-seq) < 0 {
		return malformed("DPD answer %d to question %d", seq, s.dpd.seq)
	}
	return nil
}

// watchOrphan looks after a child without IKE SA: when nothing comes by it for too long, an SA is made to ask the peer, and the child ends if that can't be.
func (c *child) watchOrphan() {
	e := c.e
	profile := ""
	p := e.cfg.Protection(c.Protection)
	if p != nil {
		profile = p.ISAKMPProfile
	}
	k := e.keepalive(profile)
	if k.Interval <= 0 || p == nil {
		return
	}
	last := c.heard
	if c.activated.After(last) {
		last = c.activated
	}
	e.after(&c.dpd, max(last.Add(k.Interval).Sub(e.now), time.Second), func() {
		if c.sa != nil {
			return
		}
		if c.heard.After(last) {
			c.watchOrphan()
			return
		}
		if _, f := e.start(c.Path, profile, 0, 0); f != nil {
			c.watchOrphan()
			return
		}
		e.after(&c.dpd, orphanWait, func() {
			switch {
			case c.sa != nil:
			case c.heard.After(last):
				c.watchOrphan()
			default:
				e.stats.DeadPeers++
				c.end(ike.WhyDeadPeer)
			}
		})
	})
}

// orphanWait is how long phase 1 for an orphan may take: longer than all its retries.
const orphanWait = 75 * time.Second
