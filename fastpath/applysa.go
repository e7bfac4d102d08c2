package fastpath

import (
	"errors"
	"fmt"

	"nave/fastpath/fib"
	"nave/fastpath/internal/sa"
	"nave/fastpath/internal/table"
)

// minSPI is the first that is not reserved (RFC 4303 section 2.1).
const minSPI = 256

// Sizes of an anti-replay window, in packets.
const (
	minWindow = 64
	maxWindow = 1024
)

// checkSAs finds associations that contradict themselves, each other, or what is installed under their number.
func (e *Engine) checkSAs(b *fib.Batch) error {
	type key struct {
		vrf   fib.VRF
		local [4]byte
		spi   uint32
		ah    bool
	}
	seen := make(map[fib.SAID]bool, len(b.SAs))
	heard := make(map[key]bool, len(b.SAs))
	for i := range b.SAs {
		f := &b.SAs[i]
		if f.ID == 0 || seen[f.ID] {
			return fmt.Errorf("security association %d: zero, or twice in one batch", f.ID)
		}
		seen[f.ID] = true
		if err := e.checkSA(f); err != nil {
			return fmt.Errorf("security association %d: %w", f.ID, err)
		}
		if !f.Inbound {
			continue
		}
		k := key{f.OuterVRF, f.Local.As4(), f.SPI, f.AH}
		if heard[k] {
			return fmt.Errorf("security association %d: SPI %#x twice in one batch", f.ID, f.SPI)
		}
		heard[k] = true
	}
	return nil
}

func (e *Engine) checkSA(f *fib.SA) error {
	switch {
	case f.SPI < minSPI:
		return fmt.Errorf("SPI %d is reserved: want %d at least", f.SPI, minSPI)
	case int(f.OuterVRF) >= e.cfg.MaxVRFs:
		return fmt.Errorf("VRF %d: numbers end at %d", f.OuterVRF, e.cfg.MaxVRFs-1)
	case !f.Local.Is4() || f.Local.IsUnspecified() || !f.Remote.Is4() || f.Remote.IsUnspecified():
		return fmt.Errorf("from %s to %s: want two IPv4 addresses", f.Local, f.Remote)
	case f.Encap && f.AH:
		return fmt.Errorf("AH in UDP does not exist")
	case f.Encap && (f.LocalPort == 0 || f.RemotePort == 0):
		return fmt.Errorf("ESP in UDP from port %d to port %d: want both", f.LocalPort, f.RemotePort)
	case f.Inbound && f.Window != 0 && (f.Window < minWindow || f.Window > maxWindow || f.Window%minWindow != 0):
		return fmt.Errorf("anti-replay window of %d packets: want %d to %d in steps of %d, or 0 for none", f.Window, minWindow, maxWindow, minWindow)
	case f.Under != 0 && (!f.Inbound || f.AH || f.Under == f.ID):
		return fmt.Errorf("under association %d: want inbound ESP under inbound AH", f.Under)
	}
	if s := e.tables.SA(uint32(f.ID)); s != nil && len(f.CipherKey)+len(f.AuthKey) == 0 {
		if !e.tables.SameSA(s, f) {
			return errSAChanged
		}
		return nil
	}
	if err := sa.Check(f); err != nil {
		return err
	}
	if f.Inbound && !f.AH && f.Under == 0 && f.Cipher == fib.CipherNull && f.Auth == fib.AuthNone {
		return fmt.Errorf("neither encrypted nor authenticated: anybody's packets would come in")
	}
	if s := e.tables.SA(uint32(f.ID)); s != nil && !e.tables.SameSA(s, f) {
		return errSAChanged
	}
	return nil
}

var errSAChanged = errors.New("another one of that number is installed: take it away first, so that no sequence number is used twice with a key")

// installSA installs a checked association, or changes what may change of it.
func (e *Engine) installSA(f *fib.SA) error {
	installed := e.tables.SA(uint32(f.ID)) != nil
	if e.pricer != nil {
		if err := e.pricer.SA(f, installed); err != nil {
			return err
		}
	}
	err := e.putSA(f, installed)
	if err != nil && !installed && e.pricer != nil {
		e.pricer.SAGone(f.ID)
	}
	return err
}

func (e *Engine) putSA(f *fib.SA, installed bool) error {
	if installed {
		_, err := e.tables.SetSA(f, table.SAShape{})
		return err
	}
	if int64(f.ID) >= int64(e.cfg.MaxSAs) {
		return ErrFull
	}
	t, err := e.newTransform(f)
	if err != nil {
		return err
	}
	shape := t.Shape()
	window := f.Window
	if !f.Inbound || !t.Authenticates() {
		window = 0 // anybody could move it (RFC 4303 section 3.4.3)
	}
	rec := table.SAShape{IV: uint8(shape.IV), ICV: uint8(shape.ICV), Align: uint8(shape.Align), Slots: sa.Slots(int(window))}
	if f.Cipher == fib.CipherAESGCM && sa.HasKernel() && !e.cfg.library {
		rec.Kernel = sa.KernelGCM
		if rec.Key, rec.Salt, err = sa.Expand(f.CipherKey); err != nil {
			t.Clear()
			return err
		}
		defer clear(rec.Key)
	}
	s, err := e.tables.SetSA(f, rec)
	if err != nil {
		t.Clear()
		return err
	}
	t.Generation = s.Generation
	// A worker that sees the association before its transform drops the packet, as it does without either.
	e.keepTransform(f.ID, t)
	return nil
}

func (e *Engine) newTransform(f *fib.SA) (*sa.Transform, error) {
	if e.cfg.library {
		return sa.NewLibrary(f)
	}
	return sa.New(f)
}

// spentTransform is one that workers may use until they have left an epoch.
type spentTransform struct {
	t     *sa.Transform
	epoch uint64
}

func (e *Engine) removeSA(id fib.SAID) {
	if e.tables.SA(uint32(id)) == nil {
		return
	}
	e.tables.DelSA(uint32(id))
	if e.pricer != nil {
		e.pricer.SAGone(id)
	}
	if t := e.transforms[id].Swap(nil); t != nil {
		e.spent = append(e.spent, spentTransform{t, e.arena.Epoch()})
	}
}

// forget clears the transforms that nobody can use any more.
func (e *Engine) forget() {
	n := 0
	for n < len(e.spent) && e.arena.Quiet(e.spent[n].epoch) {
		e.spent[n].t.Clear()
		n++
	}
	e.spent = append(e.spent[:0], e.spent[n:]...)
}

// clearTransforms clears all: no worker is polled any more.
func (e *Engine) clearTransforms() {
	for i := range e.transforms {
		if t := e.transforms[i].Swap(nil); t != nil {
			t.Clear()
		}
	}
	for i := range e.spent {
		e.spent[i].t.Clear()
	}
	e.spent = nil
}
