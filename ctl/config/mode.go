package config

import (
	"sync"

	"nave/ctl/config/grammar"
)

// modeID names a configuration mode.
type modeID uint8

const (
	mGlobal modeID = iota
	mInterface
	mVRF
	mVRFDefinition
	mVRFFamily
	mISAKMPPolicy
	mKeyring
	mISAKMPProfile
	mTransformSet
	mIPsecProfile
	mCryptoIdentity
	mIKEv2Proposal
	mIKEv2Policy
	mIKEv2Keyring
	mIKEv2Peer
	mIKEv2Profile
	mTrustpoint
	mBGP
	mBGPFamily
	mBGPVRF
	mEIGRP
	mEIGRPVRF
	mEIGRPNamed
	mEIGRPNamedFamily
	mEIGRPTopology
	mEIGRPInterface
	mKeyChain
	mKey
	mStandardACL
	mExtendedACL
	mRouteMap
	mLine
	mControlPlane
	mRedundancy
	mSwallow
	numModes
)

// mode is one configuration mode: its name, as it shows in the prompt, and its commands.
type mode struct {
	name string
	set  *grammar.Set
}

// spec is a command with what it does.
type spec struct {
	grammar.Command
	do     func(x *ctx)
	kind   specKind
	action string // of a refused command: what to do instead
	multi  bool   // of an ignored command: several may stand side by side
	// hardware tells that a check with a hardware profile looks at an ignored command.
	hardware bool
}

type specKind uint8

const (
	effective specKind = iota
	ignored            // understood, without effect
	refused            // understood, not supported
)

// cmd makes a command that changes the tree.
func cmd(syntax, help string, do func(x *ctx)) *spec {
	return &spec{Command: grammar.Command{Syntax: syntax, Help: help}, do: do}
}

// nop makes a command without effect.
func nop(syntax, help string) *spec {
	return &spec{Command: grammar.Command{Syntax: syntax, Help: help, Note: "accepted, no effect"}, kind: ignored}
}

// nops makes a command without effect that may be given several times.
func nops(syntax, help string) *spec {
	s := nop(syntax, help)
	s.multi = true
	return s
}

// not makes a command that is refused, with the reason and the remedy.
func not(syntax, help, why, action string) *spec {
	return &spec{Command: grammar.Command{Syntax: syntax, Help: help, Note: why}, kind: refused, action: action}
}

// def documents what holds without the command.
func (s *spec) def(text string) *spec {
	s.Default = text
	return s
}

// nave marks a command that is not IOS's.
func (s *spec) nave() *spec {

	s.Note = "nave's own"
	return s
}

// enters adds a side effect to a refused or ignored command: the mode that its lines stand in.
func (s *spec) enters(do func(x *ctx)) *spec {
	s.do = do
	return s
}

var modes = sync.OnceValue(buildModes)

// buildModes compiles the grammar of all modes.
func buildModes() *[numModes]mode {
	tables := [numModes]struct {
		name     string
		commands []*spec
	}{
		mGlobal: {"config", join(globalCommands(), loggingCommands(), routeCommands(), vrfCommands(), cryptoCommands(), ikev2Commands(),
			routerCommands(), filterCommands(), mplsCommands(), hardwareCommands(), ignoredCommands())},
		mInterface: {"config-if", join(interfaceCommands(), tunnelCommands(), nhrpCommands(),
			interfaceEIGRPCommands(), interfaceHardwareCommands(), interfaceIgnoredCommands())},
		mVRF:              {"config-vrf", vrfModeCommands()},
		mVRFDefinition:    {"config-vrf", vrfDefinitionCommands()},
		mVRFFamily:        {"config-vrf-af", vrfFamilyCommands()},
		mISAKMPPolicy:     {"config-isakmp", isakmpPolicyCommands()},
		mKeyring:          {"conf-keyring", keyringCommands()},
		mISAKMPProfile:    {"conf-isa-prof", isakmpProfileCommands()},
		mTransformSet:     {"cfg-crypto-trans", transformSetCommands()},
		mIPsecProfile:     {"ipsec-profile", ipsecProfileCommands()},
		mCryptoIdentity:   {"config-crypto-identity", cryptoIdentityCommands()},
		mIKEv2Proposal:    {"config-ikev2-proposal", ikev2ProposalCommands()},
		mIKEv2Policy:      {"config-ikev2-policy", ikev2PolicyCommands()},
		mIKEv2Keyring:     {"config-ikev2-keyring", ikev2KeyringCommands()},
		mIKEv2Peer:        {"config-ikev2-keyring-peer", ikev2PeerCommands()},
		mIKEv2Profile:     {"config-ikev2-profile", ikev2ProfileCommands()},
		mTrustpoint:       {"ca-trustpoint", trustpointCommands()},
		mBGP:              {"config-router", join(bgpCommands(), bgpSessionCommands(), bgpFamilyCommands())},
		mBGPFamily:        {"config-router-af", join(bgpFamilyCommands(), exitFamily())},
		mBGPVRF:           {"config-router-af", join(bgpSessionCommands(), bgpFamilyCommands(), exitFamily())},
		mEIGRP:            {"config-router", join(eigrpClassicCommands(), eigrpFamilyCommands(), eigrpTopologyCommands(), eigrpOtherCommands())},
		mEIGRPVRF:         {"config-router-af", join(eigrpVRFCommands(), eigrpFamilyCommands(), eigrpTopologyCommands(), eigrpOtherCommands(), exitFamily())},
		mEIGRPNamed:       {"config-router", eigrpNamedCommands()},
		mEIGRPNamedFamily: {"config-router-af", join(eigrpFamilyCommands(), eigrpNamedFamilyCommands(), eigrpOtherCommands(), exitFamily())},
		mEIGRPTopology:    {"config-router-af-topology", join(eigrpTopologyCommands(), eigrpOtherCommands(), exitTopology())},
		mEIGRPInterface:   {"config-router-af-interface", eigrpInterfaceCommands()},
		mKeyChain:         {"config-keychain", keyChainCommands()},
		mKey:              {"config-keychain-key", keyCommands()},
		mStandardACL:      {"config-std-nacl", standardACLCommands()},
		mExtendedACL:      {"config-ext-nacl", extendedACLCommands()},
		mRouteMap:         {"config-route-map", routeMapCommands()},
		mLine:             {"config-line", lineCommands()},
		mControlPlane:     {"config-cp", controlPlaneCommands()},
		mRedundancy:       {"config-red", redundancyCommands()},
		mSwallow:          {"config", []*spec{cmd("<text:line>", "A line of a mode that is not read", func(*ctx) {})}},
	}
	var out [numModes]mode
	for id, t := range tables {
		commands := make([]*grammar.Command, 0, len(t.commands))
		for _, s := range t.commands {
			s.Data = s
			commands = append(commands, &s.Command)
		}
		out[id] = mode{name: t.name, set: grammar.New(commands, helpWords)}
	}
	return &out
}

func join(lists ...[]*spec) []*spec {
	var out []*spec
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

func exitFamily() []*spec {
	return []*spec{cmd("exit-address-family", "Leave the address family", func(x *ctx) { x.leave() })}
}

func exitTopology() []*spec {
	return []*spec{cmd("exit-af-topology", "Leave the topology", func(x *ctx) { x.leave() })}
}
