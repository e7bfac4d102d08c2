package main

import "nave/slowpath/nhrp"

// event logs what NHRP reports.
func (d *naved) event(e nhrp.Log) {
	d.log.Info("nhrp", "kind", e.Kind, "interface", e.Iface, "protocol", e.Protocol, "nbma", e.NBMA, "code", e.Code)
}
