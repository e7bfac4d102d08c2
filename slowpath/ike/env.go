package ike

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net/netip"

	"nave/slowpath/trace"
)

// Env is what the engines of both versions share. It belongs to one Machine and one goroutine.
type Env struct {
	Rand      io.Reader  // secrets and nonces: crypto/rand, or what a test can repeat
	Jitter    *rand.Rand // spreads timers; never a secret
	Admission Admission
	// Outlives tells whether associations from before this process stand with a peer. Such a peer is not told that we start afresh (INITIAL_CONTACT):
	// it would forget them, and what is under way by them would be lost. Nil: none do.
	Outlives func(vrf uint16, remote netip.Addr) bool
	// Tracing is what the effects Trace are given of.
	Tracing trace.Topics
	sa      SAID
	child   ChildID
	inSPIs  map[uint32]struct{}
}

// NewEnv makes an Env.
func NewEnv(random io.Reader, seed uint64) *Env {
	return &Env{Rand: random, Jitter: rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15)), inSPIs: make(map[uint32]struct{})}
}

// NextSA numbers an IKE SA.
func (e *Env) NextSA() SAID { e.sa++; return e.sa }

// NextChild numbers a child.
func (e *Env) NextChild() ChildID { e.child++; return e.child }

// TakeSPI reserves an inbound SPI that nobody uses: 256 and above (RFC 4303 section 2.1).
func (e *Env) TakeSPI() uint32 {
	for {
		var b [4]byte
		if _, err := io.ReadFull(e.Rand, b[:]); err != nil {
			panic("ike: no random numbers: " + err.Error()) // as crypto/rand itself does
		}
		spi := binary.BigEndian.Uint32(b[:])
		if _, used := e.inSPIs[spi]; !used && spi >= 256 {
			e.inSPIs[spi] = struct{}{}
			return spi
		}
	}
}

// ReserveSPI reserves an inbound SPI that is in use already, from before this process.
func (e *Env) ReserveSPI(spi uint32) { e.inSPIs[spi] = struct{}{} }

// Afresh tells whether we may say to a peer that we start afresh.
func (e *Env) Afresh(p Path) bool {
	return e.Outlives == nil || !e.Outlives(p.VRF, p.Remote.Addr().Unmap())
}

// GiveSPI gives an inbound SPI back.
func (e *Env) GiveSPI(spi uint32) { delete(e.inSPIs, spi) }

// ReservedSPIs is how many inbound SPIs are reserved.
func (e *Env) ReservedSPIs() int { return len(e.inSPIs) }

// Random fills b.
func (e *Env) Random(b []byte) {
	if _, err := io.ReadFull(e.Rand, b); err != nil {
		panic("ike: no random numbers: " + err.Error())
	}
}

// Admission decides who may start an IKE SA, and counts.
type Admission struct {
	Limits        `json:"limits"` // by a name of its own: it has fields called as some of these
	LoadNow       int             // per cent
	SAs           int             // that there are, negotiating or established
	InNegotiation int
	Stats         AdmissionStats
	pace          pace
}

// AdmissionStats is `show crypto call admission statistics`.
type AdmissionStats struct {
	In, InAccepted, InRejected    uint64 // started by peers
	Out, OutAccepted, OutRejected uint64 // started by us
	RejectedResources             uint64 // of the rejected: for the system's load
	RejectedSALimit               uint64 // for a limit on SAs
	RejectedSetUp                 uint64 // for coming too fast
}

// Admit asks whether a peer (in) or we may start an IKE SA, and counts it in if so: Established and Ended follow.
func (a *Admission) Admit(in bool) bool {
	all, yes, no := &a.Stats.Out, &a.Stats.OutAccepted, &a.Stats.OutRejected
	if in {
		all, yes, no = &a.Stats.In, &a.Stats.InAccepted, &a.Stats.InRejected
	}
	*all++
	limit := a.Limits.InNegotiation
	if limit == 0 {
		limit = DefaultInNegotiation
	}
	switch {
	case a.Load > 0 && a.LoadNow > a.Load:
		a.Stats.RejectedResources++
		*no++
		return false
	case a.Limits.SAs > 0 && a.SAs >= a.Limits.SAs || a.InNegotiation >= limit:
		a.Stats.RejectedSALimit++
		*no++
		return false
	}
	*yes++
	if a.SetUp > 0 {
		a.pace.left--
	}
	a.SAs++
	a.InNegotiation++
	return true
}

// Established moves an admitted SA out of negotiation.
func (a *Admission) Established() { a.InNegotiation-- }

// Ended counts an SA out; negotiating tells whether it had not been Established.
func (a *Admission) Ended(negotiating bool) {
	a.SAs--
	if negotiating {
		a.InNegotiation--
	}
}
