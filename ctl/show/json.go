package show

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"nave/fastpath"
	"nave/slowpath/nhrp"
	"nave/slowpath/rib"
)

// JSON is what a show command shows, as a value for programs. Names of the parts are those of the commands.
func JSON(s *Status, what string, sel Select) ([]byte, error) {
	var v any
	switch what {
	case "dmvpn":
		v = s.dmvpnJSON(&sel)
	case "ip nhrp":
		v = s.nhrpJSON(&sel)
	case "ip nhrp summary":
		n := s.countCache(&sel)
		v = object{"entries": n.total, "static": n.static, "dynamic": n.dynamic, "incomplete": n.incomplete, "negative": n.negative, "registered": n.registered, "local": n.local}
	case "ip nhrp traffic":
		v = s.trafficJSON(&sel)
	case "ip nhrp nhs":
		v = s.nhsJSON(&sel)
	case "interfaces":
		v = s.interfacesJSON(&sel)
	case "ip interface":
		v = s.ipInterfacesJSON(&sel)
	case "fastpath":
		v = s.fastpathJSON()
	case "ports":
		v = s.portsJSON(sel.Iface)
	case "processes":
		v = s.processesJSON()
	case "processes cpu":
		v = s.cpuJSON()
	case "processes memory":
		v = s.memoryJSON()
	case "version":
		v = s.versionJSON()
	case "clock":
		v = s.clockJSON()
	case "running-config":
		v = object{"configuration": s.Running}
	default:
		return nil, fmt.Errorf("show %s has no JSON form", what)
	}
	return encode(what, v)
}

func encode(what string, v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("show %s: %w", what, err)
	}
	return append(b, '\n'), nil
}

// pick makes a map of the NHRP interfaces that are selected, by name.
func pick(s *Status, sel *Select, of func(k int) any) map[string]any {
	out := make(map[string]any)
	for k := range s.Router.NHRP.Interfaces {
		if i := &s.Router.NHRP.Interfaces[k]; sel.wantsTunnel(i) {
			out[i.Name] = of(k)
		}
	}
	return out
}

func (s *Status) dmvpnJSON(sel *Select) any {
	near := s.peerSessions()
	out := make(map[string]any)
	for _, i := range s.tunnels(sel) {
		peers := make([]map[string]any, 0, len(i.Peers))
		for _, p := range i.Peers {
			row := map[string]any{
				"entries": p.Entries, "nbma": p.NBMA, "tunnel_address": p.Tunnel, "state": p.Stage.String(), "attributes": attributes(p), "inherited": p.Inherited,
				"nhrp_sent": p.Sent, "nhrp_received": p.Received, "since": orNull(p.Since),
			}
			natRow(row, near.with(i.Name, p.NBMA, p.Inside), p.Inside)
			peers = append(peers, row)
		}
		out[i.Name] = map[string]any{
			"type": map[bool]string{true: "spoke", false: "hub"}[i.Spoke], "vrf": i.VRF, "nbma": i.NBMA, "network_id": i.NetworkID, "peers": peers,
		}
	}
	return out
}

func (s *Status) nhrpJSON(sel *Select) any {
	near := s.peerSessions()
	out := make([]map[string]any, 0, len(s.Router.NHRP.Entries))
	for _, e := range s.cache(sel) {
		flags := []string{}
		for _, f := range flagNames {
			if e.Flags&f.flag != 0 {
				flags = append(flags, f.word)
			}
		}
		if e.Flags&nhrp.FlagNoSock != 0 {
			flags = append(flags, "no-socket")
		}
		if e.Flags&nhrp.FlagUnopened != 0 {
			flags = append(flags, "unopened")
		}
		row := map[string]any{
			"prefix": e.Prefix, "interface": e.Iface, "next_hop": e.NextHop, "type": e.Type.String(), "flags": flags,
			"nbma": e.NBMA, "claimed_nbma": e.Claimed, "created": e.Created, "expires": orNull(e.Expires), "requesters": append([]netip.Addr{}, e.Holders...),
		}
		natRow(row, near.entry(&e), e.Inside)
		out = append(out, row)
	}
	return out
}

func (s *Status) trafficJSON(sel *Select) any {
	return pick(s, sel, func(k int) any {
		i := s.Router.NHRP.Interfaces[k]
		table := func(counts [9]uint64) map[string]uint64 {
			m := make(map[string]uint64)
			for t := 1; t <= 8; t++ {
				m[packetNames[t]] = counts[t]
			}
			return m
		}
		drops := make(map[string]uint64)
		for r, n := range i.Traffic.Drops {
			if n > 0 {
				drops[nhrp.DropReason(r).String()] = n
			}
		}
		return map[string]any{
			"max_send_packets": i.MaxSend.Packets, "max_send_seconds": i.MaxSend.Interval.Seconds(), "usage_percent": i.Usage,
			"sent": table(i.Traffic.Sent), "received": table(i.Traffic.Received), "dropped": drops,
		}
	})
}

