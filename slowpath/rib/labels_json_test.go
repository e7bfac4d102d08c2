package rib

import (
	"encoding/json"
	"testing"
)

func TestLabelsSurviveJSON(t *testing.T) {
	for _, values := range [][]uint32{nil, {17}, {17, 18}} {
		want, ok := LabelsOf(values...)
		if !ok {
			t.Fatal(values)
		}
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := LabelsOf(99)
		if err := json.Unmarshal(b, &got); err != nil || got != want {
			t.Errorf("%v came back as %v by %s: %v", values, got.Values(), b, err)
		}
	}
	for _, bad := range []string{`[3]`, `[1048576]`, `[-1]`, `[1,2,4,5,6,7,8,9]`, `"17"`, `{}`, `[`} {
		var l Labels
		if err := json.Unmarshal([]byte(bad), &l); err == nil {
			t.Errorf("%s is taken as %v", bad, l.Values())
		}
	}
}
