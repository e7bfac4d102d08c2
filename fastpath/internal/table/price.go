package table

import "nave/fastpath/fib"

// Price is a fib.Price in a word, as records hold it. 0 is nothing.
type Price uint32

// Bits of a Price.
const (
	priceCostBits = 9
	priceCost     = 1<<priceCostBits - 1
	priceWay      = priceCostBits
	priceLabelled = priceWay + 2
	priceFragment = priceLabelled + 2
	priceCrypto   = 1 << (priceFragment + 2)
	priceUnicast  = priceCrypto << 1
)

const _ = uint(fib.MaxCost-priceCost) + uint(priceCost-fib.MaxCost) // they are the same

// Software marks the number of an adjacency where a route or a label leads to it that has no room in the table of the hardware that is emulated. No adjacency has
// such a number, so that whoever does not know of this finds none.
const Software = 1 << (idBits - 1)

// MakePrice is a price as records hold it.
func MakePrice(f fib.Price) Price {
	p := Price(min(f.Cost, fib.MaxCost)) | Price(f.Way)<<priceWay | Price(f.Labelled)<<priceLabelled | Price(f.Fragment)<<priceFragment
	if f.Crypto {
		p |= priceCrypto
	}
	if f.NoMulticast {
		p |= priceUnicast
	}
	return p
}

// Cost is of the forwarding engine, in sixteenths of a pass.
func (p Price) Cost() int64 { return int64(p & priceCost) }

// Way is who forwards a packet, with labels or without.
func (p Price) Way(labelled bool) fib.Way {
	way := fib.Way(p >> priceWay & 3)
	if labelled {
		way = max(way, fib.Way(p>>priceLabelled&3))
	}
	return way
}

// Fragment is who cuts it.
func (p Price) Fragment() fib.Way { return fib.Way(p >> priceFragment & 3) }

// Crypto tells whether its bytes pass the crypto module.
func (p Price) Crypto() bool { return p&priceCrypto != 0 }

// NoMulticast tells whether multicast of others goes nowhere.
func (p Price) NoMulticast() bool { return p&priceUnicast != 0 }

// SetPricer says who prices what is installed from now on; nil: nobody does, and nothing costs anything.
func (t *Tables) SetPricer(p fib.Pricer) { t.pricer = p }

// PriceAdjs prices all adjacencies anew. What there is no room for keeps its price.
func (t *Tables) PriceAdjs() error {
	for id := range t.adjs {
		old := t.Adj(uint32(id))
		if old == nil {
			continue
		}
		n := *old
		f := adjEntry(uint32(id), old)
		t.priceAdj(&n, &f)
		if err := t.putAdj(uint32(id), &n); err != nil {
			return err
		}
	}
	return nil
}

func (t *Tables) priceAdj(n *Adj, f *fib.Adjacency) {
	n.Price, n.Flags = 0, n.Flags&^AdjPriced
	if t.pricer == nil {
		return
	}
	if n.Price = MakePrice(t.pricer.Adjacency(f)); n.Price != 0 {
		n.Flags |= AdjPriced
	}
}

func (t *Tables) priceTunnel(n *Tunnel, f *fib.Tunnel) {
	if t.pricer == nil {
		return
	}
	if n.Price = MakePrice(t.pricer.Tunnel(f)); n.Price != 0 {
		n.Flags |= TunnelPriced
	}
}

// Where a label's entry says what it costs.
const (
	labelSoftware = 1 << 52
	labelWay      = 53
	labelCost     = 55
	labelPriced   = 1<<64 - 1<<52
)

const _ = uint(64 - labelCost - priceCostBits)

// priceLabel finds room for a label that is where was says, and says what it costs.
func (t *Tables) priceLabel(f *fib.Label, was fib.Place) Label {
	if t.pricer == nil {
		return 0
	}
	place, price := t.pricer.Label(f, was)
	n := Label(price.Way)<<labelWay | Label(min(price.Cost, fib.MaxCost))<<labelCost
	if place == fib.PlaceSoftware {
		n |= labelSoftware
	}
	return n
}

// Place is where the label is; PlaceNone for no entry.
func (l Label) Place() fib.Place {
	switch {
	case l == 0:
		return fib.PlaceNone
	case l&labelSoftware != 0:
		return fib.PlaceSoftware
	}
	return fib.PlaceHardware
}

// Priced tells whether the entry costs anything.
func (l Label) Priced() bool { return l&labelPriced != 0 }

// Price is what the entry costs.
func (l Label) Price() Price { return Price(l>>labelCost) | Price(l>>labelWay&3)<<priceWay }

// RoutePlace is where a route is; PlaceNone for no route. One that leads to no adjacency is never in software.
func (t *Tables) RoutePlace(vrf uint16, addr uint32, plen int) fib.Place {
	ids, ok := t.Route(vrf, addr, plen)
	if !ok {
		return fib.PlaceNone
	}
	for _, id := range ids {
		if id&Software != 0 {
			return fib.PlaceSoftware
		}
	}
	return fib.PlaceHardware
}
