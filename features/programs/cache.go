package programs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// The CoolKey module remembers what tokens hold in this folder, in a file for each user and each
// reader that it has seen, with a card or without.
const (
	cacheFolder = "/var/cache/coolkey"
	cachePrefix = "coolkeypk11s"
)

// Cache is what the CoolKey module had remembered before somebody let it see a card.
type Cache struct{ before map[string]bool }

// FreshCache makes the module forget what it remembers of a reader. It tells tokens apart by CUID and
// version of the content, and a run that is repeated with the same seed makes both again, with other
// keys.
func FreshCache(reader string) (*Cache, error) {
	c := &Cache{before: map[string]bool{}}
	var errs []error
	for _, name := range cached() {
		if strings.HasPrefix(name, cachePrefix+reader) {
			errs = append(errs, os.Remove(filepath.Join(cacheFolder, name)))
			continue
		}
		c.before[name] = true
	}
	return c, errors.Join(errs...)
}

// Forget removes what the module has remembered since. A nil Cache has nothing to forget.
func (c *Cache) Forget() error {
	if c == nil {
		return nil
	}
	var errs []error
	for _, name := range cached() {
		if !c.before[name] {
			errs = append(errs, os.Remove(filepath.Join(cacheFolder, name)))
		}
	}
	return errors.Join(errs...)
}

func cached() (names []string) {
	entries, err := os.ReadDir(cacheFolder)
	if err != nil {
		return nil // the module has not made it yet
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), cachePrefix) {
			names = append(names, e.Name())
		}
	}
	return names
}
