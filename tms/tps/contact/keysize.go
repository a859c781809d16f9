package contact

import (
	"tokenwright/tms/gp"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/perso"
)

// symKeySize gives the size in bits of the keys that the card would open a channel with, as
// the card lists them: those of version kvn, or with 0 the first ones. It is 0 where the
// card lists none. A DES key of 16 bytes counts as 128 bits, whatever its parity bits.
func symKeySize(f perso.Facts, kvn keys.KVN) int {
	for _, k := range f.Keys.Keys {
		if len(k.Components) == 0 || k.KVN == 0 || kvn != 0 && k.KVN != kvn {
			continue
		}
		if c := k.Components[0]; c.Type == gp.KeyAES || c.Type >= gp.KeyDES && c.Type <= gp.KeyDESCBC {
			return 8 * int(c.Len)
		}
	}
	return 0
}
