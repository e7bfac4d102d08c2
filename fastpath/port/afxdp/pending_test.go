package afxdp

import (
	"testing"

	"nave/fastpath/port"
)

// TestPendingCount: a port is pending from the first packet on the TX ring until the last one was completed.
func TestPendingCount(t *testing.T) {
	p := &Port{}
	var pend port.Pender = p
	for _, c := range []struct {
		outstanding uint32
		want        bool
	}{{0, false}, {1, true}, {2048, true}, {0, false}} {
		p.outstanding = c.outstanding
		if got := pend.Pending(); got != c.want {
			t.Errorf("%d packets not completed: pending %v", c.outstanding, got)
		}
	}
}
