package arena

import (
	"fmt"
	"hash/fnv"
	"io"
	"reflect"
)

// Shape is a number that differs, but for chance, when the types of vs are laid out otherwise: their fields, in order, with names, kinds and places. Builds that differ in
// it must not share a region, whether or not anybody has thought of counting LayoutVersion up.
func Shape(vs ...any) uint64 {
	h := fnv.New64a()
	for _, v := range vs {
		describe(h, reflect.TypeOf(v))
	}
	return h.Sum64()
}

func describe(w io.Writer, t reflect.Type) {
	fmt.Fprintf(w, "%s %d;", t.Kind(), t.Size())
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			f := t.Field(i)
			fmt.Fprintf(w, "%s %d:", f.Name, f.Offset)
			describe(w, f.Type)
		}
	case reflect.Array:
		fmt.Fprintf(w, "%d:", t.Len())
		describe(w, t.Elem())
	}
}

// headerShape is that of what a region starts with.
func headerShape() uint64 { return Shape(header{}, keptNote{}) }
