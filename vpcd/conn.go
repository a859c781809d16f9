package vpcd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// ErrNotLoopback refuses an address that other machines can reach.
var ErrNotLoopback = errors.New("not a loopback address")

// loopbackOnly returns a hook for net.Dialer and net.ListenConfig that sees the address after name
// resolution, before it is used; nil when any address may be used.
func loopbackOnly(allowRemote bool) func(network, address string, c syscall.RawConn) error {
	if allowRemote {
		return nil
	}
	return func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %q", ErrNotLoopback, address)
		}
		if !ap.Addr().Unmap().IsLoopback() {
			return fmt.Errorf("%w: %s", ErrNotLoopback, ap.Addr())
		}
		return nil
	}
}

// quickConn acknowledges received segments at once. vsmartcard 3.3 sends length and message in two
// segments with Nagle's algorithm on, so the second waits for the acknowledgement of the first, and
// a delayed one costs some 44 ms a command. The kernel forgets the setting, hence before each read.
type quickConn struct {
	net.Conn
	raw syscall.RawConn
	arm func(fd uintptr)
}

func newQuickConn(c net.Conn) net.Conn {
	sc, ok := c.(syscall.Conn)
	if !ok || quickAck == nil {
		return c
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return c
	}
	return &quickConn{Conn: c, raw: raw, arm: quickAck}
}

func (q *quickConn) Read(p []byte) (int, error) {
	// The setting only makes it fast: a connection that refuses it still works, and one that is
	// closed says so in Read.
	_ = q.raw.Control(q.arm)
	return q.Conn.Read(p)
}
