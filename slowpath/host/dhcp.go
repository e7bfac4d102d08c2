package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
)

// Lease is what a DHCP server gave (RFC 2131).
type Lease struct {
	Address netip.Prefix
	Gateway netip.Addr // the zero Addr if it named none
	Server  netip.Addr
	Expires time.Time
}

// dhcpRetry is the wait after nobody answered; nclient4 itself tries several times before that.
const dhcpRetry = 5 * time.Second

// RunDHCP asks for an address on a netdev, and keeps it, until ctx ends. f is told of every new or renewed lease, and
// of a lost one with the zero Lease. hostname may be empty.
func (h *Host) RunDHCP(ctx context.Context, name, hostname string, log *slog.Logger, f func(Lease)) {
	for ctx.Err() == nil {
		if err := h.holdLease(ctx, name, hostname, f); err != nil && ctx.Err() == nil {
			log.Info("DHCP: no lease yet", "interface", name, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(dhcpRetry):
		}
	}
}

// holdLease gets one lease and renews it until it is lost.
func (h *Host) holdLease(ctx context.Context, name, hostname string, f func(Lease)) error {
	var client *nclient4.Client
	err := h.Within(func() (err error) { client, err = nclient4.New(name); return err })
	if err != nil {
		return fmt.Errorf("host: %s: DHCP client: %w", name, err)
	}
	defer client.Close()
	var mods []dhcpv4.Modifier
	if hostname != "" {
		mods = append(mods, dhcpv4.WithOption(dhcpv4.OptHostName(hostname)))
	}
	lease, err := client.Request(ctx, mods...)
	if err != nil {
		return fmt.Errorf("host: %s: DHCP request: %w", name, err)
	}
	for {
		got, life, err := describeLease(lease.ACK)
		if err != nil {
			return err
		}
		f(got)
		renewed, err := renew(ctx, client, lease, got.Expires, life/2, mods)
		if err != nil {
			if ctx.Err() == nil {
				f(Lease{})
			}
			return fmt.Errorf("host: %s: the DHCP lease of %s is lost: %w", name, got.Address, err)
		}
		lease = renewed
	}
}

// renew waits for half of the lease's time and asks again, each time after half of what remains, to the lease's end.
func renew(ctx context.Context, client *nclient4.Client, lease *nclient4.Lease, end time.Time, wait time.Duration, mods []dhcpv4.Modifier) (*nclient4.Lease, error) {
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
		renewed, err := client.Renew(ctx, lease, mods...)
		if err == nil {
			return renewed, nil
		}
		var nak *nclient4.ErrNak
		if errors.As(err, &nak) {
			return nil, err // the server takes the address back: it may be another's by now (RFC 2131 section 4.4.5)
		}
		left := time.Until(end)
		if left <= 0 || ctx.Err() != nil {
			return nil, err
		}
		wait = max(left/2, time.Second)
	}
}

func describeLease(ack *dhcpv4.DHCPv4) (Lease, time.Duration, error) {
	addr, ok := netip.AddrFromSlice(ack.YourIPAddr.To4())
	if !ok || addr.IsUnspecified() {
		return Lease{}, 0, fmt.Errorf("host: the DHCP server gave no address")
	}
	bits := 32
	if m := ack.SubnetMask(); m != nil {
		bits, _ = m.Size()
	}
	life := max(ack.IPAddressLeaseTime(time.Hour), 10*time.Second)
	l := Lease{Address: netip.PrefixFrom(addr, bits), Expires: time.Now().Add(life)}
	if r := ack.Router(); len(r) > 0 {
		l.Gateway, _ = netip.AddrFromSlice(r[0].To4())
	}
	l.Server, _ = netip.AddrFromSlice(ack.ServerIdentifier().To4())
	return l, life, nil
}