func (s *Status) nhsJSON(sel *Select) any {
	return pick(s, sel, func(k int) any {
		servers := make([]map[string]any, 0)
		for _, n := range s.Router.NHRP.Interfaces[k].NHS {
			servers = append(servers, map[string]any{
				"address": n.Protocol, "nbma": n.NBMA, "state": n.State.String(), "priority": n.Priority, "cluster": n.Cluster,
				"dynamic": n.Dynamic, "since": orNull(n.Since), "requests_sent": n.Requests, "requests_failed": n.Failures, "replies_received": n.Replies,
				"next_request": orNull(n.Next),
			})
		}
		return servers
	})
}

// orNull is a time, or null for the zero time.
func orNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

func (s *Status) interfacesJSON(sel *Select) any {
	out := make([]map[string]any, 0)
	for _, i := range s.Router.Interfaces {
		if !s.wantsInterface(sel, &i) {
			continue
		}
		c := s.Interfaces[i.Name]
		row := map[string]any{
			"name": i.Name, "up": i.Up, "shutdown": c.Shutdown, "description": c.Description, "addresses": i.Addrs, "mtu": i.MTU,
			"bandwidth_kbit": c.Bandwidth, "delay_usec": c.Delay * 10,
		}
		switch {
		case i.Tunnel != nil:
			row["tunnel"] = tunnelJSON(i.Tunnel, c)
		case i.Port != 0:
			row["mac"] = mac(i.MAC)
		}
		if n, ok := s.linkCount(&i); ok {
			row["traffic"], row["cleared"] = n, orNull(s.Cleared[i.Name].At)
		}
		if u, ok := s.Usage.Links[i.Name]; ok {
			row["five_minutes"] = object{"in_bits": u.InBits, "out_bits": u.OutBits, "in_packets": u.InPackets, "out_packets": u.OutPackets}
			row["last_input"], row["last_output"] = orNull(u.LastIn), orNull(u.LastOut)
		}
		out = append(out, row)
	}
	return out
}

func tunnelJSON(t *rib.Tunnel, c Configured) any {
	row := map[string]any{
		"source": t.Local, "source_interface": c.Source, "destination": nil, "multipoint": c.Multipoint, "key": nil, "ttl": t.TTL,
		"path_mtu_discovery": t.PathMTU, "network_id": t.Network, "redirect": t.Redirect, "protection_profile": c.Profile,
	}
	if t.Remote.IsValid() {
		row["destination"] = t.Remote
	}
	if t.HasKey {
		row["key"] = t.Key
	}
	return row
}

// vrfCounts is what `show fastpath` says of VRFs.
func (s *Status) vrfCounts() []object {
	out := objects(len(s.VRFs))
	for i := range s.VRFs {
		v := &s.VRFs[i]
		out = append(out, object{"name": v.Name, "table": v.ID, "prefixes": v.Prefixes, "interfaces": len(s.members(v))})
	}
	return out
}

func (s *Status) fastpathJSON() any {
	reasons := make(map[string]uint64)
	for r, n := range s.Fastpath.Reasons {
		if n > 0 {
			reasons[fastpath.Reason(r).String()] = n
		}
	}
	lost := make(map[string]uint64)
	for r, n := range s.Fastpath.Lost {
		if n > 0 {
			lost[fastpath.Reason(r).String()] = n
		}
	}
	ports := make([]map[string]any, 0, len(s.Ports))
	for _, p := range s.Ports {
		queues := make([]map[string]any, 0, len(p.Queues))
		for _, q := range p.Queues {
			queues = append(queues, map[string]any{"worker": q.Worker, "zero_copy": q.ZeroCopy, "kernel_drops": q.Stats.Dropped, "ring_full": q.Stats.RingFull})
		}
		ports = append(ports, map[string]any{
			"name": p.Name, "netdev": p.Netdev, "mac": mac(p.MAC), "mtu": p.MTU, "up": p.Up, "native": p.Native, "queues": queues,
			"traffic": s.Fastpath.Ports[p.ID],
		})
	}
	policed := make(map[string]uint64)
	for r, n := range s.Router.Policed {
		if n > 0 {
			policed[fastpath.Reason(r).String()] = n
		}
	}
	return map[string]any{
		"workers": s.Fastpath.Workers, "reasons": reasons, "punts_lost": lost, "punts_policed": policed,
		"steering": map[string]uint64{"nave": s.Steering.Nave, "kernel": s.Steering.Kernel, "no_socket": s.Steering.NoSocket}, "ports": ports, "vrfs": s.vrfCounts(),
		"routes": s.Fastpath.Routes, "adjacencies": len(s.Fastpath.Adjacencies), "generation": s.Fastpath.Generation, "not_installed": append([]string{}, s.Router.Refused...),
		"arena_used": s.Fastpath.ArenaUsed, "arena_size": s.Fastpath.ArenaSize, "queue_lost": s.QueueLost,
	}
}
