// Package hwprofiles knows hardware as data: what a forwarding engine, its route processor and its crypto module can
// do, how much of it, and what they can't.
//
// A profile is a set of values by key ("fib.units72", "gre.key_in_hw"). No value stands alone: each has its unit, the
// place where it was found, and whether it was found there or is assumed. The keys are a table (Keys): name, kind,
// unit, range, and the field of Profile that it fills. A key that a profile does not have restricts nothing.
//
// Profiles are YAML. A file is a profile or a part of some (a supervisor engine, a chassis, a crypto module); `extends`
// puts values of others below its own, and `variants` makes one profile of each combination of parts. Those that come
// with nave are embedded (data/); a file of the same name in a directory of the user wins over one of them, or extends
// it. See docs/hardware.md.
//
// A Pricer makes a profile felt where packets are forwarded (fib.Pricer): it says who forwards what leaves by an adjacency or comes out of a tunnel and what that
// costs (pricer_tunnels.go), whether routes and labels find room in the FIB TCAM (pricer_rooms.go) and peers in the crypto module (pricer_crypto.go), and how fast
// budgets fill up (meters.go). Usage is what it has given away.
//
// Nothing here knows a configuration or forwards a packet.
package hwprofiles
