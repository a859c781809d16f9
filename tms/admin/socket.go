package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// maxSocketPath is what the address of a Unix socket has room for on every system.
const maxSocketPath = 100

// dialTimeout bounds the question whether somebody listens at a socket already.
const dialTimeout = time.Second

// ErrSocketInUse means that another process serves at the socket.
var ErrSocketInUse = errors.New("another process serves there")

// ListenSocket listens at a Unix socket that only its owner can connect to, or its group as well
// when mode says so (0600, 0660). What a process that died left there is replaced; where one
// listens, the error is ErrSocketInUse. The socket is removed when the listener is closed.
func ListenSocket(ctx context.Context, path string, mode fs.FileMode, gid int) (net.Listener, error) {
	if err := removeStale(ctx, path); err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	var l net.Listener
	err := atSocket(path, func(short string) (err error) {
		l, err = new(net.ListenConfig).Listen(ctx, "unix", short)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("socket %s: %w", path, err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // by its own name, see Close
	if gid >= 0 {
		err = os.Chown(path, -1, gid)
	}
	// Between Listen and here the peer's account is all that protects it, and suffices.
	if err = errors.Join(err, os.Chmod(path, mode)); err != nil {
		return nil, errors.Join(fmt.Errorf("socket %s: %w", path, err), l.Close(), os.Remove(path))
	}
	return &socketListener{Listener: l, path: path}, nil
}

// socketListener removes its socket, once.
type socketListener struct {
	net.Listener
	path string
}

// Close ends listening and removes the socket.
func (l *socketListener) Close() error {
	if err := l.Listener.Close(); err != nil {
		return err // closed before, and removed
	}
	if err := os.Remove(l.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeStale removes a socket at which nobody listens, and nothing else.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("something else is there")
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if c, err := dialSocket(ctx, path); err == nil {
		return errors.Join(ErrSocketInUse, c.Close())
	}
	return os.Remove(path)
}

func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	var c net.Conn
	err := atSocket(path, func(short string) (err error) {
		c, err = new(net.Dialer).DialContext(ctx, "unix", short)
		return err
	})
	return c, err
}

// atSocket calls do with a name of the socket that fits into an address: where the path is too
// long, one by way of its open directory, which Linux has.
func atSocket(path string, do func(short string) error) error {
	if len(path) <= maxSocketPath {
		return do(path)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	by := "/proc/self/fd/" + strconv.Itoa(int(dir.Fd()))
	if _, err := os.Stat(by); err != nil {
		return fmt.Errorf("its path has %d bytes, and at most %d fit", len(path), maxSocketPath)
	}
	return do(filepath.Join(by, filepath.Base(path)))
}
