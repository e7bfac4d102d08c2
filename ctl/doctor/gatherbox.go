package doctor

import (
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"nave/ctl/api/peer"
)

// naved finds the process that answers on the socket.
func (g *gatherer) naved() {
	g.f.Naved = Naved{Running: g.Running, Version: g.Version}
	if !g.Running {
		return
	}
	c, err := net.Dial("unix", g.Socket)
	if err != nil {
		return
	}
	defer c.Close()
	if who, err := peer.Of(c.(*net.UnixConn)); err == nil {
		g.f.Naved.PID = int(who.PID)
	}
}

// Ports of IKE.
var ikePorts = map[int]bool{500: true, 4500: true}

// sockets finds who has the ports of IKE in this network namespace.
func (g *gatherer) sockets() {
	found := make(map[string]int) // port by inode
	for _, file := range []string{"proc/self/net/udp", "proc/self/net/udp6"} {
		for _, s := range udpSockets(g.read(file)) {
			if ikePorts[s.port] {
				found["socket:["+s.inode+"]"] = s.port
			}
		}
	}
	if len(found) == 0 {
		return
	}
	for _, fd := range g.glob("proc/[0-9]*/fd/[0-9]*") {
		to, err := os.Readlink(filepath.Join("/", g.Root, fd))
		port := found[to]
		if err != nil || port == 0 {
			continue
		}
		delete(found, to)
		process := filepath.Dir(filepath.Dir(fd))
		pid, _ := strconv.Atoi(filepath.Base(process))
		g.f.Sockets = append(g.f.Sockets, Socket{Port: port, PID: pid, Program: strings.TrimSpace(g.read(process, "comm"))})
	}
	for _, port := range found { // whose processes can't be looked at
		g.f.Sockets = append(g.f.Sockets, Socket{Port: port})
	}
}

func (g *gatherer) limits() {
	pid := g.f.Naved.PID
	if pid == 0 {
		return
	}
	process := "proc/" + strconv.Itoa(pid)
	text := g.read(process, "limits")
	files, ok := limit(text, "Max open files")
	core, ok2 := limit(text, "Max core file size")
	locked, ok3 := limit(text, "Max locked memory")
	g.f.Limits = Limits{Known: ok && ok2 && ok3, Files: files, Core: core, Locked: locked, CapIPC: capability(g.read(process, "status"), unix.CAP_IPC_LOCK),
		CapAdmin: capability(g.read(process, "status"), unix.CAP_SYS_ADMIN)}
}

func (g *gatherer) access() {
	a := &g.f.Access
	a.Look, a.Change, a.RunDir = g.Look, g.Change, filepath.Dir(g.Socket)
	_, err := user.LookupGroup(a.Look)
	a.LookIs = err == nil
	_, err = user.LookupGroup(a.Change)
	a.MayBe = err == nil
	if st, err := os.Stat(filepath.Join("/", g.Root, a.RunDir)); err == nil && g.f.Naved.Running {
		a.SocketFolder = uint32(st.Mode().Perm())
	}
	a.Socket = g.Socket
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join("/", g.Root, g.Socket), &st); err == nil && st.Mode&0o060 == 0o060 {
		if of, err := user.LookupGroupId(strconv.Itoa(int(st.Gid))); err == nil {
			a.SocketGroup = of.Name
		}
	}
}
