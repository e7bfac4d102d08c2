package daemon

import (
	"context"
	"errors"
	"strings"
	"testing"

	"nave/ctl/api"
	"nave/ctl/capture"
	"nave/ctl/gateway"
	"nave/fastpath"
	"nave/fastpath/fib"
)

// TestCapturing: one at a time, and who has begun it may end it.
func TestCapturing(t *testing.T) {
	d := &Daemon{}
	ann, bob := &api.Caller{Name: "ann", UID: 1, PID: 10}, &api.Caller{Name: "bob", UID: 2, PID: 20}
	ctx, stop := context.WithCancel(t.Context())
	end, err := d.captures.begin("capture interface any", ann, stop)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.captures.begin("capture interface Tunnel0", bob, stop); !errors.Is(err, fastpath.ErrCapturing) || !strings.Contains(err.Error(), "capture interface any, by ann (process 10)") {
		t.Error(err)
	}
	for _, other := range []*api.Caller{bob, {UID: 1, PID: 11}, {UID: 2, PID: 10}} {
		if d.EndCapture(other); ctx.Err() != nil {
			t.Fatalf("%+v has ended another one's capture", other)
		}
	}
	if d.EndCapture(ann); ctx.Err() == nil {
		t.Error("who has begun it can't end it")
	}
	end()
	d.EndCapture(ann)
	if _, err := d.captures.begin("capture interface Tunnel0", bob, stop); err != nil {
		t.Error(err)
	}
	if err := d.Capture(t.Context(), ann, capture.Request{Interface: capture.Any, Filter: "foo"}, nil); err == nil || !strings.Contains(err.Error(), "no test") {
		t.Error(err)
	}
}

// TestCaptureOn: an interface is found by its name, a subinterface by its parent and VLAN.
func TestCaptureOn(t *testing.T) {
	n := capture.Names{
		Ports: map[fib.PortID]string{1: "Ethernet0", 2: "Ethernet0.10"}, Tunnels: map[fib.TunnelID]string{3: "Tunnel0"}, Subs: map[capture.Tag]string{{Port: 1, VLAN: 10}: "Ethernet0.10"},
	}
	for name, want := range map[string]fastpath.CaptureRequest{
		capture.Any: {}, "Ethernet0": {Port: 1}, "Tunnel0": {Tunnel: 3}, "Ethernet0.10": {Port: 1, Sub: 2, VLAN: 10},
	} {
		var q fastpath.CaptureRequest
		if err := gateway.CaptureOn(&q, &n, name); err != nil || q.Port != want.Port || q.Sub != want.Sub || q.VLAN != want.VLAN || q.Tunnel != want.Tunnel {
			t.Errorf("%s: %+v, %v", name, q, err)
		}
	}
	if err := gateway.CaptureOn(&fastpath.CaptureRequest{}, &n, "Loopback0"); err == nil {
		t.Error("a loopback has packets")
	}
}
