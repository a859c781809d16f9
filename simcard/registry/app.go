package registry

import (
	"slices"

	"tokenwright/simcard/nvm"
	"tokenwright/tms/gp"
)

// AddApp registers an instance; install writes its first state in the same commit and may be nil.
// Serial is given by the registry.
func (r *Registry) AddApp(a App, install func(*nvm.Tx) error) error {
	f, ok := r.File(a.File)
	if !ok || !slices.ContainsFunc(f.Modules, sameAID(a.Module)) {
		return ErrNotFound
	}
	if _, ok := r.App(a.AID); ok || r.isFile(a.AID) {
		return ErrExists
	}
	if a.Size > r.Free() || len(r.content.Apps) >= maxEntries {
		return ErrNoMemory
	}
	c := r.edited()
	c.Serial++
	a.Serial = c.Serial
	c.Apps = append(c.Apps, a)
	return r.commit(c, install)
}

func (r *Registry) isFile(aid gp.AID) bool {
	_, ok := r.File(aid)
	return ok
}

// RemoveApp deletes an instance and its memory.
func (r *Registry) RemoveApp(aid gp.AID) error {
	c := r.edited()
	i := slices.IndexFunc(c.Apps, func(a App) bool { return a.AID.Equal(aid) })
	if i < 0 {
		return ErrNotFound
	}
	c.Apps = slices.Delete(c.Apps, i, i+1)
	return r.commit(c, func(tx *nvm.Tx) error {
		r.wipe(tx, aid)
		return nil
	})
}

// SetState changes the life cycle state of an instance.
func (r *Registry) SetState(aid gp.AID, s gp.AppState) error {
	return r.change(aid, func(a *App) { a.State = s })
}

func (r *Registry) change(aid gp.AID, edit func(*App)) error {
	c := r.edited()
	i := slices.IndexFunc(c.Apps, func(a App) bool { return a.AID.Equal(aid) })
	if i < 0 {
		return ErrNotFound
	}
	edit(&c.Apps[i])
	return r.commit(c, nil)
}
