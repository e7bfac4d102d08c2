package fastpath

import "nave/fastpath/fib"

// Inherited is all that is installed, as values: after Adopt, what the process before left, for a slow path that goes on from it. Applying it again would change
// nothing. The security associations come without keys, which nobody needs to apply them again or to take them away; where a peer of ESP in UDP has moved, Remote
// and RemotePort are where it is now.
func (e *Engine) Inherited() fib.Batch {
	e.mu.Lock()
	defer e.mu.Unlock()
	var b fib.Batch
	if e.closed {
		return b
	}
	t := e.tables
	for f := range t.SAEntries() {
		b.SAs = append(b.SAs, f)
	}
	for f := range t.PortEntries() {
		b.Ports = append(b.Ports, f)
	}
	for f := range t.TunnelEntries() {
		b.Tunnels = append(b.Tunnels, f)
	}
	for f := range t.AdjEntries() {
		b.Adjacencies = append(b.Adjacencies, f)
	}
	for f := range t.GroupEntries() {
		b.Groups = append(b.Groups, f)
	}
	for f := range t.RouteEntries() {
		b.Routes = append(b.Routes, f)
	}
	for f := range t.LabelEntries() {
		b.Labels = append(b.Labels, f)
	}
	return b
}
