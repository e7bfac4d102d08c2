package ikev2

import (
	"bytes"
	"testing"

	"nave/slowpath/ike/ikemsg"
	"nave/slowpath/ike/ikev2/ikev2msg"
)

// piece is a fragment as it comes out of its cipher.
func piece(id uint32, number, total uint16) *ikev2msg.Message {
	m := &ikev2msg.Message{Header: ikemsg.Header{MessageID: id}, Fragment: &ikev2msg.Fragment{Number: number, Total: total}}
	if number == 1 {
		m.First = ikev2msg.PayloadIDi
	}
	return m
}

func TestReassembly(t *testing.T) {
	type step struct {
		id            uint32
		number, total uint16
		done          bool
	}
	for _, c := range []struct {
		name  string
		steps []step
		want  string
	}{
		{"in order", []step{{1, 1, 3, false}, {1, 2, 3, false}, {1, 3, 3, true}}, "1/3 2/3 3/3 "},
		{"out of order", []step{{1, 3, 3, false}, {1, 1, 3, false}, {1, 2, 3, true}}, "1/3 2/3 3/3 "},
		{"doubled", []step{{1, 1, 2, false}, {1, 1, 2, false}, {1, 2, 2, true}}, "1/2 2/2 "},
		{"cut into more", []step{{1, 1, 2, false}, {1, 1, 3, false}, {1, 2, 2, false}, {1, 2, 3, false}, {1, 3, 3, true}}, "1/3 2/3 3/3 "},
		{"another message", []step{{1, 1, 2, false}, {2, 2, 2, false}, {2, 1, 2, true}}, "1/2 2/2 "},
		{"one", []step{{1, 1, 1, true}}, "1/1 "},
		{"too many", []step{{1, 1, maxFragments + 1, false}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r reassembly
			for i, s := range c.steps {
				text := []byte{byte('0' + s.number), '/', byte('0' + s.total), ' '}
				whole, first, done := r.add(piece(s.id, s.number, s.total), text)
				if done != s.done {
					t.Fatalf("step %d: done %v", i, done)
				}
				if done && (string(whole) != c.want || first != ikev2msg.PayloadIDi || r.pieces != nil) {
					t.Errorf("%q of type %d", whole, first)
				}
			}
		})
	}
}

// What one SA keeps of fragments is bounded, whatever is sent.
func TestReassemblyBound(t *testing.T) {
	var r reassembly
	big := bytes.Repeat([]byte{1}, 8000)
	for n := range uint16(maxFragments - 1) {
		r.add(piece(1, n+1, maxFragments), big)
	}
	if r.size > maxReassembled {
		t.Errorf("%d bytes are kept", r.size)
	}
}
