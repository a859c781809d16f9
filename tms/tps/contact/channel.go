package contact

import (
	"context"
	"errors"
	"fmt"
	"io"

	"tokenwright/tms/connector"
	"tokenwright/tms/gp/keys"
	"tokenwright/tms/gp/scp"
	"tokenwright/tms/perso"
	"tokenwright/tms/tps/tokendb"
	"tokenwright/tms/wire"
)

const defaultKeySet = connector.DefaultKeySet

// Sanity checks of what a card answers to INITIALIZE UPDATE.
var (
	errCUIDIsNotKDD = errors.New("card's unique id and key diversification data differ")
	errKVNBounds    = errors.New("card's key version is out of bounds")
)

// ChannelFor says what a channel is for.
type ChannelFor struct {
	kvn       keys.KVN // 0: the card's default
	Encrypted bool     // level 03, else 01
	rmac      bool     // take response MACs if configured and offered
	anyInfo   bool     // accept key information that no record or intent explains
}

// OpenISD selects the card manager and opens a channel to it.
func (r *Run) OpenISD(ctx context.Context, w ChannelFor) (*perso.Channel, error) {
	isd, err := perso.SelectISD(ctx, r.Client, r.Settings.ISDs)
	if err != nil {
		return nil, Failf(channelStatus(err), err, "opening channel to card manager")
	}
	r.Facts.ISD = isd
	w.rmac = true
	ch, err := r.open(ctx, w)
	return ch, Failf(channelStatus(err), err, "opening channel to card manager")
}

// OpenApplet selects the applet and opens a channel to it.
func (r *Run) OpenApplet(ctx context.Context, w ChannelFor) (*perso.Channel, error) {
	if err := perso.SelectApplet(ctx, r.Client, r.Settings.Instance); err != nil {
		return nil, Failf(wire.StatusUpgradeApplet, err, "opening channel to applet")
	}
	ch, err := r.open(ctx, w)
	return ch, Failf(channelStatus(err), err, "opening channel to applet")
}

// open opens a channel to what is selected. The keys the card shows become r.Shown
// only once it has proved them.
func (r *Run) open(ctx context.Context, w ChannelFor) (*perso.Channel, error) {
	challenge, err := r.hostChallenge(ctx)
	if err != nil {
		return nil, fmt.Errorf("host challenge: %w", err)
	}
	o := perso.ChannelOptions{
		Variants:      r.Facts.Variants,
		KVN:           w.kvn,
		KeyID:         r.Settings.KeyID,
		HostChallenge: challenge,
		Level:         scp.CMAC,
		RMAC:          w.rmac && r.Settings.RMAC,
		Host:          scp.HostOptions{EncryptEmpty: true, DropLe: r.Settings.DropLe},
		Check:         func(h perso.Handshake) error { return r.sane(h, w) },
		Keys:          perso.KeyringFunc(r.sessionKeys),
	}
	if w.Encrypted && r.Settings.Encryption {
		o.Level |= scp.CDEC
	}
	if o.KVN == 0 {
		o.KVN = r.defaultKVN()
	}
	ch, err := perso.OpenChannel(ctx, r.Client, o)
	if err != nil {
		return nil, err
	}
	r.Shown = recorded(ch.Handshake())
	r.Log.Info("secure channel open", "protocol", ch.Variant().String(),
		"level", ch.Level().String(), "keys", r.Shown)
	return ch, nil
}

// defaultKVN gives the key version to ask for when nothing calls for another: the
// configured one, else the recorded one if the card lists it beside others, else
// what the card's facts suggest.
func (r *Run) defaultKVN() keys.KVN {
	if r.Settings.KVN != 0 {
		return r.Settings.KVN
	}
	info, err := keys.ParseKeyInfo(r.Card.Record().KeyInfo)
	if err == nil && r.Facts.HoldsBeside(info.KVN) {
		return info.KVN
	}
	return r.Facts.PreferredKVN()
}

// recorded gives key information as token records hold it: under SCP02 the second
// byte is the key index 01, not the protocol.
func recorded(h perso.Handshake) string {
	info := h.Info
	if h.Variant.SCP == 2 {
		info.SCP = 1
	}
	return info.String()
}

// sane checks what the card answered to INITIALIZE UPDATE before anything is
// computed from it.
func (r *Run) sane(h perso.Handshake, w ChannelFor) error {
	if r.Conf.CUIDIsKDD && [10]byte(r.Facts.CUID) != [10]byte(h.KDD) {
		return fmt.Errorf("%w: %s and %s", errCUIDIsNotKDD, r.Facts.CUID, h.KDD)
	}
	if r.Conf.BoundKVN && (h.Info.KVN < r.Conf.MinKVN || h.Info.KVN > r.Conf.MaxKVN) {
		return fmt.Errorf("%w: %s is not %s to %s",
			errKVNBounds, h.Info.KVN, r.Conf.MinKVN, r.Conf.MaxKVN)
	}
	if !r.Conf.CheckKeyInfo || w.anyInfo {
		return nil
	}
	return r.Card.CheckKeyInfo(recorded(h), r.Rules.AllowUnknown)
}

// sessionKeys asks the TKS, which verifies the card's cryptogram.
func (r *Run) sessionKeys(ctx context.Context, h perso.Handshake) (perso.Session, error) {
	resp, err := r.KeyService.ComputeSessionKey(ctx, connector.SessionKeyRequest{
		SCP: h.Variant.SCP, I: h.Variant.I,
		CUID: r.Facts.CUID, KDD: h.KDD, Info: h.Info, KeySet: r.KeySet,
		HostChallenge: h.HostChallenge, CardChallenge: h.CardChallenge, Seq: h.Seq,
		CardCryptogram: h.Cryptogram, ServerSideKeygen: r.ServerKeys,
	})
	if errors.Is(err, connector.ErrCardCryptogram) {
		return perso.Session{}, fmt.Errorf("%w: %w", perso.ErrCardCryptogram, err)
	}
	if err == nil && r.ServerKeys {
		r.Transport = resp.KRATransport
	}
	return perso.Session{Keys: resp.Keys, HostCryptogram: resp.HostCryptogram}, err
}

// hostChallenge gets 8 random bytes from the TKS or from here, as configured.
func (r *Run) hostChallenge(ctx context.Context) ([8]byte, error) {
	var c [8]byte
	if !r.Settings.Connectors[r.Conf.TKS].HostChallenge {
		_, err := io.ReadFull(r.Rand(), c[:])
		return c, err
	}
	b, err := r.KeyService.ComputeRandomData(ctx, len(c))
	if err == nil && len(b) != len(c) {
		err = fmt.Errorf("%w: %d random bytes, want %d", connector.ErrProtocol, len(b), len(c))
	}
	if err != nil {
		return c, err
	}
	return [8]byte(b), nil
}

// Settle closes what earlier sessions left open about the card's keys, by what the
// card has just proved.
func (r *Run) Settle(ctx context.Context) error {
	err := r.Card.Settle(ctx, r.Shown)
	if errors.Is(err, tokendb.ErrKeyInfo) && !r.Conf.CheckKeyInfo {
		r.Log.Warn("card's keys are not the recorded ones, which is not checked", "keys", r.Shown)
		return nil
	}
	return Failf(wire.StatusUpdateTokenDBFailed, err, "settling key information")
}
