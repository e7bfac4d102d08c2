package ikev2

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikev2/ikev2msg"
	"nave/slowpath/trace"
)

// What each side tells of the messages that it sends is what the other tells that it has found in them; states are told in order; and telling changes nothing of what is done.
func TestTrace(t *testing.T) {
	run := func(topics trace.Topics) *wire {
		w := join(t, 7, nil)
		w.a.e.env.Tracing, w.b.e.env.Tracing = topics, topics
		w.a.initiate()
		w.run(time.Minute)
		w.wantUp()
		w.a.event(ike.Clear{})
		w.run(time.Minute)
		return w
	}
	off, on := run(0), run(trace.All)
	if len(off.a.traces)+len(off.b.traces) != 0 {
		t.Errorf("told without being asked: %+v", off.a.traces)
	}
	if got, want := strings.Join(on.ladder, ", "), strings.Join(off.ladder, ", "); got != want {
		t.Errorf("told, they say\n%s\nand else\n%s", got, want)
	}
	for _, n := range []*node{on.a, on.b} {
		var sent, opened [][]ike.TracePayload
		for _, x := range n.traces {
			if x.Kind == ike.TraceSent {
				sent = append(sent, x.Payloads)
				if x.Size != int(x.Header.Length) || len(x.Payloads) == 0 && x.Header.Exchange != ikev2msg.ExchangeInformational { // an answer may be empty
					t.Errorf("%s sends %+v", n.name, x)
				}
			}
		}
		received := 0
		for _, x := range on.other(n).traces {
			switch {
			case x.Kind == ike.TraceReceived:
				received++
				if x.Header.Exchange == ikev2msg.ExchangeInit { // in clear
					opened = append(opened, x.Payloads)
				}
			case x.Kind == ike.TraceOpened:
				opened = append(opened, x.Payloads)
			}
		}
		if received != len(sent) || !reflect.DeepEqual(sent, opened) {
			t.Errorf("%s sends, %d messages of which %d arrive:\n%v\nand the other finds\n%v", n.name, len(sent), received, sent, opened)
		}
		var states []string
		for _, x := range n.traces {
			if x.Kind == ike.TraceState {
				states = append(states, x.State)
			}
			if x.Version != 2 || !x.Path.Remote.IsValid() {
				t.Errorf("%+v", x)
			}
		}
		if !slices.Equal(states, statesToldBy(n == on.a)) {
			t.Errorf("%s goes through %v", n.name, states)
		}
	}
}

// statesToldBy are those that an SA goes through.
func statesToldBy(initiator bool) []string {
	if initiator {
		return []string{"AUTH", "READY", "DELETE", "EXIT"}
	}
	return []string{"READY", "EXIT"}
}
