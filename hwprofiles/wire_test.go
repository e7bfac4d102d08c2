package hwprofiles

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// Every profile comes out of its JSON form as it went in, typed values and all.
func TestProfileSurvivesJSON(t *testing.T) {
	set, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range set.Profiles() {
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var got *Profile
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, p) {
			t.Errorf("%s came as\n%+v\nand was\n%+v", p.Name, got, p)
		}
	}
}

func TestProfileOfOtherJSON(t *testing.T) {
	var p Profile
	text := `{"name":"x","values":[{"key":"of.the_future","value":[1]},{"key":"gre.vlans","text":"7","value":7,"source":"s"}]}`
	if err := json.Unmarshal([]byte(text), &p); err != nil || len(p.Values) != 1 || p.GRE.VLANs.Int() != 7 {
		t.Errorf("a key that is not known: %v, %+v", err, p.Values)
	}
	for _, bad := range []string{`[]`, `{"values":[{"key":"gre.vlans","value":"seven"}]}`, `{"values":[{"key":"gre.key_in_hw"}]}`, `{"values":[{"key":"crypto.ciphers","value":1}]}`} {
		if err := json.Unmarshal([]byte(bad), &p); err == nil || !strings.HasPrefix(err.Error(), "hardware profile") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestProfileText(t *testing.T) {
	set, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	p, err := set.Profile("sup720-3bxl")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"gre.key_in_hw": "no", "rp.sw_cef_kpps": "500 kpps", "of.the_future": ""} {
		if got := p.Text(key); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}

// FuzzProfileJSON reads anything: no panic, and what is a profile is written so that it is read as the same one.
func FuzzProfileJSON(f *testing.F) {
	set, err := Load("")
	if err != nil {
		f.Fatal(err)
	}
	b, err := json.Marshal(set.Profiles()[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	for n := 0; n < len(b); n += 97 {
		f.Add(b[:n])
	}
	f.Add([]byte(`{"values":[{"key":"crypto.ciphers","value":null},{"key":"gre.vlans","value":null},{"key":"gre.vlans","value":7}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p, again *Profile
		if json.Unmarshal(b, &p) != nil || p == nil {
			return
		}
		out, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &again); err != nil || !reflect.DeepEqual(p, again) {
			t.Errorf("%v: %+v, and then %+v", err, p, again)
		}
	})
}
