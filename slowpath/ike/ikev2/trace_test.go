package ikev2

import (
	"testing"

	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/iketest"
	"nave/slowpath/ike/ikev2/ikev2msg"
)

func TestTrace(t *testing.T) {
	iketest.Tracing(t, version, iketest.Told{
		Version: 2, States: statesToldBy,
		Empty: func(h ikemsg.Header) bool { return h.Exchange == ikev2msg.ExchangeInformational }, // an answer may be
		Clear: func(h ikemsg.Header) bool { return h.Exchange == ikev2msg.ExchangeInit },
	})
}

// statesToldBy are those that an SA goes through.
func statesToldBy(initiator bool) []string {
	if initiator {
		return []string{"AUTH", "READY", "DELETE", "EXIT"}
	}
	return []string{"READY", "EXIT"}
}
