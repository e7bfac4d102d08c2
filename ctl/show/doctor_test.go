package show

import (
	"encoding/json"
	"testing"

	"nave/ctl/doctor"
)

func TestDoctor(t *testing.T) {
	list := []doctor.Finding{
		{Area: "kernel", Level: doctor.OK, What: "Linux 6.18"}, {Area: "kernel", Level: doctor.Fail, What: "TUN devices: no", Do: "modprobe tun"},
		{Area: "port Ethernet0 (eth0)", Level: doctor.Warn, What: "it has no carrier", Do: "look at the cable"}, {Area: "clock", Level: doctor.Warn, What: "x"},
	}
	const want = `Kernel
  ok    Linux 6.18
  fail  TUN devices: no
        do: modprobe tun
Port Ethernet0 (eth0)
  warn  it has no carrier
        do: look at the cable
Clock
  warn  x
1 failure, 2 warnings
`
	if got := Doctor(list); got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
	b, err := DoctorJSON(list)
	var v struct {
		Findings           []map[string]string
		Failures, Warnings int
	}
	if err := json.Unmarshal(b, &v); err != nil || v.Failures != 1 || v.Warnings != 2 || len(v.Findings) != 4 || v.Findings[1]["do"] != "modprobe tun" || v.Findings[1]["level"] != "fail" {
		t.Errorf("%v\n%s", err, b)
	}
	if b, _ := DoctorJSON(nil); err != nil || string(b) != "{\n  \"findings\": [],\n  \"failures\": 0,\n  \"warnings\": 0\n}\n" {
		t.Errorf("%s", b)
	}
}
