package fastpath

import "nave/fastpath/packet"

// Reason is why a packet was not forwarded, or why the slow path got a copy of one that was.
type Reason uint8

// Class says what became of a packet that a Reason counts.
type Class uint8

// Classes. Every packet that comes in is forwarded, or counted under exactly one reason of ClassDrop or ClassPunt.
const (
	ClassDrop Class = iota // dropped
	ClassPunt              // handed to the slow path instead of being forwarded
	ClassCopy              // forwarded, and the slow path got a copy
	ClassLink              // a frame that was ready to leave and did not: a copy, a fragment or the packet itself
)

// Reasons. The zero value is a bug of the engine, counted like any other.
const (
	Unknown Reason = iota

	// Links.
	EthernetShort
	EthernetType
	EthernetOther
	EthernetGroup
	PortUnknown
	VLANUnknown
	HandOverFull

	// IPv4, outer and inner.
	IPShort
	IPVersion
	IPHeader
	IPLength
	IPChecksum
	IPOptions
	IPSourceRoute
	MartianSource
	MartianDestination
	IPOff
	MulticastFromPort
	NoGroup
	MulticastTTL
	MulticastTooBig

	// GRE.
	GREShort
	GREVersion
	GREFlags
	GRERouting
	GREChecksum
	GRENoTunnel
	GREProtocol
	GRENested
	ClearOnProtected
	ECN

	// MPLS.
	MPLSShort
	MPLSOff
	MPLSUnknown
	MPLSReserved
	MPLSDepth
	MPLSPayload
	MPLSTTL
	MPLSTooBig

	// ESP and AH, coming in.
	ESPShort
	ESPLength
	ESPPadding
	ESPNextHeader
	ESPDummy
	ESPInner
	AHShort
	AHLength
	AHOptions
	AHNextHeader
	SAUnknownSPI
	SAWrongPeer
	SAWrongEncap
	SANotUnder
	SATooOld
	SAReplay
	SAAuth
	SAWrongTunnel

	// ESP and AH, either way.
	SAExpired
	SASequence
	NoTailroom
	SlowLaneFull

	// Forwarding.
	NoRoute
	NullRoute
	NoAdjacency
	AdjacencyDrops
	LeakLoop
	PortDown
	NoSA
	NoHeadroom
	NoFrame
	GleanWaits
	InjectToSelf
	InjectBad

	// Hardware that is emulated.
	EngineOver
	CryptoOver
	CEFOver
	ProcessOver
	ExceptionOver
	MTUOver
	EncryptedMulticast

	// To the slow path.
	Local
	Fragment
	NHRP
	TTLExpired
	FragNeeded
	Unroutable
	Glean
	MPLSAlert
	Host

	// Copies to the slow path.
	Redirect
	Resolve
	SAUnknown
	SAHeard
	SAMoved
	SASoft
	SAHard

	// Frames that did not leave.
	TxFull
	CopyLost
	RelayLost

	NumReasons = iota
)

type reasonInfo struct {
	class Class
	name  string
	text  string
}

