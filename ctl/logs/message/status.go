package message

import "time"

// Kind is what sort of destination something is.
type Kind string

// The kinds.
const (
	Console Kind = "console"
	Journal Kind = "journal" // what the console is under systemd
	Monitor Kind = "monitor"
	Buffer  Kind = "buffer"
	File    Kind = "file"
	Local   Kind = "syslog"
	Host    Kind = "host"
)

// Trouble says that a destination can't be written to, or (Err is nil) that it can be again.
type Trouble struct {
	Kind Kind
	Name string
	Err  error
}

// Destination is one of the places that the log goes to.
type Destination struct {
	Kind     Kind   `json:"kind"`
	Name     string `json:"name,omitempty"` // a path, an address
	On       bool   `json:"on"`
	Severity int    `json:"severity"` // the mildest that it takes, where it is on
	Written  uint64 `json:"written"`
	Dropped  uint64 `json:"dropped"`           // it was too slow for
	Failed   uint64 `json:"failed"`            // could not be written
	Waiting  int    `json:"waiting"`           // to be written
	Trouble  string `json:"trouble,omitempty"` // why nothing can be written now
}

// Count is how often a message was logged.
type Count struct {
	Facility string    `json:"facility"`
	Mnemonic string    `json:"mnemonic"`
	Severity int       `json:"severity"`
	Times    uint64    `json:"times"`
	Last     time.Time `json:"last"`
	Stamp    string    `json:"stamp,omitempty"` // Last, as the log writes times
}

// Status is what there is to know of the log.
type Status struct {
	On           bool          `json:"on"`
	Messages     uint64        `json:"messages"`     // that were logged, since the daemon started
	RateLimited  uint64        `json:"rate_limited"` // left out by `logging rate-limit`
	Suppressed   uint64        `json:"suppressed"`   // left out because there were too many of a kind, or by `logging dmvpn rate-limit`
	Dropped      uint64        `json:"dropped"`      // left out somewhere because a destination was too slow
	Rate         int           `json:"rate,omitempty"`
	DMVPN        bool          `json:"dmvpn"`                      // messages about DMVPN are logged
	DMVPNSeconds int           `json:"dmvpn_rate_limit,omitempty"` // at most one in so many seconds
	Numbered     bool          `json:"numbered"`
	Facility     string        `json:"facility"`
	Format       string        `json:"format"` // of messages to servers: rfc3164, rfc5424
	Source       string        `json:"source,omitempty"`
	Watchers     int           `json:"watchers"`
	Destinations []Destination `json:"destinations"`
	BufferBytes  int           `json:"buffer_bytes"`
	Forgotten    uint64        `json:"forgotten"` // lines that there was no more room for in memory
	Counts       []Count       `json:"counts,omitempty"`
	Lines        []Line        `json:"lines"`
}
