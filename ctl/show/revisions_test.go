package show

import (
	"encoding/json"
	"testing"
	"time"
)

func TestRevisions(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	r := Revisions{Running: 12, Undone: at.Add(time.Hour), Back: 11, Revisions: []Revision{
		{N: 10, Time: at, How: "start", Changes: "all"}, {N: 11, Time: at.Add(time.Minute), User: "ann", How: "configure terminal", Changes: "Tunnel0"},
		{N: 12, Time: at.Add(2 * time.Minute), User: "bob", How: "commit", Changes: "1 routes"},
	}}
	golden(t, "configuration_revisions", r.Text())
	text, err := r.JSON()
	var back Revisions
	if err != nil || json.Unmarshal([]byte(text), &back) != nil || len(back.Revisions) != 3 || back.Revisions[1].User != "ann" || !back.Undone.Equal(r.Undone) || back.Back != 11 || back.Running != 12 {
		t.Errorf("%v\n%s", err, text)
	}
	if n := NotUnderstood("f", 0); n != "" {
		t.Errorf("%q", n)
	}
	if n := NotUnderstood("f", 2); n != "! 2 errors in f, whose lines are not shown: `nave check f` lists them\n" {
		t.Errorf("%q", n)
	}
}
