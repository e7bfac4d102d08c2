//go:build !race

package flow

// put stores a word that others read with atomic loads. Only the worker stores, and a whole word is never seen by halves; an atomic store costs ten times as much.
func put(p *uint64, v uint64) { *p = v }
