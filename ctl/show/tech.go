package show

// TechSection is one command's output in `show tech-support`, under the head that scripts cut at.
func TechSection(command, text string) string {
	return "\n------------------ " + command + " ------------------\n\n" + text
}

// TechDMVPN are the commands of `show tech-support dmvpn`: what tells of tunnels, their peers and their protection.
var TechDMVPN = []string{
	"show clock", "show version", "show running-config", "show interfaces", "show ip interface brief", "show dmvpn detail", "show ip nhrp detail", "show ip nhrp nhs detail",
	"show ip nhrp traffic", "show crypto isakmp sa detail", "show crypto ikev2 sa detail", "show crypto ipsec sa detail", "show crypto session detail", "show crypto map",
	"show crypto call admission statistics", "show crypto engine connections active", "show ip route", "show fastpath", "show processes", "show processes cpu",
	"show processes memory", "show ports", "show logging",
}

// TechSupport are those of `show tech-support`.
var TechSupport = []string{
	"show clock", "show version", "show running-config", "show processes", "show processes cpu", "show processes memory", "show ports", "show fastpath", "show interfaces",
	"show ip interface", "show arp", "show vrf detail", "show ip route", "show ip cef", "show ip protocols", "show dmvpn detail", "show ip nhrp detail", "show ip nhrp nhs detail",
	"show ip nhrp traffic", "show crypto isakmp policy", "show crypto ipsec transform-set", "show crypto map", "show crypto isakmp sa detail", "show crypto ikev2 sa detail",
	"show crypto ipsec sa detail", "show crypto session detail", "show crypto call admission statistics", "show crypto engine connections active",
	"show ip eigrp vrf * neighbors detail", "show ip eigrp vrf * interfaces detail", "show ip eigrp vrf * topology summary", "show ip bgp summary", "show ip bgp vpnv4 all summary",
	"show mpls interfaces detail", "show mpls ldp neighbor detail", "show mpls ldp discovery detail", "show mpls forwarding-table detail", "show key chain",
	"show platform hardware profile", "show platform hardware capacity", "show platform software-switched", "show logging",
}
