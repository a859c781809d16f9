package perso

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"tokenwright/tms/gp"
	"tokenwright/tms/gp/keys"
)

// ErrKCV means that the card answered PUT KEY with other key check values than
// the keys that were sent: it holds keys that nobody knows.
var ErrKCV = errors.New("key check values answered differ from those sent")

// ErrKeySetData means that a PUT KEY body does not have the form of three keys.
var ErrKeySetData = errors.New("key set data is malformed")

// initialKVN is the version that many stocks leave the factory with. PUT KEY
// does not replace it: the first set is added (P1 00), and the initial one dies.
const initialKVN keys.KVN = 0xFF

// ParseKeySetData reads a PUT KEY body as a key changeover wants it: a new
// version 01 to 7F and exactly three keys, each with a 3-byte check value.
func ParseKeySetData(b []byte) (gp.KeySetData, error) {
	d, err := gp.ParseKeySetData(b)
	if err != nil {
		return gp.KeySetData{}, fmt.Errorf("%w: %w", ErrKeySetData, err)
	}
	if d.KVN == 0 || d.KVN > 0x7F {
		return gp.KeySetData{}, fmt.Errorf("%w: key version %s", ErrKeySetData, d.KVN)
	}
	if len(d.Keys) != 3 {
		return gp.KeySetData{}, fmt.Errorf("%w: %d keys, want 3", ErrKeySetData, len(d.Keys))
	}
	for i, k := range d.Keys {
		if len(k.KCV) != len(keys.KCV{}) {
			return gp.KeySetData{}, fmt.Errorf("%w: key %d has no check value", ErrKeySetData, i+1)
		}
	}
	return d, nil
}

// PutKeys sends PUT KEY for a whole key set over a channel to the card manager
// (GPCS 2.3.1 §11.8): it replaces the version of the channel's own keys, and adds
// to a card that shows the initial version FF. The answer's key check values
// must be those sent; a card that answers none is believed until a channel under
// the new keys proves it. keySetData holds wrapped keys and stays the caller's.
func PutKeys(ctx context.Context, ch *Channel, keySetData []byte) error {
	body, err := ParseKeySetData(keySetData)
	if err != nil {
		return fail(StepPutKey, err)
	}
	cmd := gp.PutKey{
		OldKVN: ch.Info().KVN, FirstKeyID: 1, Multiple: true, KeySetData: body, Ne: ch.gpNe(),
	}
	if cmd.OldKVN == initialKVN {
		cmd.OldKVN = 0
	}
	answer, err := ch.expect(ctx, StepPutKey, cmd.Command())
	if err != nil {
		return err
	}
	return fail(StepPutKey, checkKCVs(body, answer))
}

// checkKCVs compares the answer to PUT KEY, the new version and three check
// values, with what was sent.
func checkKCVs(sent gp.KeySetData, answer []byte) error {
	if len(answer) == 0 {
		return nil
	}
	want := []byte{byte(sent.KVN)}
	for _, k := range sent.Keys {
		want = append(want, k.KCV...)
	}
	if subtle.ConstantTimeCompare(answer, want) != 1 {
		return ErrKCV
	}
	return nil
}

// DeleteKeySet deletes all keys of one version over a channel to the card
// manager that another version opened (GPCS 2.3.1 §11.2.2.3).
func DeleteKeySet(ctx context.Context, ch *Channel, kvn keys.KVN) error {
	cmd := gp.DeleteKeys(kvn)
	cmd.Ne = ch.gpNe()
	_, err := ch.expect(ctx, StepDeleteKey, cmd.Command())
	return err
}

// gpNe is the expected length of a key command: none for the old protocol.
func (c *Channel) gpNe() int {
	if c.shake.Variant.SCP == 1 {
		return 0
	}
	return 256
}
