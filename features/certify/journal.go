package certify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tokenwright/tms/gp/keys"
)

// Entry is what must not be forgotten of a card between runs.
type Entry struct {
	// Failures are failed authentications since the last good one.
	Failures int `json:"failures,omitempty"`
	// Changed says that a run began to change the card's content and did not finish putting it
	// back, and Before is the content as it was.
	Changed bool     `json:"changed,omitempty"`
	Before  []string `json:"before,omitempty"`
	KVN     byte     `json:"kvn,omitempty"`
}

// Journal keeps entries by card.
type Journal interface {
	Load(keys.CUID) (Entry, error)
	Save(keys.CUID, Entry) error
}

// Folder is a journal of one file a card. It holds no secret.
type Folder string

// DefaultFolder is the journal's place for the user who runs the program.
func DefaultFolder() (Folder, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("finding a place for the journal: %w", err)
	}
	return Folder(filepath.Join(dir, "tokenwright", "cardcert")), nil
}

func (f Folder) path(id keys.CUID) string { return filepath.Join(string(f), id.String()+".json") }

// Load implements Journal; a card that nobody has seen has an empty entry.
func (f Folder) Load(id keys.CUID) (Entry, error) {
	var e Entry
	b, err := os.ReadFile(f.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return e, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	if err != nil {
		return e, fmt.Errorf("journal of card %s: %w", id, err)
	}
	return e, nil
}

// Save implements Journal. The file is replaced in one step.
func (f Folder) Save(id keys.CUID, e Entry) error {
	if err := f.save(id, e); err != nil {
		return fmt.Errorf("journal of card %s: %w", id, err)
	}
	return nil
}

func (f Folder) save(id keys.CUID, e Entry) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(string(f), "*.tmp")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	if _, err = tmp.Write(b); err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), f.path(id))
}
