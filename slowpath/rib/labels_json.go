package rib

import (
	"encoding/json"
	"fmt"
)

// MarshalJSON writes the labels as an array, outermost first.
func (s Labels) MarshalJSON() ([]byte, error) {
	return json.Marshal(append([]uint32{}, s.l[:s.n]...)) // an empty array, not null
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Labels) UnmarshalJSON(b []byte) error {
	var values []uint32
	if err := json.Unmarshal(b, &values); err != nil {
		return fmt.Errorf("rib: labels: %w", err)
	}
	l, ok := LabelsOf(values...)
	if !ok {
		return fmt.Errorf("rib: labels %v: too many, or none that a packet can carry", values)
	}
	*s = l
	return nil
}
