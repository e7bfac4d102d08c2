package fastpath

import (
	"fmt"

	"nave/fastpath/fib"
	"nave/fastpath/packet"
)

// checkPushed looks at the labels of an adjacency.
func checkPushed(a *fib.Adjacency) error {
	size := len(a.Labels) * packet.LabelLen
	switch {
	case len(a.Labels) > fib.MaxLabels:
		return fmt.Errorf("%d labels: at most %d", len(a.Labels), fib.MaxLabels)
	case len(a.Inner)+size > fib.MaxInner:
		return fmt.Errorf("inner header of %d bytes and %d labels: at most %d bytes together", len(a.Inner), len(a.Labels), fib.MaxInner)
	case int(a.MTU) < minMTU+size:
		return fmt.Errorf("MTU of %d with %d labels: want %d at least", a.MTU, len(a.Labels), minMTU+size)
	}
	for _, l := range a.Labels {
		if err := checkLabelValue(l); err != nil {
			return err
		}
	}
	return nil
}

// checkLabelValue tells whether a label can be pushed.
func checkLabelValue(l uint32) error {
	switch {
	case l == fib.ImplicitNull:
		return fmt.Errorf("label %d is implicit null: it is never pushed, leave it out", l)
	case l != fib.ExplicitNull && (l < fib.FirstLabel || l > fib.LastLabel):
		return fmt.Errorf("label %d: want %d, or %d to %d", l, fib.ExplicitNull, fib.FirstLabel, fib.LastLabel)
	}
	return nil
}

// checkLabels looks at what incoming labels do.
func (e *Engine) checkLabels(b *fib.Batch, gone map[fib.AdjID]bool) error {
	seen := make(map[uint32]bool, len(b.Labels))
	for i := range b.Labels {
		l := &b.Labels[i]
		if seen[l.In] {
			return fmt.Errorf("label %d: twice in one batch", l.In)
		}
		seen[l.In] = true
		if err := e.checkLabel(l); err != nil {
			return fmt.Errorf("label %d: %w", l.In, err)
		}
		for _, id := range l.Paths {
			switch {
			case id < fib.FirstAdj:
				return fmt.Errorf("label %d: path to adjacency %d: a label leads to adjacencies from %d on", l.In, id, fib.FirstAdj)
			case gone[id]:
				return fmt.Errorf("label %d: path to adjacency %d, which the batch removes", l.In, id)
			}
		}
	}
	for _, in := range b.DelLabels {
		if in > fib.LastLabel {
			return fmt.Errorf("remove label %d: labels end at %d", in, fib.LastLabel)
		}
	}
	return nil
}

func (e *Engine) checkLabel(l *fib.Label) error {
	switch {
	case l.In == fib.ExplicitNull && (l.Action != fib.LabelLookup || l.VRF != fib.Global):
		return fmt.Errorf("explicit null: its action is to look up, and its VRF that of the interface")
	case l.In != fib.ExplicitNull && (l.In < fib.FirstLabel || l.In > fib.LastLabel):
		return fmt.Errorf("labels go from %d to %d", fib.FirstLabel, fib.LastLabel)
	case l.Action < fib.LabelLookup || l.Action > fib.LabelSwap:
		return fmt.Errorf("action %d does not exist", l.Action)
	case int(l.VRF) >= e.cfg.MaxVRFs:
		return fmt.Errorf("VRF %d: numbers end at %d", l.VRF, e.cfg.MaxVRFs-1)
	case l.Action == fib.LabelLookup && len(l.Paths) != 0:
		return fmt.Errorf("%d paths, and its action is to look up", len(l.Paths))
	case l.Action != fib.LabelLookup && (len(l.Paths) < 1 || len(l.Paths) > fib.MaxPaths):
		return fmt.Errorf("%d paths: want 1 to %d", len(l.Paths), fib.MaxPaths)
	case l.Action != fib.LabelLookup && l.VRF != fib.Global:
		return fmt.Errorf("VRF %d, and its action does not look up", l.VRF)
	}
	return nil
}
