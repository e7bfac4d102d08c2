package nhrpmsg

// Flags of resolution requests and replies (RFC 2332 sections 5.2.1 and 5.2.2).
const (
	ResRouter        uint16 = 0x8000 // Q: the requester is a router
	ResAuthoritative uint16 = 0x4000 // A: wanted in a request, given in a reply
	ResDestStable    uint16 = 0x2000 // D: reply only
	ResUnique        uint16 = 0x1000 // U
	ResSourceStable  uint16 = 0x0800 // S
	FlagNAT          uint16 = 0x0002 // Cisco: the sender knows the NAT extension; registrations too
)
