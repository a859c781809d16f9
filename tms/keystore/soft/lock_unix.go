//go:build unix

package soft

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// checkModes tells that file modes say who may read a file.
const checkModes = true

// lock waits for the lock of a keystore file and gives the function that lets it go. The kernel
// lets it go when the process ends, however it ends.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking: %w", err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// syncDir makes a rename durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
