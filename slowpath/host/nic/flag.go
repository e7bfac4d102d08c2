package nic

// flag is a switch of a netdev (ETH_FLAG_*).
type flag struct {
	bit  uint32
	what string
}

var (
	flagNTuple = flag{1 << 27, "n-tuple filters"}
	flagRXVLAN = flag{1 << 8, "taking VLAN tags off received frames"}
)

// isOn asks for a switch.
func (d *Netdev) isOn(f flag) (bool, error) {
	b := command(getFlags, 8)
	if err := d.ask(f.what, b); err != nil {
		return false, err
	}
	return ne.Uint32(b[4:])&f.bit != 0, nil
}

// set turns a switch on or off; the others stay.
func (d *Netdev) set(f flag, on bool) error {
	b := command(getFlags, 8)
	if err := d.ask(f.what, b); err != nil {
		return err
	}
	flags := ne.Uint32(b[4:]) &^ f.bit
	if on {
		flags |= f.bit
	}
	b = command(setFlags, 8)
	ne.PutUint32(b[4:], flags)
	return d.ask("switch "+f.what, b)
}

// KeepTags has the card leave VLAN tags in the frames that it receives, where an XDP program sees them; it is in before if that was otherwise. A driver that has no such
// switch takes none off.
func KeepTags(d *Netdev, before *Before) error {
	on, err := d.isOn(flagRXVLAN)
	if IsUnsupported(err) || err == nil && !on {
		return nil
	}
	if err == nil {
		err = d.set(flagRXVLAN, false)
	}
	if err == nil {
		before.Tags = true
	}
	return err
}

// ReturnTags undoes KeepTags.
func ReturnTags(d *Netdev, before *Before) error {
	if !before.Tags {
		return nil
	}
	err := d.set(flagRXVLAN, true)
	if err == nil {
		before.Tags = false
	}
	return err
}
