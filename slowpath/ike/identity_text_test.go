package ike

import (
	"encoding/json"
	"strings"
	"testing"
)

// Identities come through status values as they are, whatever bytes a peer has put into them.
func TestIdentityText(t *testing.T) {
	for _, id := range []Identity{
		{}, {IDIPv4, "192.0.2.1"}, {IDDN, "0\x82\x01\xff\x00\"\\\n"}, {IDOther, ""}, {IDFQDN, `"`}, {255, strings.Repeat("\xff", 300)}, {IDEmail, "é@example.net"},
	} {
		b, err := json.Marshal(id)
		if err != nil {
			t.Fatal(err)
		}
		got := Identity{Kind: IDKey, Value: "old"}
		if err := json.Unmarshal(b, &got); err != nil || got != id {
			t.Errorf("%q came as %q, %v", id.Value, got.Value, err)
		}
	}
	for _, bad := range []string{"1", `x"a"`, `1"a`, `256"a"`, `-1"a"`, `1"\q"`, `1"a"b`} {
		var id Identity
		if err := id.UnmarshalText([]byte(bad)); err == nil || id != (Identity{}) {
			t.Errorf("%s was read as %+v, %v", bad, id, err)
		}
	}
}
