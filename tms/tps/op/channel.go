package op

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

// channelFor says what a channel is for.
type channelFor struct {
	kvn       keys.KVN // 0: the card's default
	encrypted bool     // level 03, else 01
	rmac      bool     // take response MACs if configured and offered
	anyInfo   bool     // accept key information that no record or intent explains
}

// openISD selects the card manager and opens a channel to it.
func (r *run) openISD(ctx context.Context, w channelFor) (*perso.Channel, error) {
	isd, err := perso.SelectISD(ctx, r.Client, r.Settings.ISDs)
	if err != nil {
		return nil, failf(channelStatus(err), err, "opening channel to card manager")
	}
	r.facts.ISD = isd
	w.rmac = true
	ch, err := r.open(ctx, w)
	return ch, failf(channelStatus(err), err, "opening channel to card manager")
}

// openApplet selects the applet and opens a channel to it.
func (r *run) openApplet(ctx context.Context, w channelFor) (*perso.Channel, error) {
	if err := perso.SelectApplet(ctx, r.Client, r.Settings.Instance); err != nil {
		return nil, failf(wire.StatusUpgradeApplet, err, "opening channel to applet")
	}
	ch, err := r.open(ctx, w)
	return ch, failf(channelStatus(err), err, "opening channel to applet")
}

// open opens a channel to what is selected. The keys the card shows become r.shown
// only once it has proved them.
func (r *run) open(ctx context.Context, w channelFor) (*perso.Channel, error) {
	challenge, err := r.hostChallenge(ctx)
	if err != nil {
		return nil, fmt.Errorf("host challenge: %w", err)
	}
	o := perso.ChannelOptions{
		Variants:      r.facts.Variants,
		KVN:           w.kvn,
		KeyID:         r.Settings.KeyID,
		HostChallenge: challenge,
		Level:         scp.CMAC,
		RMAC:          w.rmac && r.Settings.RMAC,
		Host:          scp.HostOptions{EncryptEmpty: true, DropLe: r.Settings.DropLe},
		Check:         func(h perso.Handshake) error { return r.sane(h, w) },
		Keys:          perso.KeyringFunc(r.sessionKeys),
	}
	if w.encrypted && r.Settings.Encryption {
		o.Level |= scp.CDEC
	}
	if o.KVN == 0 {
		o.KVN = r.defaultKVN()
	}
	ch, err := perso.OpenChannel(ctx, r.Client, o)
	if err != nil {
		return nil, err
	}
	r.shown = recorded(ch.Handshake())
	r.Log.Info("secure channel open", "protocol", ch.Variant().String(),
		"level", ch.Level().String(), "keys", r.shown)
	return ch, nil
}

// defaultKVN gives the key version to ask for when nothing calls for another: the
// configured one, else the recorded one if the card lists it beside others, else
// what the card's facts suggest.
func (r *run) defaultKVN() keys.KVN {
	if r.Settings.KVN != 0 {
		return r.Settings.KVN
	}
	info, err := keys.ParseKeyInfo(r.card.Record().KeyInfo)
	if err == nil && r.facts.HoldsBeside(info.KVN) {
		return info.KVN
	}
	return r.facts.PreferredKVN()
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
func (r *run) sane(h perso.Handshake, w channelFor) error {
	if r.conf.CUIDIsKDD && [10]byte(r.facts.CUID) != [10]byte(h.KDD) {
		return fmt.Errorf("%w: %s and %s", errCUIDIsNotKDD, r.facts.CUID, h.KDD)
	}
	if r.conf.BoundKVN && (h.Info.KVN < r.conf.MinKVN || h.Info.KVN > r.conf.MaxKVN) {
		return fmt.Errorf("%w: %s is not %s to %s",
			errKVNBounds, h.Info.KVN, r.conf.MinKVN, r.conf.MaxKVN)
	}
	if !r.conf.CheckKeyInfo || w.anyInfo {
		return nil
	}
	return r.card.CheckKeyInfo(recorded(h), r.rules.AllowUnknown)
}

// sessionKeys asks the TKS, which verifies the card's cryptogram.
func (r *run) sessionKeys(ctx context.Context, h perso.Handshake) (perso.Session, error) {
	resp, err := r.tks.ComputeSessionKey(ctx, connector.SessionKeyRequest{
		SCP: h.Variant.SCP, I: h.Variant.I,
		CUID: r.facts.CUID, KDD: h.KDD, Info: h.Info, KeySet: r.keySet,
		HostChallenge: h.HostChallenge, CardChallenge: h.CardChallenge, Seq: h.Seq,
		CardCryptogram: h.Cryptogram, ServerSideKeygen: r.serverKeys,
	})
	if errors.Is(err, connector.ErrCardCryptogram) {
		return perso.Session{}, fmt.Errorf("%w: %w", perso.ErrCardCryptogram, err)
	}
	if err == nil && r.serverKeys {
		r.transport = resp.KRATransport
	}
	return perso.Session{Keys: resp.Keys, HostCryptogram: resp.HostCryptogram}, err
}

// hostChallenge gets 8 random bytes from the TKS or from here, as configured.
func (r *run) hostChallenge(ctx context.Context) ([8]byte, error) {
	var c [8]byte
	if !r.Settings.Connectors[r.conf.TKS].HostChallenge {
		_, err := io.ReadFull(r.random(), c[:])
		return c, err
	}
	b, err := r.tks.ComputeRandomData(ctx, len(c))
	if err == nil && len(b) != len(c) {
		err = fmt.Errorf("%w: %d random bytes, want %d", connector.ErrProtocol, len(b), len(c))
	}
	if err != nil {
		return c, err
	}
	return [8]byte(b), nil
}

// settle closes what earlier sessions left open about the card's keys, by what the
// card has just proved.
func (r *run) settle(ctx context.Context) error {
	err := r.card.Settle(ctx, r.shown)
	if errors.Is(err, tokendb.ErrKeyInfo) && !r.conf.CheckKeyInfo {
		r.Log.Warn("card's keys are not the recorded ones, which is not checked", "keys", r.shown)
		return nil
	}
	return failf(wire.StatusUpdateTokenDBFailed, err, "settling key information")
}
