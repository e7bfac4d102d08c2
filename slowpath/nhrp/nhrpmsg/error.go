package nhrpmsg

import "fmt"

// ErrorCode is the code of an Error Indication (RFC 2332 section 5.2.7).
type ErrorCode uint16

// Error codes.
const (
	UnrecognizedExtension  ErrorCode = 1
	LoopDetected           ErrorCode = 3
	ProtocolUnreachable    ErrorCode = 6
	ProtocolError          ErrorCode = 7
	SizeExceeded           ErrorCode = 8
	InvalidExtension       ErrorCode = 9
	InvalidResolutionReply ErrorCode = 10
	AuthenticationFailure  ErrorCode = 11
	HopCountExceeded       ErrorCode = 15
)

// String names the code.
func (c ErrorCode) String() string {
	switch c {
	case UnrecognizedExtension:
		return "unrecognized extension"
	case LoopDetected:
		return "loop detected"
	case ProtocolUnreachable:
		return "protocol address unreachable"
	case ProtocolError:
		return "protocol error"
	case SizeExceeded:
		return "SDU size exceeded"
	case InvalidExtension:
		return "invalid extension"
	case InvalidResolutionReply:
		return "invalid resolution reply received"
	case AuthenticationFailure:
		return "authentication failure"
	case HopCountExceeded:
		return "hop count exceeded"
	}
	return fmt.Sprintf("error %d", uint16(c))
}
