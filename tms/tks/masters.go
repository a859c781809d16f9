package tks

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/keystore"
)

// MasterKeys is a home of master keys, as far as this package uses one.
type MasterKeys interface {
	// MasterKey gives a key by name, by operation.
	MasterKey(ctx context.Context, name string) (kdf.Secret, error)
	// Names gives the names of all keys.
	Names(ctx context.Context) ([]string, error)
}

// FromKeystore gives a home of master keys over a key store.
func FromKeystore(r keystore.Reader) MasterKeys { return storeKeys{r} }

type storeKeys struct{ reader keystore.Reader }

// MasterKey implements MasterKeys.
func (s storeKeys) MasterKey(ctx context.Context, name string) (kdf.Secret, error) {
	return s.reader.Key(ctx, name)
}

// Names implements MasterKeys: symmetric keys only.
func (s storeKeys) Names(ctx context.Context) ([]string, error) {
	infos, err := s.reader.List(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, i := range infos {
		if _, _, symmetric := i.Spec.Symmetric(); symmetric {
			out = append(out, i.Name)
		}
	}
	return out, nil
}

// defaultStores are names that mean the default store, whatever it is called.
var defaultStores = map[string]bool{
	"": true, "internal": true, "Internal Key Storage Token": true, "software": true, "soft": true,
}

// loadKeySets makes every key set ready, with every master key it maps, and tries each.
func loadKeySets(ctx context.Context, cfg Config, stores map[string]MasterKeys) (
	map[string]*keySet, error,
) {
	literal, err := literalKeys(ctx, cfg.MasterKeyPrefix, stores)
	if err != nil {
		return nil, err
	}
	sets := make(map[string]*keySet, len(cfg.KeySets))
	var errs []error
	for _, c := range cfg.KeySets {
		if _, dup := sets[c.Name]; dup {
			errs = append(errs, fmt.Errorf("key set %s occurs twice", c.Name))
			continue
		}
		k, err := loadKeySet(ctx, c, cfg.MasterKeyPrefix, stores, literal)
		errs = append(errs, err)
		sets[c.Name] = k
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return sets, nil
}

func loadKeySet(ctx context.Context, c KeySetConfig, prefix string, stores map[string]MasterKeys,
	literal map[Slot]kdf.Secret,
) (*keySet, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	masters := make(map[Slot]kdf.Secret, len(c.Mappings))
	var errs []error
	for _, slot := range sortedSlots(c.Mappings) {
		m := c.Mappings[slot]
		if m.developer() {
			continue
		}
		key, err := lookUp(ctx, stores, m.Store, prefix+m.Name)
		if err != nil {
			errs = append(errs, fmt.Errorf("tks.%s.mk_mappings.%v: %w", c.Name, slot, err))
			continue
		}
		masters[slot] = key
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	k, err := newKeySet(c, masters, literal)
	if err != nil {
		return nil, err
	}
	return k, k.try()
}

func lookUp(ctx context.Context, stores map[string]MasterKeys, store, name string) (
	kdf.Secret, error,
) {
	home, ok := stores[store]
	if !ok && defaultStores[store] {
		home, ok = stores[""]
	}
	if !ok {
		return nil, fmt.Errorf("no key store %q", store)
	}
	key, err := home.MasterKey(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("master key %q: %w", name, err)
	}
	return key, nil
}

// literalKeys finds the keys of the default store whose own name is "#VV#II".
func literalKeys(ctx context.Context, prefix string, stores map[string]MasterKeys) (
	map[Slot]kdf.Secret, error,
) {
	home, ok := stores[""]
	if !ok {
		return nil, nil
	}
	names, err := home.Names(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing master keys: %w", err)
	}
	out := map[Slot]kdf.Secret{}
	for _, name := range names {
		if len(name) < len(prefix) || name[:len(prefix)] != prefix {
			continue
		}
		slot, err := ParseSlot(name[len(prefix):])
		if err != nil {
			continue // a key for another purpose
		}
		key, err := home.MasterKey(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("master key %q: %w", name, err)
		}
		out[slot] = key
	}
	return out, nil
}
