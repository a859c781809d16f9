package tks

import (
	"errors"

	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

// errNotExportable means that a key can be used but not put on a card.
var errNotExportable = errors.New("the key store does not give this key away")

// exportForCard gives the bytes of a key that is about to be put on a card. Diversified keys are
// fresh values; the one key that comes from a store itself is a master key diversified by
// "none".
func exportForCard(k kdf.Secret) ([]byte, error) {
	if key, ok := k.(keys.Key); ok {
		return key.Bytes(), nil
	}
	return nil, errNotExportable
}
