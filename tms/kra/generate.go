package kra

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tokenwright/tms/connector"
	"tokenwright/tms/kra/keydb"
)

// maxUsages bounds what a request says a key is for, in bytes.
const maxUsages = 256

// GenerateKeyPair implements connector.KRA. The key is durably archived, with the event that tells
// of it, before the answer is given.
func (s *Service) GenerateKeyPair(ctx context.Context, r connector.KeyPairRequest) (
	res connector.KeyPairResponse, err error,
) {
	defer func() {
		s.report(ctx, "generate key pair", r.CUID.String(), r.UserID, res.KeyID, err)
	}()
	if err := s.checkKeyPair(r); err != nil {
		return res, err
	}
	w, err := s.transport.open(r.CardTransport, false)
	if err != nil {
		return res, err
	}
	defer w.wipe()
	if r.Archive && r.RequestID != "" {
		switch old, err := s.db.ByRequest(ctx, r.RequestID); {
		case err == nil:
			return s.repeat(ctx, r, old, w)
		case !errors.Is(err, keydb.ErrNotFound):
			return res, readError(err)
		}
	}
	k, err := s.makePair(ctx, r.Type, r.Bits)
	if err != nil {
		return res, &connector.KRAError{Status: connector.KRANoKeygen, Err: err}
	}
	defer k.wipe()
	return s.deliver(ctx, r, k, w)
}

func (s *Service) checkKeyPair(r connector.KeyPairRequest) error {
	bad := func(format string, args ...any) error {
		return connector.KRAErrorf(connector.KRARequest, format, args...)
	}
	if err := errors.Join(connector.CheckUserID(r.UserID),
		connector.CheckRequestID(r.RequestID)); err != nil {
		return bad("%w", err)
	}
	if r.CUID.IsZero() {
		return bad("no card")
	}
	if len(r.Usages) > maxUsages {
		return bad("usages of %d bytes, at most %d", len(r.Usages), maxUsages)
	}
	made := map[connector.KeyType][]int{
		connector.KeyRSA: s.cfg.RSABits, connector.KeyEC: s.cfg.Curves,
	}[r.Type]
	if !slices.Contains(made, r.Bits) {
		return bad("keys of type %.10q and %d bits are not made here", r.Type, r.Bits)
	}
	return nil
}

func (s *Service) makePair(ctx context.Context, kind connector.KeyType, bits int) (*pair, error) {
	if kind == connector.KeyEC {
		return makeEC(bits)
	}
	return s.pool.take(ctx, bits)
}

// deliver wraps a new key, keeps what has to be kept, and answers.
func (s *Service) deliver(ctx context.Context, r connector.KeyPairRequest, k *pair, w *wrapper) (
	res connector.KeyPairResponse, err error,
) {
	res.PublicKey, res.Wrap = k.spki, w.wrap
	if res.Wrapped, res.IV, err = s.transport.wrapPrivate(w, k.pkcs8); err != nil {
		return connector.KeyPairResponse{}, err
	}
	if err := s.failpoint(failGenerated); err != nil {
		return connector.KeyPairResponse{}, &connector.KRAError{Status: connector.KRAInternal, Err: err}
	}
	rec := keydb.Key{RequestID: r.RequestID, CUID: r.CUID, UserID: r.UserID, Type: r.Type,
		Bits: r.Bits, Usages: r.Usages, PublicKey: k.spki, StorageKey: s.vault.Current(),
		Caller: connector.Caller(ctx), Created: s.now()}
	if !r.Archive {
		if err := s.db.Record(ctx, s.event(ctx, keydb.KeyGenerated, rec)); err != nil {
			return connector.KeyPairResponse{}, &connector.KRAError{Status: connector.KRAInternal, Err: err}
		}
		return res, nil
	}
	if rec.Sealed, err = s.vault.Seal(k.pkcs8, rec.Binding()); err != nil {
		return connector.KeyPairResponse{}, &connector.KRAError{Status: connector.KRANoKeygen, Err: err}
	}
	kept, existed, err := s.db.Archive(ctx, rec, s.event(ctx, keydb.KeyArchived, rec))
	if err != nil {
		return connector.KeyPairResponse{}, &connector.KRAError{Status: connector.KRAInternal, Err: err}
	}
	if existed { // the same request was under way twice; the other's key counts
		return s.repeat(ctx, r, kept, w)
	}
	if err := s.failpoint(failArchived); err != nil {
		return connector.KeyPairResponse{}, &connector.KRAError{Status: connector.KRAInternal, Err: err}
	}
	res.KeyID = keyID(kept.ID)
	return res, nil
}

