package hwprofiles

import (
	"encoding/json"
	"fmt"
)

// A profile goes from the daemon to its tool as what it is made of: its name, what it is of, and its values by key. The typed values are made of those again.

type wireProfile struct {
	Name       string      `json:"name"`
	Platform   string      `json:"platform"`
	Supervisor string      `json:"supervisor"`
	Module     string      `json:"module"`
	Values     []wireValue `json:"values"`
}

type wireValue struct {
	Key    string          `json:"key"`
	Text   string          `json:"text"`
	Value  json.RawMessage `json:"value"`
	Found  bool            `json:"found"`
	Source string          `json:"source"`
	File   string          `json:"file"`
	Line   int             `json:"line"`
}

// MarshalJSON writes a profile so that UnmarshalJSON reads the same one.
func (p *Profile) MarshalJSON() ([]byte, error) {
	w := wireProfile{Name: p.Name, Platform: p.Platform, Supervisor: p.Supervisor, Module: p.Module, Values: make([]wireValue, 0, len(p.Values))}
	for _, v := range p.Values {
		b, err := json.Marshal(v.Any)
		if err != nil {
			return nil, fmt.Errorf("profile %s: %s: %w", p.Name, v.Key.Name, err)
		}
		w.Values = append(w.Values, wireValue{v.Key.Name, v.Text, b, v.Found, v.Source, v.File, v.Line})
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON wrote. Keys that are not known here, as of a daemon that is newer, are left out.
func (p *Profile) UnmarshalJSON(b []byte) error {
	var w wireProfile
	if err := json.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("hardware profile: %w", err)
	}
	*p = Profile{Name: w.Name, Platform: w.Platform, Supervisor: w.Supervisor, Module: w.Module}
	for _, v := range w.Values {
		k := keyNamed(v.Key)
		if k == nil {
			continue
		}
		f := Fact{Known: true, Found: v.Found, Source: v.Source, File: v.File, Line: v.Line}
		value, err := k.put(p, f, v.Value)
		if err != nil {
			return fmt.Errorf("hardware profile %s: %s: %w", w.Name, v.Key, err)
		}
		p.Values = append(p.Values, Value{Key: k, Text: v.Text, Any: value, Fact: f})
	}
	return nil
}

// put gives a profile the value of the key, and returns it.
func (k *Key) put(p *Profile, f Fact, b []byte) (any, error) {
	var n float64
	var yes bool
	var list []string
	var err error
	switch k.Kind {
	case KindNumber:
		err = json.Unmarshal(b, &n)
		*k.number(p) = Number{f, n}
		return n, err
	case KindFlag:
		err = json.Unmarshal(b, &yes)
		*k.flag(p) = Flag{f, yes}
		return yes, err
	}
	err = json.Unmarshal(b, &list)
	*k.words(p) = Words{f, list}
	return list, err
}

// Text is the value of a key as it is written, with its unit; empty: it is not known.
func (p *Profile) Text(key string) string {
	for _, v := range p.Values {
		if v.Key.Name != key {
			continue
		}
		if v.Key.Unit != "" {
			return v.Text + " " + v.Key.Unit
		}
		return v.Text
	}
	return ""
}
