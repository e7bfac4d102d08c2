package nhrpmsg

// PurgeNoReply is the N flag of purge requests (RFC 2332 section 5.2.5): the sender expects no reply.
const PurgeNoReply uint16 = 0x8000
