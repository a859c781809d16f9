package contact

import (
	"context"
	"errors"
	"fmt"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/perso"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/tokendb"
	"tokenwright/tms/wire"
)

// ChangeKeys brings the card to the required key version, if the token type wants
// it: a card that opens a channel under that version needs nothing; another has
// its keys replaced.
func (r *Run) ChangeKeys(ctx context.Context) error {
	if !r.Conf.ChangeKeys {
		return nil
	}
	want := r.Conf.RequiredKVN
	if info, err := keys.ParseKeyInfo(r.Shown); err == nil && info.KVN == want {
		return nil
	}
	// Whether or not a record explains it, a card that proves the required keys
	// has them.
	_, err := r.OpenISD(ctx, ChannelFor{kvn: want, Encrypted: true, anyInfo: true})
	if err == nil {
		return nil
	}
	if !refusedKVN(err) {
		return Failf(wire.StatusKeyChangeOver, err, "trying key version %s", want)
	}
	return r.putKeys(ctx, want)
}

// refusedKVN tells whether the card itself refused INITIALIZE UPDATE, which is how
// it says that it has no such key version.
func refusedKVN(err error) bool {
	var e *perso.Error
	return errors.As(err, &e) && e.Step == perso.StepInitializeUpdate && e.SW != 0
}

// putKeys replaces the card's keys. The intent is recorded before PUT KEY is sent.
// When its answer never comes the intent stays open: the card holds one key set or
// the other, and the next channel that opens tells which.
func (r *Run) putKeys(ctx context.Context, want keys.KVN) error {
	ch, err := r.OpenISD(ctx, ChannelFor{Encrypted: true})
	if err != nil {
		return Failf(wire.StatusKeyChangeOver, err, "changing keys")
	}
	from := r.Shown
	data, to, err := r.keySetData(ctx, ch, want)
	if err != nil {
		return Failf(wire.StatusKeyChangeOver, err, "making keys of version %s", want)
	}
	step, err := r.Card.Begin(ctx, token.IntentPutKey, from, to)
	if err != nil {
		return Failf(wire.StatusUpdateTokenDBFailed, err, "recording intent to change keys")
	}
	if err := r.At(FailPutKeyIntent); err != nil {
		return err
	}
	err = perso.PutKeys(ctx, ch, data)
	if fp := r.At(FailPutKeyDone); fp != nil {
		return fp
	}
	if err == nil {
		err = r.proveKeys(ctx, want)
	}
	if err != nil {
		return r.putKeyFailed(ctx, step, err, from, want)
	}
	if err := step.Done(ctx); err != nil {
		return Failf(wire.StatusUpdateTokenDBFailed, err, "recording key change")
	}
	r.Log.Info("keys changed", "from", from, "to", r.Shown)
	return r.At(FailPutKeyOutcome)
}

// proveKeys opens a channel to the applet under the new keys: only that proves
// that the card took them.
func (r *Run) proveKeys(ctx context.Context, want keys.KVN) error {
	_, err := r.OpenApplet(ctx, ChannelFor{kvn: want, Encrypted: true})
	return err
}

// keySetData has the TKS make the new keys for the card, and tells which key
// information the card will show then.
func (r *Run) keySetData(ctx context.Context, ch *perso.Channel, want keys.KVN) (
	data []byte, shows string, err error,
) {
	h := ch.Handshake()
	next := h
	next.Info.KVN = want
	resp, err := r.KeyService.CreateKeySetData(ctx, connector.KeySetDataRequest{
		SCP: h.Variant.SCP, CUID: r.Facts.CUID, KDD: h.KDD, Info: h.Info, NewInfo: next.Info,
		KeySet: r.KeySet, SDEK: ch.SDEK(),
	})
	if err != nil {
		return nil, "", err
	}
	body, err := perso.ParseKeySetData(resp.KeySetData)
	if err != nil {
		return nil, "", err
	}
	if body.KVN != want {
		return nil, "", fmt.Errorf("key service made keys of version %s", body.KVN)
	}
	return resp.KeySetData, recorded(next), nil
}

// putKeyFailed decides what a failed key change leaves. Without an answer, or
// unless told to roll back, nothing more is done to the card: the intent stays
// open, and the next session closes it by the keys the card proves.
//
// Told to roll back (rollbackKeyVersionOnPutKeyFailure), it finds out at once which
// keys the card can prove. The new ones after all: the change is recorded and the
// operation goes on. The old ones: keys of the new version that the card may hold
// beside them are deleted, the change is recorded as failed, and so the operation
// ends, with a token as usable as before.
func (r *Run) putKeyFailed(ctx context.Context, step *tokendb.Step, cause error, from string,
	want keys.KVN,
) error {
	cause = &Failure{
		Status: wire.StatusKeyChangeOver,
		Err:    fmt.Errorf("changing keys from %s to version %s: %w", from, want, cause),
	}
	old, err := keys.ParseKeyInfo(from)
	if errors.Is(cause, perso.ErrNoAnswer) || !r.Conf.RollBack || err != nil {
		return cause
	}
	if _, err := r.OpenISD(ctx, ChannelFor{kvn: want, Encrypted: true}); err == nil {
		r.Log.Warn("keys changed in spite of an error", "err", cause)
		return Failf(wire.StatusUpdateTokenDBFailed, step.Done(ctx), "recording key change")
	}
	ch, err := r.OpenISD(ctx, ChannelFor{kvn: old.KVN, Encrypted: true})
	if err != nil {
		r.Log.Error("card proves neither its old keys nor new ones", "err", err)
		return cause
	}
	if err := perso.DeleteKeySet(ctx, ch, want); err != nil {
		r.Log.Info("no keys of the new version to delete", "err", err)
	}
	if err := step.Failed(ctx, cause); err != nil {
		r.Log.Error("failed key change not recorded", "err", err)
		return cause
	}
	r.Log.Warn("key change rolled back", "keys", from)
	return cause
}

// IsKVN tells whether key information, as records hold it, is of a key version.
func IsKVN(info string, kvn keys.KVN) bool {
	k, err := keys.ParseKeyInfo(info)
	return err == nil && k.KVN == kvn
}

// errChallenge means that a TKS encrypted something else than it was given.
var errChallenge = errors.New("token key service put another challenge in place of the one given")

// EncryptDEK encrypts under the card's DEK: under SCP02 with the session's, which is
// here, else with the static one, which the TKS holds.
func (r *Run) EncryptDEK(ctx context.Context, ch *perso.Channel, plain []byte) (
	[]byte, error,
) {
	if ch.Variant().SCP == 2 && !ch.SDEK().IsZero() {
		return ch.EncryptDEK(keys.Key{}, plain)
	}
	h := ch.Handshake()
	resp, err := r.KeyService.EncryptData(ctx, connector.EncryptDataRequest{
		SCP: h.Variant.SCP, CUID: r.Facts.CUID, KDD: h.KDD, Info: h.Info, KeySet: r.KeySet,
		Data: plain,
	})
	if err != nil {
		return nil, err
	}
	if string(resp.Data) != string(plain) {
		return nil, errChallenge
	}
	return resp.Encrypted, nil
}
