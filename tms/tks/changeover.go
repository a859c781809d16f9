package tks

import (
	"context"
	"fmt"
	"io"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

// Key types of PUT KEY as cards of each protocol expect them. // GPCS 2.3.1 §11.1.8
const (
	putKeyDESECB = 0x81 // SCP01
	putKeyDES    = 0x80 // SCP02
	putKeyAES    = 0x88 // SCP03
)

// wrapFunc encrypts a key's bytes, a whole number of blocks, for the card.
type wrapFunc func(plain []byte) ([]byte, error)

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
	res.KeySetData, err = keySetData(next.SCP, r.NewInfo.KVN, fresh, wrap, s.rand)
	if err != nil {
		return connector.KeySetDataResponse{}, derivationError(err)
	}
	return res, nil
}

// changeoverWrapper gives what wraps new keys: the present static DEK, or in SCP02 the session's.
func changeoverWrapper(scp byte, dek kdf.Secret, sdek keys.Key) (wrapFunc, error) {
	if scp != 2 {
		return staticDEK(scp, dek), nil
	}
	if sdek.IsZero() || sdek.Algorithm() != keys.DES3 {
		return nil, connector.Errorf(connector.StatusParameter,
			"scp02 needs the session DEK, a DES3 key")
	}
	return sdek.EncryptECB, nil
}

// staticDEK encrypts under a card's static DEK: ECB for DES3, CBC with zero IV for AES.
func staticDEK(scp byte, dek kdf.Secret) wrapFunc {
	if scp == 3 {
		return func(b []byte) ([]byte, error) { return dek.EncryptCBC(make([]byte, 16), b) }
	}
	return dek.EncryptECB
}

// dekWrapper gives what wraps a key for the card in an open channel.
func dekWrapper(scp byte, dek kdf.Secret, sdek keys.Key) wrapFunc {
	if scp == 2 {
		return sdek.EncryptECB
	}
	return staticDEK(scp, dek)
}

// keySetData writes new version ‖ ENC ‖ MAC ‖ DEK, each with its check value. // GPCS 2.3.1 §11.8
func keySetData(scp byte, version keys.KVN, ck kdf.CardKeys, wrap wrapFunc, random io.Reader) (
	[]byte, error,
) {
	out := []byte{byte(version)}
	for _, k := range []struct {
		name string
		key  kdf.Secret
	}{{"ENC", ck.ENC}, {"MAC", ck.MAC}, {"DEK", ck.DEK}} {
		block, err := keyBlock(scp, k.key, wrap, random)
		if err != nil {
			return nil, fmt.Errorf("wrapping new %s key: %w", k.name, err)
		}
		out = append(out, block...)
	}
	return out, nil
}

// keyBlock writes one key: type ‖ length ‖ wrapped key ‖ 03 ‖ check value. SCP03 puts the key's
// true length before the wrapped bytes, which are padded to whole blocks. // GPCS AMD-D §7.2
func keyBlock(scp byte, k kdf.Secret, wrap wrapFunc, random io.Reader) ([]byte, error) {
	kcv, err := kdf.KCV(k)
	if err != nil {
		return nil, err
	}
	plain, err := exportForCard(k)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	n := len(plain)
	if scp == 3 && n%16 != 0 {
		pad := make([]byte, 16-n%16)
		if _, err := io.ReadFull(random, pad); err != nil {
			return nil, err
		}
		plain = append(plain, pad...)
	}
	wrapped, err := wrap(plain)
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
		block = []byte{putKeyAES, byte(len(wrapped) + 1), byte(n)}
	}
	block = append(block, wrapped...)
	return append(append(block, byte(len(kcv))), kcv[:]...), nil
}
