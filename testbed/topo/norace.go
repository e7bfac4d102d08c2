//go:build !race

package topo

const raceEnabled = false

func raceOptions() string { return "" }
