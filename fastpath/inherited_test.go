package fastpath

import (
	"reflect"
	"testing"

	"nave/fastpath/fib"
)

// TestInherited: what comes out is what went in, so that applying it again changes nothing, and another engine that is given it (with the keys) has the same.
func TestInherited(t *testing.T) {
	r := newRig(t, gcm128.hub, func(_ *Config, b *fib.Batch) {
		for i := range b.SAs {
			b.SAs[i].SoftBytes, b.SAs[i].HardBytes, b.SAs[i].Expires = 1<<20, 1<<21, 1_800_000_000
		}
		for i := range b.Adjacencies {
			b.Adjacencies[i].Expires, b.Adjacencies[i].Unique = 1_800_000_000+int64(i), i%2 == 0
		}
	})
	b := r.e.Inherited()
	if len(b.SAs) == 0 || len(b.Ports) == 0 || len(b.Tunnels) == 0 || len(b.Adjacencies) == 0 || len(b.Routes) == 0 {
		t.Fatalf("inherited %d associations, %d ports, %d tunnels, %d adjacencies, %d routes", len(b.SAs), len(b.Ports), len(b.Tunnels), len(b.Adjacencies), len(b.Routes))
	}
	gen := r.e.Generation()
	r.apply(&b)
	if r.e.Generation() != gen {
		t.Error("applying what is installed changed something")
	}
	for _, f := range b.SAs {
		if f.SoftBytes != 1<<20 || f.HardBytes != 1<<21 || f.Expires != 1_800_000_000 || f.CipherKey != nil || f.KeyLen != 20 {
			t.Errorf("association %+v", f)
		}
	}
	for _, f := range b.Adjacencies {
		if f.Expires < 1_800_000_000 {
			t.Errorf("adjacency %+v", f)
		}
	}
	// Without keys, nothing but what may change is changed.
	other := b.SAs[0]
	other.SPI++
	if _, err := r.e.Apply(&fib.Batch{SAs: []fib.SA{other}}); err == nil {
		t.Error("an association without keys took another's number")
	}
	fresh, err := New(Config{ArenaBytes: 16 << 20, Private: true, MaxAdjacencies: 1024})
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	for i := range b.SAs {
		c, a := r.e.tables.SAKeys(r.e.tables.SA(uint32(b.SAs[i].ID)))
		b.SAs[i].CipherKey, b.SAs[i].AuthKey = append(fib.Key{}, c...), append(fib.Key{}, a...)
	}
	if refused, err := fresh.Apply(&b); err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	if got, want := fresh.Inherited(), r.e.Inherited(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}
