package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unit is a unit file: the values of each key of each section, in their order.
type unit map[string]map[string][]string

func readUnit(t *testing.T, name string) unit {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	u, section := make(unit), ""
	for n, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[' && line[len(line)-1] == ']':
			section = line[1 : len(line)-1]
			u[section] = make(map[string][]string)
		default:
			key, value, ok := strings.Cut(line, "=")
			if !ok || section == "" || key != strings.TrimSpace(key) {
				t.Errorf("%s:%d: %q is no assignment", name, n+1, line)
				continue
			}
			u[section][key] = append(u[section][key], value)
		}
	}
	return u
}

// known are the keys that the units may have (systemd.unit, systemd.service, systemd.exec, systemd.resource-control); those with true may stand more than once.
var known = map[string]map[string]bool{
	"Unit":    {"Description": false, "Wants": true, "Before": true, "After": true, "StartLimitIntervalSec": false},
	"Install": {"WantedBy": true},
	"Service": {
		"Type": false, "NotifyAccess": false, "User": false, "Group": false, "AmbientCapabilities": true, "CapabilityBoundingSet": true, "EnvironmentFile": true, "UnsetEnvironment": true, "ExecStartPre": true, "ExecStart": false,
		"ExecReload": false, "KillMode": false, "Restart": false, "RestartSec": false, "WatchdogSec": false, "TimeoutStopSec": false, "RuntimeDirectory": false, "RuntimeDirectoryMode": false,
		"RuntimeDirectoryPreserve": false, "LogsDirectory": false, "LogsDirectoryMode": false, "LimitMEMLOCK": false, "LimitNOFILE": false, "LimitCORE": false, "OOMScoreAdjust": false, "Nice": false, "NoNewPrivileges": false, "ProtectClock": false,
		"DeviceAllow": true, "RestrictNamespaces": false, "RestrictSUIDSGID": false, "RestrictRealtime": false, "LockPersonality": false, "MemoryDenyWriteExecute": false,
		"RestrictAddressFamilies": true, "SystemCallArchitectures": false, "UMask": false,
	},
}

// newMountNamespace are options each of which gives the service a mount namespace of its own: VRFs' network namespaces would be mounted where neither `ip netns` nor the next naved sees them.
var newMountNamespace = []string{
	"ProtectHome", "ProtectSystem", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "ProtectControlGroups", "ProtectProc", "ProcSubset", "PrivateTmp",
	"PrivateDevices", "PrivateMounts", "PrivateNetwork", "PrivateUsers", "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "ExecPaths", "NoExecPaths", "TemporaryFileSystem", "BindPaths",
	"BindReadOnlyPaths", "RootDirectory", "RootImage", "MountAPIVFS", "DynamicUser",
}

// one is the only value of a key.
func (u unit) one(t *testing.T, key string) string {
	t.Helper()
	v := u["Service"][key]
	if len(v) != 1 {
		t.Errorf("%s stands %d times", key, len(v))
		return ""
	}
	return v[0]
}

// The unit and its addition for VRFs are of keys that systemd knows, each once, and what naved relies on is there.
func TestUnit(t *testing.T) {
	for _, file := range []string{"naved.service", "vrf.conf"} {
		for section, keys := range readUnit(t, file) {
			for key, values := range keys {
				many, ok := known[section][key]
				if !ok || len(values) > 1 && !many {
					t.Errorf("%s: [%s] %s stands %d times", file, section, key, len(values))
				}
				if slices.Contains(newMountNamespace, key) {
					t.Errorf("%s: %s makes a mount namespace", file, key)
				}
			}
		}
	}
	u := readUnit(t, "naved.service")
	for key, want := range map[string]string{
		"Type": "notify", "KillMode": "process", "RuntimeDirectory": "nave", "RuntimeDirectoryMode": "0710", "RuntimeDirectoryPreserve": "yes", "LimitCORE": "0", "LimitMEMLOCK": "infinity",
		"NoNewPrivileges": "yes", "UMask": "0077", "User": "nave", "Group": "nave",
	} {
		if got := u.one(t, key); got != want {
			t.Errorf("%s=%s, want %s", key, got, want)
		}
	}
	caps, bound := strings.Fields(u.one(t, "AmbientCapabilities")), strings.Fields(u.one(t, "CapabilityBoundingSet"))
	if !slices.Equal(caps, bound) || slices.Contains(caps, "CAP_SYS_ADMIN") || slices.Contains(caps, "CAP_DAC_OVERRIDE") {
		t.Errorf("capabilities %v of at most %v", caps, bound)
	}
	vrf := readUnit(t, "vrf.conf")
	if got := vrf.one(t, "AmbientCapabilities"); got != "CAP_SYS_ADMIN" || vrf.one(t, "CapabilityBoundingSet") != got {
		t.Errorf("for VRFs: %s", got)
	}
	// naved's user writes the settings, and root's commands are started with them.
	for _, name := range []string{"LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH"} {
		if !slices.Contains(strings.Fields(u.one(t, "UnsetEnvironment")), name) {
			t.Errorf("%s of the settings would lead what root does", name)
		}
	}
	for _, family := range []string{"AF_UNIX", "AF_INET", "AF_NETLINK", "AF_PACKET", "AF_XDP"} {
		if !slices.Contains(strings.Fields(u.one(t, "RestrictAddressFamilies")), family) {
			t.Errorf("no sockets of %s", family)
		}
	}
}

// What the unit starts is where `make install` puts it, and the user and groups that it names are made.
func TestInstalled(t *testing.T) {
	u := readUnit(t, "naved.service")
	makefile, err := os.ReadFile("../../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	program, _, _ := strings.Cut(u.one(t, "ExecStart"), " ")
	for _, want := range []string{"bin/naved $(DESTDIR)" + program, "$(DESTDIR)/etc/systemd/system/naved.service", u.one(t, "EnvironmentFile"), "vrf.conf", "naved.sysusers"} {
		if !strings.Contains(string(makefile), want) {
			t.Errorf("make install has no %s", want)
		}
	}
	users, err := os.ReadFile("naved.sysusers")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"u " + u.one(t, "User") + " ", "g nave-admin "} {
		if !strings.Contains(string(users), "\n"+want) {
			t.Errorf("naved.sysusers has no %q", want)
		}
	}
}

// Where systemd is, it says itself what it makes of the unit.
func TestSystemdVerify(t *testing.T) {
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("there is no systemd-analyze; TestUnit has read the unit")
		return
	}
	dir := t.TempDir()
	text, err := os.ReadFile("naved.service")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "naved") // that it is not installed here is no fault
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "naved.service")
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "/usr/local/sbin/naved", program, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(verify, "verify", "--man=no", file).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, file) || strings.Contains(line, "naved.service") {
			t.Errorf("systemd-analyze: %s", line)
		}
	}
	if err != nil && len(out) > 0 {
		t.Logf("systemd-analyze: %v: %s", err, out) // it can't run in every container
	}
}
