package tks

import (
	"context"
	"fmt"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/keystore"
)

// Key types of PUT KEY as cards of each protocol expect them. // GPCS 2.3.1 §11.1.8
const (
	putKeyDESECB = 0x81 // SCP01
	putKeyDES    = 0x80 // SCP02
	putKeyAES    = 0x88 // SCP03
)

// wrapping is a key of the card, and how other keys are encrypted under it for the card.
type wrapping struct {
	under keystore.Wrapper
	mode  keystore.Mode
}

// wrap encrypts a key, which need not leave its home for that.
func (w wrapping) wrap(k kdf.Secret) ([]byte, error) { return keystore.Wrap(k, w.under, w.mode) }

// CreateKeySetData implements connector.TKS: the new keys come from NewInfo.KVN of KeySet, or
// from its developer set; the present ones, whose DEK wraps, from Info.KVN of OldKeySet.
func (s *Service) CreateKeySetData(ctx context.Context, r connector.KeySetDataRequest) (
	res connector.KeySetDataResponse, err error,
) {
	defer func() {
		s.report(ctx, "create key set data for version "+r.NewInfo.KVN.String(), r.Card(), err)
	}()
	if r.NewInfo.KVN < 0x01 || r.NewInfo.KVN > 0x7F {
		return res, connector.Errorf(connector.StatusParameter,
			"new key version %v, want 01 to 7F", r.NewInfo.KVN)
	}
	old := r.Card()
	if r.OldKeySet != "" {
		old.KeySet = r.OldKeySet
	}
	present, err := s.cardKeys(old)
	if err != nil {
		return res, err
	}
	next := r.Card()
	next.SCP, next.Info = r.Card().Protocol(), r.NewInfo
	next.Info.SCP = next.SCP
	fresh, err := s.cardKeys(next)
	if err != nil {
		return res, fmt.Errorf("new keys: %w", err)
	}
	wrap, err := changeoverWrapper(next.SCP, present.DEK, r.SDEK)
	if err != nil {
		return res, err
	}
	res.KeySetData, err = keySetData(next.SCP, r.NewInfo.KVN, fresh, wrap)
	if err != nil {
		return connector.KeySetDataResponse{}, derivationError(err)
	}
	return res, nil
}

// changeoverWrapper gives what wraps new keys: the present static DEK, or in SCP02 the session's.
func changeoverWrapper(scp byte, dek kdf.Secret, sdek keys.Key) (wrapping, error) {
	if scp == 2 && (sdek.IsZero() || sdek.Algorithm() != keys.DES3) {
		return wrapping{}, connector.Errorf(connector.StatusParameter,
			"scp02 needs the session DEK, a DES3 key")
	}
	return dekWrapper(scp, dek, sdek), nil
}

// dekWrapper gives what wraps a key for the card in an open channel: the static DEK, in SCP02 the
// session's; ECB for DES3, CBC with zero IV for AES.
func dekWrapper(scp byte, dek kdf.Secret, sdek keys.Key) wrapping {
	switch scp {
	case 2:
		return wrapping{sdek, keystore.ECB}
	case 3:
		return wrapping{dek, keystore.CBC}
	}
	return wrapping{dek, keystore.ECB}
}

// keySetData writes new version ‖ ENC ‖ MAC ‖ DEK, each with its check value. // GPCS 2.3.1 §11.8
func keySetData(scp byte, version keys.KVN, ck kdf.CardKeys, w wrapping) ([]byte, error) {
	out := []byte{byte(version)}
	for _, k := range []struct {
		name string
		key  kdf.Secret
	}{{"ENC", ck.ENC}, {"MAC", ck.MAC}, {"DEK", ck.DEK}} {
		block, err := keyBlock(scp, k.key, w)
		if err != nil {
			return nil, fmt.Errorf("wrapping new %s key: %w", k.name, err)
		}
		out = append(out, block...)
	}
	return out, nil
}

// keyBlock writes one key: type ‖ length ‖ wrapped key ‖ 03 ‖ check value. SCP03 puts the key's
// true length before the wrapped bytes, which are padded to whole blocks. // GPCS AMD-D §7.2
func keyBlock(scp byte, k kdf.Secret, w wrapping) ([]byte, error) {
	kcv, err := kdf.KCV(k)
	if err != nil {
		return nil, err
	}
	wrapped, err := w.wrap(k)
	if err != nil {
		return nil, err
	}
	var block []byte
	switch scp {
	case 1:
		block = []byte{putKeyDESECB, byte(len(wrapped))}
	case 2:
		block = []byte{putKeyDES, byte(len(wrapped))}
	default:
		block = []byte{putKeyAES, byte(len(wrapped) + 1), byte(k.Len())}
	}
	block = append(block, wrapped...)
	return append(append(block, byte(len(kcv))), kcv[:]...), nil
}