// repeat answers a request that was fulfilled before, with the same key under the new transport
// key. A request that is another one under the same id is refused.
func (s *Service) repeat(ctx context.Context, r connector.KeyPairRequest, k keydb.Key,
	w *wrapper,
) (connector.KeyPairResponse, error) {
	e := s.event(ctx, keydb.KeyRepeated, k)
	if k.CUID != r.CUID || k.UserID != r.UserID || k.Type != r.Type || k.Bits != r.Bits {
		e.Refused, e.Detail = true, fmt.Sprintf("asked as %s-%d for %s:%s", r.Type, r.Bits, r.CUID,
			r.UserID)
		err := connector.KRAErrorf(connector.KRARequest,
			"request id was used for key %d of another request", k.ID)
		return connector.KeyPairResponse{}, errors.Join(err, s.db.Record(ctx, e))
	}
	return s.release(ctx, k, w, e, failArchived)
}

// release gives an archived key: it is wrapped, that it leaves is recorded, then it leaves.
func (s *Service) release(ctx context.Context, k keydb.Key, w *wrapper, e keydb.Event,
	failpoint string,
) (connector.KeyPairResponse, error) {
	plain, err := s.openSealed(ctx, k)
	if err != nil {
		return connector.KeyPairResponse{}, err
	}
	defer clear(plain)
	res := connector.KeyPairResponse{KeyID: keyID(k.ID), PublicKey: k.PublicKey, Wrap: w.wrap}
	if res.Wrapped, res.IV, err = s.transport.wrapPrivate(w, plain); err != nil {
		return connector.KeyPairResponse{}, err
	}
	if err = s.failpoint(failOpened); err == nil {
		err = s.db.Record(ctx, e)
	}
	if err == nil {
		err = s.failpoint(failpoint)
	}
	if err != nil {
		return connector.KeyPairResponse{}, &connector.KRAError{Status: connector.KRAInternal, Err: err}
	}
	return res, nil
}

// RecoverKey implements connector.KRA. Whoever is neither the owner nor one whom agents let share
// the key is told that there is none; that it was tried is recorded.
func (s *Service) RecoverKey(ctx context.Context, r connector.KeyRecoveryRequest) (
	res connector.KeyPairResponse, err error,
) {
	defer func() {
		s.report(ctx, "recover key", r.CUID.String(), r.UserID, res.KeyID, err)
	}()
	if err := connector.CheckUserID(r.UserID); err != nil {
		return res, &connector.KRAError{Status: connector.KRARequest, Err: err}
	}
	if r.CUID.IsZero() {
		return res, connector.KRAErrorf(connector.KRARequest, "no card")
	}
	k, err := s.find(ctx, connector.KeyQuery{KeyID: r.KeyID, Certificate: r.Certificate})
	if err != nil {
		return res, err
	}
	// The event is about the card and user that the key goes to.
	e := s.event(ctx, keydb.KeyRecovered, k)
	e.CUID, e.UserID = r.CUID.String(), r.UserID
	switch ok, err := s.db.MayHave(ctx, k, r.UserID); {
	case err != nil:
		return res, readError(err)
	case !ok:
		e.Refused, e.Detail = true, "not the owner"
		err := connector.KRAErrorf(connector.KRANotFound, "key %d is another user's", k.ID)
		return res, errors.Join(err, s.db.Record(ctx, e))
	}
	w, err := s.transport.open(r.CardTransport, true)
	if err != nil {
		return res, err
	}
	defer w.wipe()
	return s.release(ctx, k, w, e, failRecovered)
}
