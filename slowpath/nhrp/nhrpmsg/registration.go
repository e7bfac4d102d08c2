package nhrpmsg

// RegUnique is the U flag of registration requests and replies (RFC 2332 section 5.2.3): no other NBMA address may
// register the protocol address.
const RegUnique uint16 = 0x8000
