// Package raceless has the race detector look away from what is known and harmless in libraries. Tests import it for that alone; without the detector it does nothing.
//
// GoBGP keeps its options of path selection in variables of a package, which every server writes when it starts: always the same values here. With several servers in a
// process, the detector is right about that, and would say nothing else. And it marks paths of a neighbour that restarts as stale while it may tell others of them: a flag of a path, which
// nave does not read there.
package raceless
