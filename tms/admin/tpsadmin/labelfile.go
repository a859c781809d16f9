package tpsadmin

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"tokenwright/tms/token"
)

// LabelFileName is the name of the file beside CS.cfg.
const LabelFileName = "token-states.properties"

// LabelFile gives labels from a file, which is read whenever they are asked for, so that an edit
// shows at once. Without the file the shipped labels hold, and so they do, with one warning, while
// it is not what it should be.
type LabelFile struct {
	Path string
	Log  *slog.Logger

	mu     sync.Mutex
	warned [sha256.Size]byte // of what was warned about last
}

// Labels reads the file.
func (f *LabelFile) Labels() token.Labels {
	text, err := readBounded(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		f.warn(nil)
		return token.Labels{}
	}
	var l token.Labels
	if err == nil {
		l, err = token.ParseLabels(text)
	}
	f.warn(err)
	if err != nil {
		return token.Labels{}
	}
	return l
}

// warn says what is wrong, once as long as it is the same.
func (f *LabelFile) warn(err error) {
	var sum [sha256.Size]byte
	if err != nil {
		sum = sha256.Sum256([]byte(err.Error()))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil && sum != f.warned && f.Log != nil {
		f.Log.Warn("labels are not read, the shipped ones hold", "file", f.Path, "err", err)
	}
	f.warned = sum
}

// readBounded reads a regular file of bounded length; a pipe would keep whoever opens it.
func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, token.MaxLabelFile+1))
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	return text, nil
}
