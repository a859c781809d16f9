package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"tokenwright/simcard/nvm"
	"tokenwright/tms/gp"
)

// Errors of changes.
var (
	ErrExists   = errors.New("aid is in use")
	ErrNotFound = errors.New("no such entry")
	ErrInUse    = errors.New("entry is referred to")
	ErrNoMemory = errors.New("not enough card memory")
)

// Bounds of a registry, far above any card.
const (
	maxEntries = 64
	maxModules = 32
)

// File is an executable load file, a package.
type File struct {
	AID          gp.AID
	Major, Minor byte
	Modules      []gp.AID // classes that can be installed
	Size         int      // bytes of the load file
	Build        []byte   // what identifies the code's version to its model; may be nil
}

// App is an application instance.
type App struct {
	AID        gp.AID
	File       gp.AID
	Module     gp.AID
	State      gp.AppState
	Privileges [3]byte
	Size       int    // bytes of memory it takes
	Serial     uint64 // tells this instance from earlier ones of the same AID
}

// content is what is kept in memory, as one record.
type content struct {
	Files  []File
	Apps   []App
	Serial uint64
}

const (
	contentName = "registry"
	filePrefix  = "file/"
	appPrefix   = "app/"
	loadPrefix  = "load/"
)

// Registry is the content of one card. It is not safe for concurrent use.
type Registry struct {
	mem   *nvm.Memory
	limit int
	content
}

// Open reads the registry from mem. A load sequence that lost power is cleared away. limit is the
// card's persistent memory in bytes.
func Open(mem *nvm.Memory, limit int) (*Registry, error) {
	r := &Registry{mem: mem, limit: limit}
	if b, ok := mem.Get(contentName); ok {
		if err := json.Unmarshal(b, &r.content); err != nil {
			return nil, fmt.Errorf("registry: %w: %w", nvm.ErrCorrupt, err)
		}
		if err := r.content.check(); err != nil {
			return nil, fmt.Errorf("registry: %w: %w", nvm.ErrCorrupt, err)
		}
	}
	if err := r.DropLoad(); err != nil {
		return nil, err
	}
	return r, nil
}

// check refuses what no card writes.
func (c content) check() error {
	if len(c.Files) > maxEntries || len(c.Apps) > maxEntries {
		return errors.New("too many entries")
	}
	for _, f := range c.Files {
		if !f.AID.Valid() || f.Size < 0 || len(f.Modules) > maxModules {
			return fmt.Errorf("load file %s", f.AID)
		}
		for _, m := range f.Modules {
			if !m.Valid() {
				return fmt.Errorf("module of load file %s", f.AID)
			}
		}
	}
	for _, a := range c.Apps {
		if !a.AID.Valid() || a.Size < 0 || a.Serial > c.Serial {
			return fmt.Errorf("application %s", a.AID)
		}
	}
	return nil
}

// Files lists the load files in the order in which they came.
func (r *Registry) Files() []File { return r.content.Files }

// Apps lists the instances in the order in which they came.
func (r *Registry) Apps() []App { return r.content.Apps }

// File gives the load file of this AID.
func (r *Registry) File(aid gp.AID) (File, bool) {
	for _, f := range r.content.Files {
		if f.AID.Equal(aid) {
			return f, true
		}
	}
	return File{}, false
}

// App gives the instance of this AID.
func (r *Registry) App(aid gp.AID) (App, bool) {
	for _, a := range r.content.Apps {
		if a.AID.Equal(aid) {
			return a, true
		}
	}
	return App{}, false
}

// Match lists the instances whose AID starts with prefix, one whose AID equals it first, then in
// registry order.
func (r *Registry) Match(prefix gp.AID) []App {
	var out []App
	for _, a := range r.content.Apps {
		switch {
		case a.AID.Equal(prefix):
			out = slices.Insert(out, 0, a)
		case a.AID.HasPrefix(prefix):
			out = append(out, a)
		}
	}
	return out
}

// AppMemory is the prefix of the records of an instance.
func AppMemory(aid gp.AID) string { return appPrefix + aid.String() + "/" }

// Free is the persistent memory left, in bytes.
func (r *Registry) Free() int {
	used := r.loading()
	for _, f := range r.content.Files {
		used += f.Size
	}
	for _, a := range r.content.Apps {
		used += a.Size
	}
	return max(0, r.limit-used)
}

// commit writes the registry as c, together with what more puts, and then goes on with c.
func (r *Registry) commit(c content, more func(*nvm.Tx) error) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	err = r.mem.Update(func(tx *nvm.Tx) error {
		tx.Put(contentName, b)
		if more == nil {
			return nil
		}
		return more(tx)
	})
	if errors.Is(err, nvm.ErrFull) {
		return ErrNoMemory
	}
	if err != nil {
		return err
	}
	r.content = c
	return nil
}

// edited gives a copy of the content that can be changed.
func (r *Registry) edited() content {
	return content{
		Files: slices.Clone(r.content.Files), Apps: slices.Clone(r.content.Apps),
		Serial: r.content.Serial,
	}
}

// taken tells whether an AID names anything.
func (r *Registry) taken(aid gp.AID) bool {
	_, file := r.File(aid)
	_, app := r.App(aid)
	return file || app
}

// Content gives the bytes of a load file; they must not be changed.
func (r *Registry) Content(aid gp.AID) []byte {
	b, _ := r.mem.Get(filePrefix + aid.String())
	return b
}

func sameAID(a gp.AID) func(gp.AID) bool {
	return func(b gp.AID) bool { return bytes.Equal(a, b) }
}
