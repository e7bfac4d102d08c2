package ikev1

import (
	"bytes"
	"time"

	"nave/slowpath/ike"
)

// settle finds the children that c, which is in use now, takes the place of. They keep taking packets for a while.
//
// Two that were made at the same time, one by each side, take each other's place: then the one whose lower nonce is the higher one stays, so that
// both sides choose the same without a word. What "at the same time" is may look different from the two sides if messages were lost; so nothing is
// removed that packets still come by, and the side that chose by nonces goes by what the peer uses (followPeer).
func (c *child) settle() {
	for _, o := range c.peer.children {
		if o == c || o.old || o.state != childActive || !c.replacesOf(o) {
			continue
		}
		if o.Initiator != c.Initiator && c.born.Before(o.activated) && o.born.Before(c.activated) {
			if bytes.Compare(o.tie, c.tie) > 0 {
				c.e.emit(ike.Activate{Child: o.ID})
				c.retire(true)
				return
			}
			o.retire(true)
			continue
		}
		o.retire(false)
	}
}

// replacesOf tells whether two children are for the same: of them one is enough.
func (c *child) replacesOf(o *child) bool {
	return c.Replaces == o.ID ||
		c.Protection == o.Protection && c.Peer == o.Peer && c.Path.Local.Addr() == o.Path.Local.Addr() && sameRemote(o.Path.Remote, c.sought())
}

// retire notes that another child is used in the place of c.
func (c *child) retire(tie bool) {
	e := c.e
	c.old, c.lostTie, c.oldSince = true, tie, e.now
	if w := c.peer.want(c.Protection, c.Path.Remote, c); w != nil && w.quick == nil {
		w.drop()
	}
	e.after(&c.burial, c.least(), c.bury)
}

// least is how long an old child stays in any case. Of two made at once both sides know which goes, so who made that one does not wait:
// a peer of another make may go on by it, and take nothing that comes by the other. If that side does not do it, this one does.
func (c *child) least() time.Duration {
	switch {
	case c.lostTie && c.Initiator:
		return tieGrace
	case c.lostTie:
		return tieMost
	case c.Initiator:
		return grace
	}
	return graceMost
}

const (
	tieGrace = 3 * time.Second
	tieMost  = 5 * time.Second
	tieHeard = 2 * time.Second // after the choice, what comes by the other child is no packet that was on its way
)

// bury takes an old child away once nothing comes by it any more. Who made it does so first, and tells the peer.
func (c *child) bury() {
	e := c.e
	least, since := c.least(), e.now.Sub(c.oldSince)
	if since < least {
		e.after(&c.burial, least-since, c.bury)
		return
	}
	if c.heard.After(c.oldSince) && e.now.Sub(c.heard) < quiet {
		e.after(&c.burial, buryAgain, c.bury)
		return
	}
	e.letGo(c, ike.WhyReplaced)
}

// followPeer goes back to a child that lost against another by its nonces, if that is the one that the peer uses. before is when the peer was last heard by it:
// the first time is told at once, others some seconds late, so that the first word after the choice may be about what came before it.
func (c *child) followPeer(before time.Time) {
	e := c.e
	if !before.IsZero() && !before.After(c.oldSince) {
		return
	}
	if !c.old || !c.lostTie || e.now.Sub(c.oldSince) < tieHeard {
		return
	}
	for _, o := range c.peer.children {
		if o != c && !o.old && o.state == childActive && o.replacesOf(c) {
			if o.heard.After(c.oldSince) {
				return
			}
			c.revive()
			o.retire(false)
			return
		}
	}
}

// revive has an old child used again.
func (c *child) revive() {
	c.old, c.lostTie = false, false
	c.e.timers.stop(&c.burial)
	c.e.emit(ike.Activate{Child: c.ID})
}

// heir is what is used when the peer takes away the child that is in use: one that it has finished without our knowing, or one that was given up for
// this one.
func (c *child) heir() {
	if c.old || c.state != childActive {
		return
	}
	var best *child
	for _, o := range c.peer.children {
		if o == c || !o.replacesOf(c) {
			continue
		}
		if o.state == childInstalled {
			o.activate()
			if o.exchange != nil && o.exchange.task != nil {
				o.exchange.finish()
			}
			return
		}
		if best == nil || o.Created.After(best.Created) {
			best = o
		}
	}
	if best != nil && best.old {
		best.revive()
	}
}
