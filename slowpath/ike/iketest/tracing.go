package iketest

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"nave/slowpath/ike"
	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/trace"
)

// Told is what a version tells those who debug it.
type Told struct {
	Version int
	Empty   func(h ikemsg.Header) bool    // whether such a message may be one without payloads
	Clear   func(h ikemsg.Header) bool    // whether the payloads of such a message are told as it comes, for it is in clear
	States  func(initiator bool) []string // that an SA goes through
}

// Tracing wants that what each side tells of the messages that it sends is what the other tells that it has found in them; that states are told in order; and
// that telling changes nothing of what is done.
func Tracing[E ike.Engine](t *testing.T, v *Version[E], want Told) {
	run := func(topics trace.Topics) *Wire[E] {
		w := Join(t, v, 7, nil)
		w.A.Env.Tracing, w.B.Env.Tracing = topics, topics
		w.A.Initiate()
		w.Run(time.Minute)
		w.WantUp()
		w.A.Event(ike.Clear{})
		w.Run(time.Minute)
		return w
	}
	off, on := run(0), run(trace.All)
	if len(off.A.Traces)+len(off.B.Traces) != 0 {
		t.Errorf("told without being asked: %+v", off.A.Traces)
	}
	if got, want := strings.Join(on.Ladder, ", "), strings.Join(off.Ladder, ", "); got != want {
		t.Errorf("told, they say\n%s\nand else\n%s", got, want)
	}
	for _, n := range on.nodes() {
		sent := tellsOfSent(t, n, want)
		received, opened := tellsOfReceived(on.Other(n), want)
		if received != len(sent) || !reflect.DeepEqual(sent, opened) {
			t.Errorf("%s sends, %d messages of which %d arrive:\n%v\nand the other finds\n%v", n.Name, len(sent), received, sent, opened)
		}
		var states []string
		for _, x := range n.Traces {
			if x.Kind == ike.TraceState {
				states = append(states, x.State)
			}
			if x.Version != want.Version || !x.Path.Remote.IsValid() {
				t.Errorf("%+v", x)
			}
		}
		if !slices.Equal(states, want.States(n == on.A)) {
			t.Errorf("%s goes through %v", n.Name, states)
		}
	}
}

func tellsOfSent[E ike.Engine](t *testing.T, n *Node[E], want Told) (sent [][]ike.TracePayload) {
	t.Helper()
	for _, x := range n.Traces {
		if x.Kind == ike.TraceSent {
			sent = append(sent, x.Payloads)
			if x.Size != int(x.Header.Length) || len(x.Payloads) == 0 && !want.Empty(x.Header) {
				t.Errorf("%s sends %+v", n.Name, x)
			}
		}
	}
	return sent
}

func tellsOfReceived[E ike.Engine](n *Node[E], want Told) (received int, opened [][]ike.TracePayload) {
	for _, x := range n.Traces {
		switch {
		case x.Kind == ike.TraceReceived:
			received++
			if want.Clear(x.Header) {
				opened = append(opened, x.Payloads)
			}
		case x.Kind == ike.TraceOpened:
			opened = append(opened, x.Payloads)
		}
	}
	return received, opened
}
