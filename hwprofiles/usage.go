package hwprofiles

import "nave/fastpath/fib"

// Options are what a configuration tells its hardware.
type Options struct {
	// Routes are `mls cef maximum-routes`: entries by kind ("ip", "mpls", "ipv6", "ip-multicast"). Without any, the split is the profile's.
	Routes map[string]int
	// Limits are `mls rate-limit`, by what they limit: LimitReceive to LimitMTU.
	Limits map[fib.Budget]fib.Meter
	// ModuleGRE are the tunnels of which the crypto module does GRE (`crypto engine gre vpnblade`), where it can: those may share a source.
	ModuleGRE map[fib.TunnelID]bool
}

// Level is how much of something is used.
type Level struct {
	Used int `json:"used"`
	Size int `json:"size,omitempty"` // 0: not known, and then there is no end
}

// Room is a part of the FIB TCAM, by its split.
type Room struct {
	Kinds      []string `json:"kinds"` // what shares it: "ip", "mpls", "ipv6", "ip-multicast"
	Width      int      `json:"width"` // units of 72 bits that an entry takes
	Configured bool     `json:"configured"`
	Level               // entries
}

// Routes is how many routes, or labels, are where.
type Routes struct {
	Hardware int `json:"hardware"`
	Software int `json:"software"` // that found no room
	// Threshold: 95 of 100 of its room were used once. Exception: an entry found no room once. Both stay until the profile is loaded anew.
	Threshold bool `json:"threshold"`
	Exception bool `json:"exception"`
}

// Switched is a tunnel whose packets are the route processor's, and the value of the profile that makes them.
type Switched struct {
	Tunnel   fib.TunnelID `json:"-"`
	Labelled bool         `json:"labelled,omitempty"` // only those with labels
	Way      fib.Way      `json:"-"`
	Key      string       `json:"key"`
}

// Usage is what a Pricer has given away, at one time.
type Usage struct {
	Units           Level      `json:"units72"`
	Rooms           []Room     `json:"rooms"`
	IPv4            Routes     `json:"ipv4"`
	MPLS            Routes     `json:"mpls"`
	Adjacencies     Level      `json:"adjacencies"`
	AdjacenciesOver int        `json:"adjacencies_over"` // that found no room, and are the route processor's
	TunnelVLANs     Level      `json:"tunnel_vlans"`
	AggregateLabels Level      `json:"aggregate_labels"` // Used: all there are; those above Size pass twice
	CryptoTunnels   Level      `json:"crypto_tunnels"`
	CryptoRefused   int        `json:"crypto_refused"` // associations that found no room, since the profile was loaded
	Switched        []Switched `json:"-"`
}
