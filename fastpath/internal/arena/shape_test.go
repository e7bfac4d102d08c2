package arena

import "testing"

// TestShape: what is laid out alike has one shape, and every difference is seen.
func TestShape(t *testing.T) {
	type a struct {
		X uint32
		Y [2]uint16
	}
	same := Shape(a{})
	if Shape(a{}) != same || headerShape() == 0 {
		t.Error("a shape changes by itself")
	}
	seen := map[uint64]string{same: "it"}
	for name, v := range map[string]any{
		"another name": struct {
			Z uint32
			Y [2]uint16
		}{}, "another order": struct {
			Y [2]uint16
			X uint32
		}{}, "another kind": struct {
			X int32
			Y [2]uint16
		}{}, "another length": struct {
			X uint32
			Y [4]uint16
		}{}, "another element": struct {
			X uint32
			Y [2]int16
		}{}, "a field more": struct {
			X uint32
			Y [2]uint16
			Z uint8
		}{}, "inside": struct{ A struct{ X uint32 } }{}, "inside, otherwise": struct{ A struct{ Y uint32 } }{},
	} {
		n := Shape(v)
		if other, ok := seen[n]; ok {
			t.Errorf("%s has the shape of %s", name, other)
		}
		seen[n] = name
	}
	if Shape(a{}, uint8(0)) == same {
		t.Error("one type more is not seen")
	}
}
