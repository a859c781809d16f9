package tks

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/kdf"
	"tokenwright/tms/gp/keys"
)

// Options are what a Service needs beside its configuration.
type Options struct {
	// Stores are the homes of master keys by the names that mk_mappings give them; "" is the
	// default one, which stands for a mapping without store as well.
	Stores map[string]MasterKeys
	// Rand is where random numbers come from; nil means crypto/rand.
	Rand io.Reader
	// Log gets one line a request; nil discards.
	Log *slog.Logger
	// TransportCert is the KRA's transport certificate; nil means that no transport keys are
	// made and requests for them are refused.
	TransportCert *x509.Certificate
}

// Service is a token key service. It implements connector.TKS and connector.SCP02Stepper and is
// safe for concurrent use.
type Service struct {
	sets      map[string]*keySet
	rand      io.Reader
	log       *slog.Logger
	transport *transporter // nil without transport certificate
	staticKEK bool
}

var (
	_ connector.TKS          = (*Service)(nil)
	_ connector.SCP02Stepper = (*Service)(nil)
)

// New checks the whole configuration, every master key that it maps and the arithmetic itself,
// and gives a service. The error names each thing that is wrong by its configuration key.
func New(ctx context.Context, cfg Config, o Options) (*Service, error) {
	if err := SelfTest(); err != nil {
		return nil, err
	}
	s := &Service{rand: o.Rand, log: o.Log, staticKEK: cfg.StaticKEK}
	if s.rand == nil {
		s.rand = rand.Reader
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.sets, err = loadKeySets(ctx, cfg, o.Stores); err != nil {
		return nil, fmt.Errorf("token key service configuration: %w", err)
	}
	if o.TransportCert != nil {
		s.transport, err = newTransporter(o.TransportCert, cfg.PKCS1v15, s.rand)
		if err != nil {
			return nil, fmt.Errorf("token key service configuration: %w", err)
		}
	}
	return s, nil
}

// set gives a key set by name.
func (s *Service) set(name string) (*keySet, error) {
	if name == "" {
		name = connector.DefaultKeySet
	}
	k, ok := s.sets[name]
	if !ok {
		return nil, connector.Errorf(connector.StatusConfig, "no key set %q", name)
	}
	return k, nil
}

// cardKeys gives a card's static keys and where they come from, after checking the request.
func (s *Service) cardKeys(c connector.CardID) (kdf.CardKeys, error) {
	if p := c.Protocol(); p < 1 || p > 3 {
		return kdf.CardKeys{}, connector.Errorf(connector.StatusParameter,
			"no secure channel protocol %d", p)
	}
	if c.Info.KVN == 0 {
		return kdf.CardKeys{}, connector.Errorf(connector.StatusParameter, "key version 00")
	}
	k, err := s.set(c.KeySet)
	if err != nil {
		return kdf.CardKeys{}, err
	}
	return k.cardKeys(c)
}

// ComputeSessionKey implements connector.TKS. The card cryptogram is verified in every case:
// nothing can turn that off.
func (s *Service) ComputeSessionKey(ctx context.Context, r connector.SessionKeyRequest) (
	res connector.SessionKeyResponse, err error,
) {
	defer func() { s.report(ctx, "compute session key", r.Card(), err) }()
	ck, sk, err := s.session(r)
	if err != nil {
		return res, err
	}
	if r.ServerSideKeygen {
		kek := dekWrapper(r.Card().Protocol(), ck.DEK, sk.Keys.SDEK)
		if sk.KRATransport, err = s.transportKeys(kek); err != nil {
			return res, err
		}
	}
	if static, ok := ck.DEK.(keys.Key); ok && s.staticKEK && r.Card().Protocol() == 3 {
		sk.Keys.SDEK = static
	}
	return sk, nil
}

// session derives session keys and verifies the card.
func (s *Service) session(r connector.SessionKeyRequest) (
	ck kdf.CardKeys, res connector.SessionKeyResponse, err error,
) {
	ch, err := challenges(r)
	if err != nil {
		return ck, res, err
	}
	if ck, err = s.cardKeys(r.Card()); err != nil {
		return ck, res, err
	}
	scp := r.Card().Protocol()
	sk, err := sessionKeys(scp, ck, ch)
	if err != nil {
		return ck, res, derivationError(err)
	}
	host, card, err := kdf.Cryptograms(scp, sk, ch)
	if err != nil {
		return ck, res, &connector.Error{Status: connector.StatusHostCryptogram, Err: err}
	}
	if subtle.ConstantTimeCompare(card[:], r.CardCryptogram[:]) != 1 {
		return ck, res, &connector.Error{Status: connector.StatusCardCryptogram}
	}
	return ck, connector.SessionKeyResponse{Keys: sk, HostCryptogram: host}, nil
}

func sessionKeys(scp byte, ck kdf.CardKeys, ch kdf.Challenges) (keys.SessionKeys, error) {
	switch scp {
	case 1:
		return kdf.SessionSCP01(ck, ch.Host, [8]byte(ch.Card))
	case 2:
		return kdf.SessionSCP02(ck, ch.Seq)
	default:
		return kdf.SessionSCP03(ck, ch.Host, [8]byte(ch.Card))
	}
}

// challenges checks the lengths that depend on the protocol.
func challenges(r connector.SessionKeyRequest) (kdf.Challenges, error) {
	ch := kdf.Challenges{Host: r.HostChallenge, Card: r.CardChallenge}
	want, scp := connector.ChallengeLen, r.Card().Protocol()
	if scp == 2 {
		want = connector.SCP02ChallengeLen
		if len(r.Seq) != connector.SequenceLen {
			return ch, connector.Errorf(connector.StatusParameter,
				"sequence counter has %d bytes, want %d", len(r.Seq), connector.SequenceLen)
		}
		ch.Seq = [2]byte(r.Seq)
	}
	if len(r.CardChallenge) != want {
		return ch, connector.Errorf(connector.StatusParameter,
			"card challenge has %d bytes, want %d", len(r.CardChallenge), want)
	}
	return ch, nil
}

// DeriveSCP02Key implements connector.SCP02Stepper.
func (s *Service) DeriveSCP02Key(ctx context.Context, r connector.SCP02KeyRequest) (
	res connector.SCP02KeyResponse, err error,
) {
	id := connector.CardID{SCP: 2, CUID: r.CUID, KDD: r.KDD, Info: r.Info, KeySet: r.KeySet}
	defer func() { s.report(ctx, "derive scp02 key without card cryptogram", id, err) }()
	ck, err := s.cardKeys(id)
	if err != nil {
		return res, err
	}
	sk, err := kdf.SessionSCP02(ck, r.Seq)
	if err != nil {
		return res, derivationError(err)
	}
	switch r.Constant {
	case [2]byte{0x01, 0x82}:
		res.Key = sk.SENC
	case [2]byte{0x01, 0x01}:
		res.Key = sk.SMAC
	case [2]byte{0x01, 0x02}:
		res.Key = sk.SRMAC
	case [2]byte{0x01, 0x81}:
		res.Key = sk.SDEK
		// An old TPS looks for transport keys in this answer whether it asked for them or not.
		if r.ServerSideKeygen || s.transport != nil {
			res.KRATransport, err = s.transportKeys(dekWrapper(2, ck.DEK, sk.SDEK))
		}
	default:
		err = connector.Errorf(connector.StatusParameter, "no derivation constant %X", r.Constant)
	}
	if err != nil {
		return connector.SCP02KeyResponse{}, err
	}
	return res, nil
}

// EncryptData implements connector.TKS: always the caller's data, never others in its place.
func (s *Service) EncryptData(ctx context.Context, r connector.EncryptDataRequest) (
	res connector.EncryptDataResponse, err error,
) {
	defer func() { s.report(ctx, "encrypt data", r.Card(), err) }()
	if len(r.Data) != connector.EncryptDataLen {
		return res, connector.Errorf(connector.StatusParameter, "data has %d bytes, want %d",
			len(r.Data), connector.EncryptDataLen)
	}
	ck, err := s.cardKeys(r.Card())
	if err != nil {
		return res, err
	}
	out, err := encryptStatic(r.Card().Protocol(), ck.DEK, r.Data)
	if err != nil {
		return res, derivationError(err)
	}
	return connector.EncryptDataResponse{Data: append([]byte(nil), r.Data...), Encrypted: out}, nil
}

// encryptStatic encrypts under the static DEK: 3DES-ECB, or AES-CBC with zero IV in SCP03.
func encryptStatic(scp byte, dek kdf.Secret, data []byte) ([]byte, error) {
	if scp == 3 {
		return dek.EncryptCBC(nil, data)
	}
	return dek.EncryptECB(data)
}

// ComputeRandomData implements connector.TKS.
func (s *Service) ComputeRandomData(ctx context.Context, n int) (b []byte, err error) {
	if n < 1 || n > connector.MaxRandomLen {
		return nil, connector.Errorf(connector.StatusParameter, "%d random bytes, want 1 to %d", n,
			connector.MaxRandomLen)
	}
	b = make([]byte, n)
	if _, err := io.ReadFull(s.rand, b); err != nil {
		return nil, &connector.Error{Status: connector.StatusHostCryptogram, Err: err}
	}
	s.log.Debug("random data", "caller", connector.Caller(ctx), "session", connector.Session(ctx),
		"bytes", n)
	return b, nil
}

// report logs who asked what for which card and how it went. It knows no keys.
func (s *Service) report(ctx context.Context, op string, c connector.CardID, err error) {
	set := c.KeySet
	if set == "" {
		set = connector.DefaultKeySet
	}
	attrs := []slog.Attr{
		slog.String("caller", connector.Caller(ctx)), slog.String("session", connector.Session(ctx)),
		slog.String("cuid", c.CUID.String()), slog.String("keySet", set),
		slog.String("keyInfo", c.Info.String()), slog.Int("scp", int(c.Protocol())),
	}
	if err == nil {
		s.log.LogAttrs(ctx, slog.LevelInfo, op, append(attrs, slog.String("outcome", "ok"))...)
		return
	}
	attrs = append(attrs, slog.String("outcome", "refused"),
		slog.Int("status", int(connector.StatusOf(err))), slog.String("error", err.Error()))
	s.log.LogAttrs(ctx, slog.LevelWarn, op, attrs...)
}

// derivationError gives err a status: that of the configuration when a key does not suit the
// protocol, otherwise that of a failed derivation.
func derivationError(err error) error {
	if errors.Is(err, kdf.ErrAlgorithm) {
		return &connector.Error{Status: connector.StatusConfig, Err: err}
	}
	return &connector.Error{Status: connector.StatusDerivation, Err: err}
}
