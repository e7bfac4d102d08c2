package nic

import (
	"fmt"
	"slices"
)

// Outcome is what became of a part: done, or why not.
type Outcome struct {
	Done bool   `json:"done"`
	What string `json:"what,omitempty"` // how it is now
	Why  string `json:"why,omitempty"`  // why it is not done
}

func failed(err error) Outcome { return Outcome{Why: err.Error()} }

// State is what a netdev has, and how it spreads packets.
type State struct {
	Driver   Driver            `json:"driver"`
	Channels Channels          `json:"channels"`
	Rings    Rings             `json:"rings"`
	RSS      Outcome           `json:"rss"`         // the indirection table
	Fields   map[string]string `json:"hash_fields"` // by flow: what it is hashed by, or why that is not known
	BySPI    bool              `json:"by_spi"`      // ESP is hashed by SPI
	NTuple   Outcome           `json:"ntuple"`
	Rules    int               `json:"rules"`   // filter rules of nave's
	Refused  int               `json:"refused"` // rules that the card did not take
	ZeroCopy string            `json:"zero_copy"`
}

// Spreads tells whether the card spreads packets over its queues by a table that nave knows.
func (s *State) Spreads() bool { return s.RSS.Done }

// Before is how a netdev was before Spread changed it: what Restore needs. It may be written to a file.
type Before struct {
	Table  bool            // the indirection table was changed
	Fields map[Flow]Fields // of the flows that were changed
	NTuple bool            // filters were switched on
	Tags   bool            // taking VLAN tags off received frames was switched off
	Rules  []uint32        // places of rules that were added
}

// Spread makes the card lead packets to queues 0 to queues-1 evenly, by addresses, ports and SPI as far as the driver goes, and says what it got.
// What it changes is added to before. It does not touch the number of queues, and where it already is as it should be nothing is written.
func Spread(d *Netdev, queues int, before *Before) *State {
	s := Describe(d)
	if queues < 2 {
		s.RSS = Outcome{Why: "one queue"}
		return s
	}
	s.RSS = spreadTable(d, queues, before)
	for _, w := range []struct {
		flow Flow
		try  []Fields
	}{
		// GRE has no flow of its own: it is IPv4, hashed by addresses.
		{FlowIPv4, []Fields{Addresses}},
		{FlowTCP, []Fields{Whole, Addresses}},
		{FlowUDP, []Fields{Whole, Addresses}},
		{FlowESP, []Fields{Whole, Addresses}},
	} {
		s.Fields[w.flow.String()] = spreadFlow(d, w.flow, w.try, before)
	}
	s.describeFields(d)
	return s
}

// spreadTable makes the indirection table even.
func spreadTable(d *Netdev, queues int, before *Before) Outcome {
	table, err := d.Indirection()
	if err != nil {
		return failed(err)
	}
	what := fmt.Sprintf("%d entries over %d queues", len(table), min(queues, len(table)))
	if even(table, queues) {
		return Outcome{Done: true, What: what}
	}
	for i := range table {
		table[i] = uint32(i % queues)
	}
	if err := d.SetIndirection(table); err != nil {
		return failed(err)
	}
	before.Table = true
	return Outcome{Done: true, What: what}
}

// even tells whether each of the queues, and no other, has its share of the table, give or take one.
func even(table []uint32, queues int) bool {
	hits := make([]int, queues)
	for _, q := range table {
		if int(q) >= queues {
			return false
		}
		hits[q]++
	}
	return slices.Max(hits)-slices.Min(hits) <= 1
}

// spreadFlow makes the driver hash a flow by the first of several sets of fields that it takes. It returns why it took none, if so.
func spreadFlow(d *Netdev, f Flow, try []Fields, before *Before) string {
	now, err := d.Fields(f)
	if err != nil {
		return "unknown: " + err.Error()
	}
	for _, want := range try {
		if now == want {
			return ""
		}
		if err = d.SetFields(f, want); err == nil {
			if before.Fields == nil {
				before.Fields = make(map[Flow]Fields)
			}
			if _, ok := before.Fields[f]; !ok {
				before.Fields[f] = now
			}
			return ""
		}
	}
	return err.Error()
}

// Describe says what a netdev has and how it is, and changes nothing.
func Describe(d *Netdev) *State {
	s := &State{Fields: make(map[string]string), ZeroCopy: "unknown"}
	// What a driver does not answer stays empty: it has nothing to say about it.
	s.Driver, _ = d.Driver()
	s.Channels, _ = d.Channels()
	s.Rings, _ = d.Rings()
	s.RSS, s.NTuple = Outcome{Why: "not asked for"}, Outcome{Why: "not asked for"}
	s.describeFields(d)
	return s
}

// describeFields notes what the flows are hashed by now.
func (s *State) describeFields(d *Netdev) {
	for _, f := range []Flow{FlowIPv4, FlowTCP, FlowUDP, FlowESP} {
		now, err := d.Fields(f)
		switch {
		case err == nil:
			s.Fields[f.String()] = now.describe(f)
		case s.Fields[f.String()] == "":
			s.Fields[f.String()] = "unknown: " + err.Error()
		}
		if f == FlowESP {
			s.BySPI = err == nil && now&(FieldL4First|FieldL4Second) == FieldL4First|FieldL4Second
		}
	}
}

// describe names fields in words.
func (f Fields) describe(flow Flow) string {
	ports := "ports"
	if flow == FlowESP {
		ports = "SPI"
	}
	switch {
	case f == 0:
		return "nothing: all on one queue"
	case f == Addresses:
		return "addresses"
	case f == Whole:
		return "addresses and " + ports
	}
	return fmt.Sprintf("fields %#x", uint64(f))
}

// Restore gives a netdev back what Spread and Steer changed, as far as the driver lets it: errors are of no use to anybody by then, and the
// first is returned for the log.
func Restore(d *Netdev, before Before) error {
	var first error
	note := func(err error) {
		if err != nil && first == nil {
			first = fmt.Errorf("nic: %s: %w", d.name, err)
		}
	}
	for _, l := range before.Rules {
		note(d.remove(l))
	}
	if before.NTuple {
		note(d.set(flagNTuple, false))
	}
	note(ReturnTags(d, &before))
	for f, fields := range before.Fields {
		note(d.SetFields(f, fields))
	}
	if before.Table {
		note(d.SetIndirection(nil))
	}
	return first
}
