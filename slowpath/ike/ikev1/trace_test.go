package ikev1

import (
	"testing"

	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/iketest"
)

func TestTrace(t *testing.T) {
	never := func(ikemsg.Header) bool { return false }
	iketest.Tracing(t, version, iketest.Told{
		Version: 1, Empty: never, Clear: never,
		States: func(bool) []string { return []string{"MM_SA_SETUP", "MM_KEY_EXCH", "QM_IDLE", "ended"} },
	})
}
