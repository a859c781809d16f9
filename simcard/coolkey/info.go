package coolkey

import (
	"encoding/binary"
	"io"

	lang "tokenwright/tms/coolkey"
	"tokenwright/tms/gp/apdu"
)

// Protocol version that every 1.x applet reports.
const protocolMajor, protocolMinor = 1, 1

func (a *instance) getStatus(cmd apdu.Command, _ int, _ []byte) ([]byte, error) {
	switch {
	case cmd.P2 != 0:
		return nil, apdu.SW9C11
	case cmd.P1 == 1:
		return nil, apdu.SW6D00
	case cmd.P1 != 0:
		return nil, apdu.SW9C10
	}
	return lang.Status{
		ProtocolMajor: protocolMajor, ProtocolMinor: protocolMinor,
		AppletMajor: a.version.Major, AppletMinor: a.version.Minor,
		TotalMemory: uint32(a.st.HeapSize), FreeMemory: uint32(a.heap.FreeBytes()),
		PINs: byte(a.pinCount()), Keys: byte(a.keys.Built()), LoggedIn: uint16(a.loggedIn()),
	}.Bytes(), nil
}

func (a *instance) getBuild(_ apdu.Command, p3 int, _ []byte) ([]byte, error) {
	if p3 < 4 {
		return nil, apdu.SW6700
	}
	return binary.BigEndian.AppendUint32(nil, a.version.Build), nil
}

// nop is NOP, and SEED RANDOM too: the seed can change nothing that anybody sees.
func (a *instance) nop(apdu.Command, int, []byte) ([]byte, error) { return nil, nil }

func (a *instance) getRandom(_ apdu.Command, p3 int, _ []byte) ([]byte, error) {
	b := make([]byte, p3)
	_, err := io.ReadFull(a.env.Random, b)
	return b, err
}

func (a *instance) getLifeCycle(_ apdu.Command, p3 int, _ []byte) ([]byte, error) {
	state := byte(a.env.Life.State())
	if p3 == 1 {
		return []byte{state}, nil
	}
	return []byte{state, a.st.Flags, protocolMajor, protocolMinor}, nil
}

func (a *instance) getIssuerInfo(_ apdu.Command, p3 int, _ []byte) ([]byte, error) {
	if p3 != lang.IssuerInfoLen {
		return nil, apdu.SW6700
	}
	return append([]byte(nil), a.st.Issuer[:]...), nil
}

// getBuiltinACL compares P3 as a signed byte.
func (a *instance) getBuiltinACL(_ apdu.Command, p3 int, _ []byte) ([]byte, error) {
	if int8(p3) < 7 {
		return nil, apdu.SW6700
	}
	return a.st.ACL.Bytes(), nil
}
