//go:build unix

package lot

import (
	"fmt"
	"os"
	"syscall"
)

// lock keeps a second process out until the file is closed.
func lock(f *os.File) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return nil
}