var reasons = [NumReasons]reasonInfo{
	Unknown: {ClassDrop, "unknown", "dropped without a reason: a fault of the forwarder, please report it"},

	EthernetShort: {ClassDrop, "ethernet-short", "the frame is shorter than an Ethernet header"},
	EthernetType:  {ClassDrop, "ethernet-type", "the frame carries something other than IPv4 or MPLS"},
	EthernetOther: {ClassDrop, "ethernet-other", "the frame is for another station's MAC address"},
	EthernetGroup: {ClassDrop, "ethernet-group", "a unicast packet in a broadcast or multicast frame"},
	PortUnknown:   {ClassDrop, "port-unknown", "the port is attached and not configured"},
	VLANUnknown:   {ClassDrop, "vlan-unknown", "a frame with the tag of a VLAN that is no subinterface"},

	HandOverFull: {ClassDrop, "hand-over-full", "the worker that the flow belongs to did not keep up: the ring to it was full"},

	IPShort:            {ClassDrop, "ip-short", "the packet is shorter than an IPv4 header"},
	IPVersion:          {ClassDrop, "ip-version", "the packet is not IPv4"},
	IPHeader:           {ClassDrop, "ip-header", "the IPv4 header length cannot be"},
	IPLength:           {ClassDrop, "ip-length", "the IPv4 total length is less than the header or more than arrived"},
	IPChecksum:         {ClassDrop, "ip-checksum", "the IPv4 header checksum is wrong"},
	IPOptions:          {ClassDrop, "ip-options", "an IPv4 option runs out of the header"},
	IPSourceRoute:      {ClassDrop, "ip-source-route", "the packet asks for a source route, which is never followed"},
	MartianSource:      {ClassDrop, "martian-source", "the source address cannot be anybody's (0/8, 127/8, 224/3)"},
	MartianDestination: {ClassDrop, "martian-destination", "the destination cannot be routed (0/8, 127/8, 240/4)"},
	IPOff:              {ClassDrop, "ip-off", "the interface that it came in by has no IPv4 address, so that IP is off there"},
	MulticastFromPort:  {ClassDrop, "multicast-from-port", "transit multicast came in by a port: there is no multicast routing"},
	NoGroup:            {ClassDrop, "no-group", "multicast, and nobody to replicate it to (ip nhrp map multicast)"},
	MulticastTTL:       {ClassDrop, "multicast-ttl", "transit multicast whose TTL ran out"},
	MulticastTooBig:    {ClassDrop, "multicast-too-big", "multicast with DF, larger than the MTU of every way out"},

	GREShort:         {ClassDrop, "gre-short", "the packet is shorter than its GRE header"},
	GREVersion:       {ClassDrop, "gre-version", "the GRE version is not 0"},
	GREFlags:         {ClassDrop, "gre-flags", "reserved GRE flags are set"},
	GRERouting:       {ClassDrop, "gre-routing", "GRE source routing (RFC 1701) is not supported"},
	GREChecksum:      {ClassDrop, "gre-checksum", "the GRE checksum is wrong"},
	GRENoTunnel:      {ClassDrop, "gre-no-tunnel", "no tunnel has this source, key and destination"},
	GREProtocol:      {ClassDrop, "gre-protocol", "GRE carries a protocol that the tunnel does not take"},
	GRENested:        {ClassDrop, "gre-nested", "GRE inside GRE: one tunnel header a packet is taken off"},
	ClearOnProtected: {ClassDrop, "clear-on-protected", "clear text on a tunnel with tunnel protection"},
	ECN:              {ClassDrop, "ecn", "congestion on the way through the tunnel, and the sender of the packet inside knows no ECN"},

	MPLSShort:    {ClassDrop, "mpls-short", "the label stack runs out of the packet"},
	MPLSOff:      {ClassDrop, "mpls-off", "a labelled packet by an interface without mpls ip"},
	MPLSUnknown:  {ClassDrop, "mpls-unknown-label", "nobody was given this label, or not any more"},
	MPLSReserved: {ClassDrop, "mpls-reserved-label", "a reserved label that means nothing here (IPv6 explicit null, implicit null, 4 to 15)"},
	MPLSDepth:    {ClassDrop, "mpls-depth", "more labels of this box on top of each other than are taken off"},
	MPLSPayload:  {ClassDrop, "mpls-payload", "what is under the last label is not IPv4"},
	MPLSTTL:      {ClassDrop, "mpls-ttl", "a label's TTL ran out, and there is no IPv4 packet under it whose sender could be told"},
	MPLSTooBig:   {ClassDrop, "mpls-too-big", "a labelled packet larger than the MTU that cannot be cut: no IPv4 under the labels, or a next hop that is unknown"},

	ESPShort:      {ClassDrop, "esp-short", "the ESP packet is shorter than its header, IV, trailer and ICV"},
	ESPLength:     {ClassDrop, "esp-length", "the ESP packet does not end on a block of its cipher"},
	ESPPadding:    {ClassDrop, "esp-padding", "the ESP padding is longer than the packet or is not 1, 2, 3 (RFC 4303 section 2.4): wrong keys, if nothing else authenticates"},
	ESPNextHeader: {ClassDrop, "esp-next-header", "ESP carries something other than GRE (transport mode) or IPv4 (tunnel mode)"},
	ESPDummy:      {ClassDrop, "esp-dummy", "an ESP dummy packet (RFC 4303 section 2.6), sent to hide traffic"},
	ESPInner:      {ClassDrop, "esp-inner", "the IPv4 header inside the tunnel mode is not GRE between the addresses of the security association"},
	AHShort:       {ClassDrop, "ah-short", "the packet is shorter than its authentication header"},
	AHLength:      {ClassDrop, "ah-length", "the length of the authentication header is not that of its algorithm"},
	AHOptions:     {ClassDrop, "ah-options", "AH covers IPv4 options that can't be told apart"},
	AHNextHeader:  {ClassDrop, "ah-next-header", "AH carries something other than GRE, ESP or (tunnel mode) IPv4"},
	SAUnknownSPI:  {ClassDrop, "sa-unknown-spi", "no security association has this SPI and destination"},
	SAWrongPeer:   {ClassDrop, "sa-wrong-peer", "the packet does not come from the peer of its security association"},
	SAWrongEncap:  {ClassDrop, "sa-wrong-encap", "ESP in UDP for a security association without it, or the reverse"},
	SANotUnder:    {ClassDrop, "sa-not-under", "ESP that must come out of AH and does not, or the reverse"},
	SATooOld:      {ClassDrop, "sa-too-old", "the sequence number is left of the anti-replay window"},
	SAReplay:      {ClassDrop, "sa-replay", "the sequence number was received before"},
	SAAuth:        {ClassDrop, "sa-auth", "the integrity check value is wrong"},
	SAWrongTunnel: {ClassDrop, "sa-wrong-tunnel", "the packet came out of a security association that is not the tunnel's"},

	SAExpired:    {ClassDrop, "sa-expired", "the security association has carried all the bytes that it may"},
	SASequence:   {ClassDrop, "sa-sequence", "the security association has used all its sequence numbers"},
	NoTailroom:   {ClassDrop, "no-tailroom", "the frame has no room behind for padding and integrity check value"},
	SlowLaneFull: {ClassDrop, "slow-lane-full", "more packets wait for a slow cipher (DES, 3DES) than there is room for"},

	NoRoute:        {ClassDrop, "no-route", "no route to the destination"},
	NullRoute:      {ClassDrop, "null-route", "the route leads to Null0"},
	NoAdjacency:    {ClassDrop, "no-adjacency", "the route leads to an adjacency that is gone"},
	AdjacencyDrops: {ClassDrop, "adjacency-drops", "the adjacency is set to drop"},
	LeakLoop:       {ClassDrop, "leak-loop", "the route leads into another VRF, and there on to one more"},
	PortDown:       {ClassDrop, "port-down", "the way out is a port that this worker does not have"},
	NoSA:           {ClassDrop, "no-sa", "the tunnel is protected and has no security association to the peer (yet, or any more)"},
	NoHeadroom:     {ClassDrop, "no-headroom", "the frame has no room in front for the headers"},
	NoFrame:        {ClassDrop, "no-frame", "no free frame for a fragment, a copy or an injected packet"},
	GleanWaits:     {ClassDrop, "glean-waits", "the next hop is being resolved already"},
	InjectToSelf:   {ClassDrop, "inject-to-self", "a packet of this box that its own routes lead back to it"},
	InjectBad:      {ClassDrop, "inject-bad", "an injected packet for a port, tunnel, adjacency or group that is gone"},

	EngineOver:         {ClassDrop, "engine-over", "the emulated forwarding engine makes no more passes a second"},
	CryptoOver:         {ClassDrop, "crypto-over", "the emulated crypto module carries no more bytes a second"},
	CEFOver:            {ClassDrop, "cef-over", "the emulated route processor's queue is full: its CEF switches no more packets a second"},
	ProcessOver:        {ClassDrop, "process-over", "the emulated route processor's queue is full: its processes switch no more packets a second"},
	ExceptionOver:      {ClassDrop, "exception-over", "the route has no room in the emulated table, and more such packets come than are let through to the route processor"},
	MTUOver:            {ClassDrop, "mtu-over", "to be fragmented by the emulated route processor, and more such packets come than mls rate-limit lets through"},
	EncryptedMulticast: {ClassDrop, "encrypted-multicast", "multicast of others, which the emulated hardware does not send through protected tunnels"},

	Local:      {ClassPunt, "local", "for an address of this box"},
	Fragment:   {ClassPunt, "fragment", "a fragment for an address of this box, to be reassembled"},
	NHRP:       {ClassPunt, "nhrp", "an NHRP message"},
	TTLExpired: {ClassPunt, "ttl-expired", "the TTL ran out: ICMP time exceeded"},
	FragNeeded: {ClassPunt, "frag-needed", "larger than the MTU with DF set: ICMP fragmentation needed"},
	Unroutable: {ClassPunt, "unroutable", "no route to the destination, and the sender is to be told"},
	Glean:      {ClassPunt, "glean", "the next hop is not resolved yet"},
	MPLSAlert:  {ClassPunt, "mpls-router-alert", "a packet with the router alert label"},
	Host:       {ClassPunt, "host", "a frame of a subinterface that is the host's: ARP, IPv6, multicast, or for an address of this box"},

	Redirect: {ClassCopy, "redirect", "forwarded into the NHRP network it came from: the sender is told of a shorter way"},
	Resolve:  {ClassCopy, "resolve", "forwarded while NHRP looks for a direct path"},

	SAUnknown: {ClassCopy, "sa-unknown", "the slow path learns of an SPI that no security association has"},
	SAHeard:   {ClassCopy, "sa-heard", "the first packet of a security association: the peer uses it"},
	SAMoved:   {ClassCopy, "sa-moved", "an authenticated peer sends from another address or port"},
	SASoft:    {ClassCopy, "sa-soft", "a security association comes to the end of its bytes or sequence numbers: time to rekey"},
	SAHard:    {ClassCopy, "sa-hard", "a security association has ended: its packets are dropped"},

	TxFull:    {ClassLink, "tx-full", "the port took no more frames"},
	CopyLost:  {ClassLink, "copy-lost", "one copy of a multicast packet could not be sent"},
	RelayLost: {ClassLink, "relay-lost", "a frame of another worker for a port that is gone, or too long to be handed over"},
}

// String is the reason's short name: stable, in lower case, with hyphens.
func (r Reason) String() string {
	if int(r) >= NumReasons {
		return "unknown"
	}
	return reasons[r].name
}

// Text is the reason as a sentence for operators.
func (r Reason) Text() string {
	if int(r) >= NumReasons {
		r = Unknown
	}
	return reasons[r].text
}

// Class says what became of the packet.
func (r Reason) Class() Class {
	if int(r) >= NumReasons {
		r = Unknown
	}
	return reasons[r].class
}

// ipFault and greFault are the reasons of what the parsers find.
var ipFault = [...]Reason{
	packet.Short: IPShort, packet.BadVersion: IPVersion, packet.BadHeader: IPHeader, packet.BadLength: IPLength,
	packet.BadChecksum: IPChecksum, packet.BadOptions: IPOptions, packet.SourceRouted: IPSourceRoute, packet.NotSupported: IPHeader,
}

var greFault = [...]Reason{
	packet.Short: GREShort, packet.BadVersion: GREVersion, packet.BadHeader: GREFlags, packet.BadLength: GREShort,
	packet.BadChecksum: GREChecksum, packet.BadOptions: GREFlags, packet.SourceRouted: GRERouting, packet.NotSupported: GRERouting,
}
