package cli

// helpWords explains keywords that several commands share, and arguments by "<name>".
var helpWords = map[string]string{
	"show": "Show what there is", "clear": "Take down or set to zero", "terminal": "This session's terminal", "debug": "Log what happens as it happens",
	"undebug": "Log it no longer", "configure": "Configure", "copy": "Copy a configuration", "write": "Save the configuration", "reload": "Read a configuration again",
	"commit": "Run by the candidate", "rollback": "Go back to an earlier configuration", "abandon": "Forget the candidate",
	"ping": "Send echo requests", "traceroute": "Show the way that packets take", "explain": "What would become of a packet", "capture": "Copy packets to a file",
	"logging": "The log", "monitor": "The log as it is written", "history": "What was typed", "length": "Lines of a page", "width": "Columns", "size": "How much",
	"no": "Undo a setting", "ip": "IPv4", "crypto": "IKE and IPsec", "dmvpn": "Sessions of the tunnels", "nhrp": "Next Hop Resolution Protocol", "bgp": "BGP", "eigrp": "EIGRP",
	"mpls": "Labels", "ldp": "Label Distribution Protocol", "vrf": "VRFs", "route": "The routing table", "cef": "What packets are forwarded by", "interfaces": "Interfaces",
	"isakmp": "IKE version 1", "ikev2": "IKE version 2", "ipsec": "IPsec", "sa": "Security associations", "session": "Sessions", "map": "What protects each tunnel", "policy": "Proposals",
	"engine": "Associations and their packets", "connections": "Associations and their packets", "call": "Call admission", "admission": "Call admission", "statistics": "Counters",
	"platform": "Hardware that is emulated", "hardware": "Hardware that is emulated", "mls": "Tables of the hardware that is emulated", "rate-limit": "Rate limiters",
	"processes": "Processes of the workers", "key": "Keys", "chain": "Key chains", "neighbor": "A neighbour", "neighbors": "Neighbours", "summary": "In short",
	"detail": "In detail", "active": "Those in use", "peer": "One peer", "remote": "One peer", "interface": "One interface", "nbma": "Its address outside the tunnel",
	"tunnel": "Its address inside the tunnel", "static": "Static ones, too", "brief": "In short", "traffic": "Packets by type", "nhs": "Next hop servers",
	"address-family": "In the words of named mode", "ipv4": "IPv4", "unicast": "Unicast", "topology": "What is known of prefixes", "accounting": "Prefixes by neighbour",
	"protocols": "What routing protocols run by", "vpnv4": "VPN routes", "rd": "One route distinguisher", "all": "All", "labels": "Labels", "bindings": "Labels of prefixes",
	"forwarding-table": "What becomes of packets with labels", "discovery": "Hellos", "parameters": "What it runs by", "advertised-routes": "What it is sent",
	"received-routes": "What it sent", "routes": "What was accepted of it", "soft": "Without ending the session", "in": "What comes", "out": "What is sent",
	"connected": "Routes of connected networks", "kernel": "Routes that others put into the kernel's table", "local": "Our own", "cache": "The cache", "flow": "Flows",
	"*": "All of them", "emergencies": "Severity 0", "alerts": "Severity 1", "critical": "Severity 2", "errors": "Severity 3", "warnings": "Severity 4",
	"notifications": "Severity 5", "informational": "Severity 6", "debugging": "Severity 7, all of them", "now": "At once", "confirmed": "Undone unless it is confirmed in time",
	"force": "Also over changes of others", "startup-config": "The configuration that naved starts with", "running-config": "The configuration that runs",
	"configuration": "What is edited, and what ran", "startup": "The configuration that naved starts with", "revision": "A configuration that ran",

	"box": "This box sends it", "protocol": "IP protocol", "icmp": "An echo request", "tcp": "A SYN", "udp": "UDP", "port": "Ports", "ttl": "Time to live", "tos": "Type of service",
	"df-bit": "It must not be cut", "label": "Labels that it comes with",

	"<iface>": "Interface", "<interface>": "Interface", "<peer>": "Address of the peer", "<neighbor>": "Address of the neighbour", "<vrf>": "VRF", "<as>": "AS number",
	"<address>": "Address", "<mask>": "Network mask", "<prefix>": "Network", "<flows>": "How many", "<sa>": "conn-id", "<profile>": "Hardware profile", "<name>": "Name",
	"<rd>": "Route distinguisher", "<first>": "Label", "<last>": "Last label", "<lines>": "Lines", "<columns>": "Columns", "<severity>": "0 (emergencies) to 7 (debugging)",
	"<minutes>": "Minutes", "<number>": "Number of the revision", "<path>": "File of the daemon's machine", "<file>": "File", "<source>": "Source", "<destination>": "Destination", "<seconds>": "Seconds", "<size>": "Bytes",
	"<protocol>": "Number of an IP protocol", "<from>": "Source port", "<to>": "Destination port", "<ttl>": "Hops", "<tos>": "The byte of the IPv4 header", "<label>": "Outermost label", "<under>": "The label under it",
}
