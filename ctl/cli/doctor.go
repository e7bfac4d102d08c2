package cli

import (
	"io"

	"nave/ctl/api"
	"nave/ctl/doctor"
	"nave/ctl/show"
)

// Doctor looks the machine over and prints what there is to say, with the help of the daemon if it answers. It returns the exit status: 2 for failures, 1 for warnings.
func Doctor(out io.Writer, asJSON bool, d Daemon, a doctor.Ask) (code int, err error) {
	a.Look, a.Change = api.DefaultAccess.Look, api.DefaultAccess.Change
	if s, err := d.Status(); err == nil {
		a.Running, a.Version = true, s.Version
		for i := range s.Ports {
			a.Known = append(a.Known, portOf(&s.Ports[i]))
		}
		for _, m := range s.Memory {
			a.Huge += m.Pages
		}
	}
	list := doctor.Examine(doctor.Gather(a))
	text := []byte(show.Doctor(list))
	if asJSON {
		if text, err = show.DoctorJSON(list); err != nil {
			return 1, err
		}
	}
	_, err = out.Write(text)
	return doctor.Code(list), err
}

// portOf is a port as naved has it. Zero-copy, where the driver has it, is used by all queues or naved says why not.
func portOf(p *show.Port) doctor.Port {
	out := doctor.Port{Name: p.Name, Netdev: p.Netdev, Up: p.Up, Carrier: p.Up, MTU: p.MTU, Queues: len(p.Queues), NIC: p.NIC, Native: doctor.No, Node: -1}
	if p.Native {
		out.Native = doctor.Yes
	}
	if p.NIC != nil {
		out.Driver = p.NIC.Driver.Name
		out.Queues = max(out.Queues, p.NIC.Channels.Combined, p.NIC.Channels.RX)
	}
	for _, q := range p.Queues {
		switch {
		case q.ZeroCopy:
			out.ZeroCopy, out.Copies = doctor.Yes, ""
			return out
		case q.CopyWhy != "":
			out.ZeroCopy, out.Copies = doctor.No, q.CopyWhy
		}
	}
	return out
}
