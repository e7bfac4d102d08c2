package doctor

import (
	"fmt"
	"slices"
)

// ikeDaemons are programs that speak IKE, as their processes are called.
var ikeDaemons = []string{"charon", "charon-systemd", "starter", "pluto", "racoon", "iked"}

func (e *examination) services() {
	e.area = "services"
	quiet := true
	for _, s := range e.Sockets {
		if s.PID != 0 && s.PID == e.Naved.PID || s.Program == "naved" {
			continue
		}
		level, who := Warn, s.Program
		if e.Wants.Protected {
			level = Fail
		}
		if who == "" {
			who = "another program"
		}
		do := fmt.Sprintf("`ss -ulnp 'sport = :%d'` says which it is; stop it", s.Port)
		if s.PID != 0 {
			who, do = fmt.Sprintf("%s (process %d)", who, s.PID), fmt.Sprintf("stop it: systemctl status %d says what it belongs to", s.PID)
		}
		e.add(level, do, "%s has UDP port %d, which IKE needs", who, s.Port)
		quiet = false
	}
	for _, name := range ikeDaemons {
		if pid := e.Services[name]; pid != 0 && !slices.ContainsFunc(e.Sockets, func(s Socket) bool { return s.PID == pid }) {
			e.warn("stop it, unless it is another network namespace's", "%s (process %d) runs, which speaks IKE too", name, pid)
			quiet = false
		}
	}
	if e.Services["firewalld"] != 0 && e.Wants.Protected {
		e.warn("firewall-cmd --permanent --add-service=ipsec && firewall-cmd --reload", "firewalld runs: IKE (UDP 500 and 4500) comes through the kernel, and it may drop it; GRE and ESP never meet it")
		quiet = false
	}
	if e.Services["NetworkManager"] != 0 && !slices.ContainsFunc(e.Ports, func(p Port) bool { return p.Unmanaged != Unknown }) && len(e.Ports) > 0 {
		e.warn("nmcli device set NETDEV managed no, for each port", "NetworkManager runs, and may take the addresses of ports away")
		quiet = false
	}
	if quiet {
		e.ok("nothing runs that is known to be in nave's way")
	}
}

// Least limits of a naved that runs: each session of BGP, LDP and the shell has a descriptor, each worker and port some.
const leastFiles = 4096

func (e *examination) limits() {
	e.area = "limits"
	switch {
	case !e.Naved.Running:
		e.ok("naved does not run: nothing is said of a running one")
		return
	case e.Naved.Version != "":
		e.ok("%s runs, process %d", e.Naved.Version, e.Naved.PID)
	default:
		e.ok("naved runs, process %d", e.Naved.PID)
	}
	l := &e.Limits
	if !l.Known {
		return
	}
	if l.Files >= 0 && l.Files < leastFiles {
		e.warn("LimitNOFILE=65536 in the unit", "naved may have %d open files", l.Files)
	}
	if l.Core != 0 {
		e.warn("LimitCORE=0 in the unit", "a core dump of naved would have keys in it, and it may write one")
	}
	if e.Wants.VRFs && !l.CapAdmin {
		e.fail("install -D -m 644 /usr/local/share/nave/vrf.conf /etc/systemd/system/naved.service.d/vrf.conf; systemctl daemon-reload; systemctl restart naved",
			"VRFs are configured, and naved has no CAP_SYS_ADMIN, which their network namespaces need")
	}
	if l.Locked >= 0 && !l.CapIPC {
		e.warn("LimitMEMLOCK=infinity in the unit", "naved may lock %d bytes of memory, and the packets' memory is locked", l.Locked)
	}
}

func (e *examination) access() {
	e.area = "access"
	a, w := &e.Access, &e.Wants
	if !a.LookIs {
		e.warn("groupadd --system "+a.Look+" (or systemd-sysusers), and restart naved", "there is no group %s: only root may look", a.Look)
	}
	if !a.MayBe {
		e.warn("groupadd --system "+a.Change+" (or systemd-sysusers)", "there is no group %s: only root may change things", a.Change)
	}
	if a.LookIs && a.MayBe {
		e.ok("groups %s (may look) and %s (may change things) exist", a.Look, a.Change)
	}
	if a.LookIs && e.Naved.Running && a.SocketGroup != a.Look {
		e.warn("Group="+a.Look+" in the unit, and restart naved", "%s is not open to group %s: naved may not give it to the group", a.Socket, a.Look)
	}
	if a.SocketFolder&0o027 != 0 {
		e.warn("chmod 710 "+a.RunDir, "the run directory %s is open to others (mode %o): there are the sockets of workers, who trust whoever reaches them", a.RunDir, a.SocketFolder)
	}
	switch {
	case w.ConfigFault != "":
		e.warn("nave check "+w.Config, "the configuration was not read: %s", w.ConfigFault)
	case w.Config != "" && w.ConfigMode&0o077 != 0:
		e.warn("chmod 600 "+w.Config, "%s has keys in it and is open to others (mode %o)", w.Config, w.ConfigMode)
	}
}
