package show

import (
	"encoding/json"
	"strings"
	"testing"

	"nave/hwprofiles"
)

func TestHWProfiles(t *testing.T) {
	set, err := hwprofiles.Load("")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "hwprofiles", HWProfiles(set.Profiles()))
	p, err := set.Profile("sup720-3bxl-7600-spa")
	if err != nil {
		t.Fatal(err)
	}
	text := HWProfile(p)
	golden(t, "hwprofile", text)
	for _, v := range p.Values {
		if !strings.Contains(text, v.Source) {
			t.Errorf("no source of %s", v.Key.Name)
		}
	}
	b, err := HWProfileJSON(p)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Name    string
		Assumed int
		Values  map[string]struct {
			Value               any
			Unit, Basis, Source string
		}
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if v := got.Values["fib.units72"]; v.Value != 1048576.0 || v.Unit != "units" || v.Basis != "found" {
		t.Errorf("%+v", v)
	}
	if v := got.Values["gre.key_in_hw"]; v.Value != false || v.Unit != "" || !strings.Contains(v.Source, "Tunnel Key") {
		t.Errorf("%+v", v)
	}
	if v, ok := got.Values["crypto.ciphers"].Value.([]any); !ok || len(v) != 3 {
		t.Errorf("%+v", got.Values["crypto.ciphers"])
	}
	if len(got.Values) != len(p.Values) || got.Assumed == 0 || got.Assumed >= len(p.Values) {
		t.Errorf("%d values, %d assumed", len(got.Values), got.Assumed)
	}
	b, err = HWProfilesJSON(set.Profiles())
	var list []struct{ Name string }
	if err != nil || json.Unmarshal(b, &list) != nil || len(list) != len(set.Names()) || list[0].Name != set.Names()[0] {
		t.Errorf("%v %s", err, b)
	}
}
