package nvm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// File is a Device in a file, locked against other processes by a file beside it (path + ".lock").
type File struct {
	path string
	f    *os.File
	lock *os.File
	end  int64
}

// OpenFile opens or makes the state file at path, mode 0600. It fails with ErrLocked while another
// File, of this process or another one, has it open.
func OpenFile(path string) (*File, error) {
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("state file %s: %w", path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		unlockFile(lock)
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("state file %s: not a regular file", path)
	}
	if err != nil {
		_ = f.Close()
		unlockFile(lock)
		return nil, err
	}
	return &File{path: path, f: f, lock: lock, end: info.Size()}, nil
}

// Load implements Device.
func (d *File) Load() ([]byte, error) {
	info, err := d.f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > MaxImage {
		return nil, fmt.Errorf("state file %s: %d bytes: %w", d.path, info.Size(), ErrTooLarge)
	}
	b := make([]byte, info.Size())
	n, err := d.f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	d.end = int64(n)
	return b[:n], nil
}

// Append implements Device.
func (d *File) Append(p []byte) error {
	n, err := d.f.WriteAt(p, d.end)
	d.end += int64(n)
	return err
}

// Truncate implements Device.
func (d *File) Truncate(n int64) error {
	if n >= d.end {
		return nil
	}
	if err := d.f.Truncate(n); err != nil {
		return err
	}
	d.end = n
	return nil
}

// Replace implements Device: a new file takes the old one's name.
func (d *File) Replace(image []byte) error {
	f, err := os.CreateTemp(filepath.Dir(d.path), filepath.Base(d.path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(image)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), d.path)
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		return err
	}
	_ = d.f.Close()
	d.f, d.end = f, int64(len(image))
	return nil
}

// Close implements Device: it flushes the file and lets the lock go.
func (d *File) Close() error {
	err := d.f.Sync()
	if cerr := d.f.Close(); err == nil {
		err = cerr
	}
	unlockFile(d.lock)
	return err
}
