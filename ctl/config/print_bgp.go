package config

import "fmt"

func printBGP(p *printer, b *BGP) {
	p.in(fmt.Sprintf("router bgp %d", b.AS), func() {
		set(p, "bgp router-id", b.RouterID)
		set(p, "bgp cluster-id", b.ClusterID)
		p.toggle("bgp log-neighbor-changes", b.LogChanges)
		p.toggle("bgp default ipv4-unicast", b.DefaultIPv4)
		p.when(b.LocalPreference != 0, "bgp default local-preference", b.LocalPreference)
		p.when(b.AlwaysCompareMED, "bgp always-compare-med")
		p.when(b.Internal, "bgp redistribute-internal")
		p.when(b.GracefulRestart, "bgp graceful-restart")
		set(p, "bgp graceful-restart restart-time", b.RestartTime)
		set(p, "bgp graceful-restart stalepath-time", b.StalePathTime)
		p.when(b.Timers.Set, "timers bgp", b.Timers.Keepalive, b.Timers.Hold)
		for _, n := range b.Neighbors {
			printNeighbor(p, n)
		}
		if f := b.Family("ipv4", ""); f != nil {
			printBGPFamily(p, f)
		}
		for _, f := range b.Families {
			if f.Family == "ipv4" && f.VRF == "" {
				continue
			}
			p.bang()
			p.in("address-family "+f.Family+word(f.VRF != "", " vrf "+f.VRF), func() {
				for _, n := range f.Neighbors {
					printNeighbor(p, n)
				}
				printBGPFamily(p, f)
			})
			p.line("exit-address-family")
		}
	})
	p.bang()
}

func printNeighbor(p *printer, n *BGPNeighbor) {
	head := "neighbor " + n.ID()
	p.when(!n.Addr.IsValid(), head, "peer-group")
	p.when(n.PeerGroup != "", head, "peer-group", n.PeerGroup)
	p.when(n.RemoteAS != 0, head, "remote-as", n.RemoteAS)
	p.when(n.LocalAS != 0, head, "local-as", n.LocalAS)
	p.when(n.Description != "", head, "description", n.Description)
	p.when(n.Password != "", head, "password", plain(n.Password), n.Password)
	p.when(n.UpdateSource != "", head, "update-source", n.UpdateSource)
	p.when(n.MultiHop != 0, head, "ebgp-multihop", n.MultiHop)
	p.when(n.Timers.Set, head, "timers", n.Timers.Keepalive, n.Timers.Hold)
	p.when(n.BFD, head, "fall-over bfd")
	p.when(n.Shutdown, head, "shutdown")
}

func printBGPFamily(p *printer, f *BGPFamily) {
	for _, n := range f.Networks {
		p.line("network", n.Prefix.Addr(), word(n.Prefix != classful(n.Prefix.Addr()), "mask "+mask(n.Prefix.Bits())), opt(p, "route-map", n.RouteMap))
	}
	for _, a := range f.Aggregates {
		p.line("aggregate-address", a.Prefix, word(a.ASSet, "as-set"), word(a.SummaryOnly, "summary-only"))
	}
	printRedistribute(p, f.Redistribute)
	for _, w := range f.Policies {
		printPolicy(p, w)
	}
	p.when(f.DefaultOriginate, "default-information originate")
	set(p, "maximum-paths", f.MaximumPaths)
	set(p, "maximum-paths ibgp", f.MaximumPathsIBGP)
	p.when(f.DistanceExternal != 0, "distance bgp", f.DistanceExternal, f.DistanceInternal, f.DistanceLocal)
	p.toggle("auto-summary", f.AutoSummary)
	p.toggle("synchronization", f.Synchronization)
}

func printPolicy(p *printer, w *BGPPolicy) {
	head := "neighbor " + w.Neighbor
	p.toggle(head+" activate", w.Activate)
	switch {
	case w.SendStandard && w.SendExtended:
		p.line(head, "send-community both")
	case w.SendExtended:
		p.line(head, "send-community extended")
	case w.SendStandard:
		p.line(head, "send-community")
	}
	p.when(w.ReflectorClient, head, "route-reflector-client")
	p.when(w.NextHopSelf, head, "next-hop-self", word(w.NextHopSelfAll, "all"))
	p.when(w.NextHopUnchanged, head, "next-hop-unchanged")
	for _, l := range []struct{ word, in, out string }{
		{"route-map", w.RouteMapIn, w.RouteMapOut},
		{"prefix-list", w.PrefixListIn, w.PrefixListOut},
		{"distribute-list", w.DistributeIn, w.DistributeOut},
	} {
		p.when(l.in != "", head, l.word, l.in, "in")
		p.when(l.out != "", head, l.word, l.out, "out")
	}
	p.when(w.SoftReconfiguration, head, "soft-reconfiguration inbound")
	p.when(w.DefaultOriginate, head, "default-originate", opt(p, "route-map", w.DefaultOriginateMap))
	p.when(w.MaximumPrefix != 0, head, "maximum-prefix", w.MaximumPrefix, word(w.MaximumPrefixWarningOnly, "warning-only"))
	p.when(w.AllowASIn != 0, head, "allowas-in", w.AllowASIn)
	p.when(w.AsOverride, head, "as-override")
	p.when(w.SiteOfOrigin != RD{}, head, "soo", w.SiteOfOrigin)
	p.when(w.RemovePrivateAS, head, "remove-private-as")
	p.when(w.Weight != 0, head, "weight", w.Weight)
}
