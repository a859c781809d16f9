package registry

import (
	"fmt"

	"tokenwright/simcard/nvm"
	"tokenwright/tms/gp"
)

// LoadBlock keeps a block of a load sequence in memory, as a card writes it when it comes. The
// blocks take memory until AddFile or DropLoad.
func (r *Registry) LoadBlock(n int, data []byte) error {
	if len(data) > r.Free() {
		return ErrNoMemory
	}
	return r.mem.Update(func(tx *nvm.Tx) error {
		tx.Put(fmt.Sprintf("%s%04X", loadPrefix, n), data)
		return nil
	})
}

// DropLoad gives the memory of a load sequence back.
func (r *Registry) DropLoad() error {
	return r.mem.Update(r.dropLoad)
}

func (r *Registry) dropLoad(tx *nvm.Tx) error {
	for _, name := range r.mem.Names(loadPrefix) {
		tx.Delete(name)
	}
	return nil
}

// loading is the number of bytes that the blocks of a load sequence take.
func (r *Registry) loading() int {
	n := 0
	for _, name := range r.mem.Names(loadPrefix) {
		b, _ := r.mem.Get(name)
		n += len(b)
	}
	return n
}

// AddFile registers a load file with its bytes and ends the load sequence, in one commit.
func (r *Registry) AddFile(f File, data []byte) error {
	if r.taken(f.AID) {
		return ErrExists
	}
	if len(f.Modules) > maxModules || len(r.content.Files) >= maxEntries {
		return ErrNoMemory
	}
	f.Size = len(data)
	if f.Size > r.Free()+r.loading() {
		return ErrNoMemory
	}
	c := r.edited()
	c.Files = append(c.Files, f)
	return r.commit(c, func(tx *nvm.Tx) error {
		tx.Put(filePrefix+f.AID.String(), data)
		return r.dropLoad(tx)
	})
}

// RemoveFile deletes a load file, with related also all instances that came from it. It gives
// ErrInUse while there are such instances otherwise.
func (r *Registry) RemoveFile(aid gp.AID, related bool) error {
	if _, ok := r.File(aid); !ok {
		return ErrNotFound
	}
	c, gone := content{Serial: r.content.Serial}, []gp.AID(nil)
	for _, a := range r.content.Apps {
		if a.File.Equal(aid) {
			gone = append(gone, a.AID)
			continue
		}
		c.Apps = append(c.Apps, a)
	}
	if len(gone) > 0 && !related {
		return ErrInUse
	}
	for _, f := range r.content.Files {
		if !f.AID.Equal(aid) {
			c.Files = append(c.Files, f)
		}
	}
	return r.commit(c, func(tx *nvm.Tx) error {
		tx.Delete(filePrefix + aid.String())
		for _, app := range gone {
			r.wipe(tx, app)
		}
		return nil
	})
}

// wipe deletes the memory of an instance.
func (r *Registry) wipe(tx *nvm.Tx, aid gp.AID) {
	for _, name := range r.mem.Names(AppMemory(aid)) {
		tx.Delete(name)
	}
}
