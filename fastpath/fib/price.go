package fib

// Way is who forwards a packet on hardware that is emulated.
type Way uint8

// Ways. The zero value is the forwarding engine itself.
const (
	ByHardware Way = iota
	ByCEF          // the route processor, by its own express forwarding
	ByProcess      // the route processor, packet by packet in a process
)

// PassCost is what one pass through the forwarding engine costs.
const PassCost = 16

// Price is what a packet costs that leaves by an adjacency or comes out of a tunnel, on hardware that is emulated. The zero value is nothing: no hardware is emulated, or
// none is asked.
//
// What this box itself sends costs nothing. A packet that the route processor has once is forwarded by it, and pays for that once.
type Price struct {
	Cost     uint16 // of the forwarding engine, in sixteenths of a pass; MaxCost at most
	Way      Way    // who forwards
	Labelled Way    // who forwards, if it has labels there
	Fragment Way    // who cuts it, if it has to be cut before its headers
	Crypto   bool   // its bytes pass the crypto module
	// NoMulticast drops multicast of others.
	NoMulticast bool
}

// MaxCost is the highest cost of a price: a little less than 32 passes.
const MaxCost = 1<<9 - 1

// Place is where a route or a label is on hardware that is emulated.
type Place uint8

// Places. The zero value is nowhere.
const (
	PlaceNone     Place = iota
	PlaceHardware       // it has its room in the forwarding engine's table
	PlaceSoftware       // it found none: its packets are the route processor's, so many a second of all such (Exception)
)

// Budget is something that packets are paid from: so many units a second.
type Budget uint8

// Budgets. What has no rate has no end.
const (
	Engine       Budget = iota // of the forwarding engine: sixteenths of a pass
	Crypto                     // of the crypto module: bytes of packets before they are sealed, or after they are opened
	CEF                        // of the route processor's express forwarding: packets
	Process                    // of its processes: packets
	Exception                  // packets of routes and labels that found no room in a full table
	LimitReceive               // packets for this box
	LimitGlean                 // packets whose next hop is not resolved
	LimitNoRoute               // packets that nobody has a route for
	LimitTTL                   // packets whose TTL ran out
	LimitMTU                   // packets that are larger than the MTU, with DF or without

	NumBudgets = iota
)

// Meter is how fast a budget fills up, and how much of it can lie there unspent: the length of a queue. Of one whose Rate is 0 there is no end.
type Meter struct {
	Rate  uint64 // units a second
	Burst uint64 // units; what is less than the dearest packet costs keeps that from passing at all
}

// Meters are those of all budgets.
type Meters [NumBudgets]Meter

// Pricer prices entries when they are installed, as hardware that is emulated would: what packets cost by them, whether they find room. An engine asks it under its
// own lock, so it must not call the engine.
//
// It is asked again about what is installed already: an answer depends on what it was told and not on how often.
type Pricer interface {
	// Begin tells what will be installed and removed, before any of it is priced.
	Begin(*Batch)
	// Tunnel prices what comes out of a tunnel: looking it up once more, decrypting.
	Tunnel(*Tunnel) Price
	// Adjacency prices what leaves by an adjacency.
	Adjacency(*Adjacency) Price
	// Route finds room for a route that is where was says: PlaceNone before it is installed.
	Route(r *Route, was Place) Place
	// Label finds room for a label, and prices what it does with packets, but for LabelSwap, where only the adjacency's price counts.
	Label(l *Label, was Place) (Place, Price)
	// SA refuses a security association for which there is no room. One that is installed is not refused.
	SA(s *SA, installed bool) error
	// RouteGone, LabelGone and SAGone give the room back that they had. All else is gone once Begin was told so.
	RouteGone(k RouteKey, was Place)
	LabelGone(in uint32, action LabelAction, was Place)
	SAGone(s SAID)
	// Stale tells whether prices of tunnels or adjacencies that are installed have changed by what came since: the engine then asks about all of them again, once.
	Stale() bool
	// Meters are what the budgets are.
	Meters() Meters
}
