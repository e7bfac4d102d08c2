package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Versions of Linux: before the first some of what nave is built on is not there, before the second neighbours are refreshed less well.
const (
	oldestMajor, oldestMinor = 5, 10
	wantedMajor, wantedMinor = 5, 16
)

func before(k *Kernel, major, minor int) bool {
	return k.Major < major || k.Major == major && k.Minor < minor
}

func (e *examination) kernel() {
	e.area = "kernel"
	k := &e.Kernel
	switch {
	case before(k, oldestMajor, oldestMinor):
		e.fail("install Linux 5.16 or later", "Linux %s is too old", k.Release)
	case before(k, wantedMajor, wantedMinor):
		e.warn("install Linux 5.16 or later", "Linux %s: neighbours are refreshed less well than with 5.16", k.Release)
	default:
		e.ok("Linux %s", k.Release)
	}
	if k.Arch != "x86_64" && k.Arch != "aarch64" {
		e.fail("use a machine with x86-64 or arm64", "%s: nave has no XDP program and no memory order for it", k.Arch)
	}
	if !e.Root {
		e.warn("sudo nave doctor", "this is not run as root: what only root may look at is left out")
	}
	e.has(k.AFXDP, Fail, "a kernel with CONFIG_XDP_SOCKETS=y", "AF_XDP sockets")
	e.has(k.XDP, Fail, "a kernel with CONFIG_BPF_SYSCALL=y", "XDP programs")
	e.has(k.TUN, Fail, "modprobe tun (and `tun` in /etc/modules-load.d/nave.conf)", "TUN devices")
	e.has(k.BPFFS, Warn, "mount -t bpf bpf /sys/fs/bpf (systemd does that by itself)", "bpffs at /sys/fs/bpf, which keeps steering over a restart")
	level := Warn
	if e.Wants.VRFs {
		level = Fail
	}
	e.has(k.Namespaces, level, "a kernel with CONFIG_NET_NS=y", "network namespaces, for VRFs")
	if k.JIT == No {
		e.warn("sysctl -w net.core.bpf_jit_enable=1", "BPF programs are interpreted: each packet costs more")
	}
	if k.UnprivilegedBPF == Yes {
		e.warn("sysctl -w kernel.unprivileged_bpf_disabled=1", "anybody on this machine may load BPF programs")
	}
	if k.ReversePathStrict == Yes {
		e.warn("sysctl -w net.ipv4.conf.all.rp_filter=2", "net.ipv4.conf.all.rp_filter is 1 (strict): answers to this box's own packets that come another way are dropped")
	}
}

func (e *examination) memory() {
	e.area = "memory"
	h := &e.Huge
	if !h.Known {
		return
	}
	want := e.Wants.Huge
	switch {
	case want > 0 && h.Free < want && !e.Naved.Running:
		e.warn(fmt.Sprintf("sysctl -w vm.nr_hugepages=%d, before naved starts; and in /etc/sysctl.d/nave.conf", h.Total-h.Free+want), "huge pages: %d of 2 MiB are free, and packets would lie in %d", h.Free, want)
	case h.Total == 0:
		e.warn("sysctl -w vm.nr_hugepages=N, before naved starts, with N as the log and `nave show ports` say", "there are no huge pages: packets lie in small ones, which costs a few percent")
	default:
		e.ok("huge pages: %d of 2 MiB, %d of them free", h.Total, h.Free)
	}
}

// physical tells whether there is a card at all: what is of no use to virtual links is not asked for.
func (e *examination) physical() bool {
	return slices.ContainsFunc(e.Ports, func(p Port) bool { return !p.Virtual && !p.Missing })
}

func (e *examination) cpus() {
	e.area = "CPUs"
	c := &e.CPU
	workers := max(e.Wants.Workers, len(e.Wants.CPUs))
	switch n := len(c.Online); {
	case n == 0:
		return
	case workers > 0 && workers >= n && n > 1:
		e.warn(fmt.Sprintf("`fastpath workers count %d`, or fewer CPUs in `fastpath cpu`", n-1), "%d CPUs and %d workers: none is left for the control plane and the kernel", n, workers)
	default:
		e.ok("%d CPUs", n)
	}
	for _, cpu := range e.Wants.CPUs {
		if !slices.Contains(c.Online, cpu) {
			e.fail("`fastpath cpu` with CPUs that there are: "+numbers(c.Online), "`fastpath cpu` has CPU %d, and there is none", cpu)
		}
	}
	e.isolation()
	if slow := otherThan(c.Governor, "performance"); len(slow) > 0 && e.physical() {
		e.warn("cpupower frequency-set -g performance", "CPUs change their frequency (%s): packets that come after a pause wait longer", strings.Join(slow, ", "))
	}
}

// isolation is whether workers have their CPUs for themselves.
func (e *examination) isolation() {
	c, w := &e.CPU, &e.Wants
	if !e.physical() {
		return
	}
	if len(w.CPUs) == 0 {
		if len(c.Isolated) > 0 {
			e.warn("`fastpath cpu "+numbers(c.Isolated)+"`", "CPUs %s are isolated, and workers are not tied to them", numbers(c.Isolated))
		} else if len(c.Online) > 2 {
			e.warn("isolcpus=LIST nohz_full=LIST rcu_nocbs=LIST on the kernel's command line, and `fastpath cpu LIST`", "no CPU is kept for the workers: others that run there make packets wait, for milliseconds at times")
		}
		return
	}
	var shared []int
	for _, cpu := range w.CPUs {
		if !slices.Contains(c.Isolated, cpu) {
			shared = append(shared, cpu)
		}
	}
	if len(shared) > 0 {
		e.warn("isolcpus="+numbers(w.CPUs)+" on the kernel's command line", "workers are tied to CPUs %s, where others run as well", numbers(shared))
	} else {
		e.ok("CPUs %s are the workers' alone", numbers(w.CPUs))
	}
	var ticking []int
	for _, cpu := range w.CPUs {
		if !slices.Contains(c.NoHzFull, cpu) {
			ticking = append(ticking, cpu)
		}
	}
	if w.Strict && len(ticking) > 0 {
		e.warn("nohz_full="+numbers(w.CPUs)+" rcu_nocbs="+numbers(w.CPUs)+" on the kernel's command line", "workers poll without pause on CPUs %s, which the kernel's clock interrupts", numbers(ticking))
	}
}

func (e *examination) clock() {
	e.area = "clock"
	c := &e.Clock
	do := "timedatectl set-ntp true (or chrony)"
	switch {
	case !c.Known:
	case c.Year < 2024:
		level := Warn
		if e.Wants.Certificates {
			level = Fail
		}
		e.add(level, do, "the clock says that it is %d", c.Year)
	case c.Synchronised:
		e.ok("the clock is synchronised")
	case e.Wants.Certificates:
		e.warn(do, "the clock is not synchronised, and certificates are checked by it")
	default:
		e.warn(do, "the clock is not synchronised: times in the log, and key chains' lifetimes, go by it")
	}
}

// numbers writes numbers as the kernel does: 1,4-6.
func numbers(list []int) string {
	list = slices.Sorted(slices.Values(list))
	var parts []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		part := strconv.Itoa(list[i])
		if j > i {
			part += "-" + strconv.Itoa(list[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, ",")
}

// otherThan lists the keys that are not one.
func otherThan(m map[string]int, one string) (list []string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if k != one {
			list = append(list, fmt.Sprintf("%s: %d", k, m[k]))
		}
	}
	return list
}
