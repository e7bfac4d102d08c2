package daemon

import (
	"fmt"
	"time"

	"nave/ctl/config"
	"nave/ctl/gateway"
	"nave/ctl/hardware"
	"nave/hwprofiles"
)

// findings tells what there is to say of the running configuration: what the checks warn of, what the emulated hardware would do with it, and what is not carried out.
// What was told after the load before, and still holds, is not told again.
func (d *Daemon) findings(tree *config.Config, general config.Diagnostics) {
	var profile *hwprofiles.Profile
	d.gw.Do(func(_ time.Time, c *gateway.Core) { profile = c.Hardware() })
	d.warn(tree, profile, general)
	for _, p := range d.problems() {
		if d.isNew(p.What + ": " + p.Why) {
			d.log.Warn("configured and not carried out", "what", p.What, "why", p.Why)
		}
	}
	d.told, d.telling = d.telling, nil
}

// warn logs findings about a configuration on the hardware of a profile, nil for none.
func (d *Daemon) warn(tree *config.Config, profile *hwprofiles.Profile, general config.Diagnostics) {
	list := append(hardware.Amend(profile, tree, general), hardware.Findings(profile, tree)...)
	list.Sort()
	for _, f := range list {
		if f.Severity != config.Info && d.isNew(fmt.Sprintf("%s %s (%s)", f.Code, f.Message, f.Action)) { // without the line, which may move
			d.log.Warn(f.String())
		}
	}
}

// isNew tells whether something was not told after the load before, and notes that it is now.
func (d *Daemon) isNew(what string) bool {
	if d.telling == nil {
		d.telling = make(map[string]bool)
	}
	d.telling[what] = true
	return !d.told[what]
}
