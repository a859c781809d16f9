package op

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"

	"tokenwright/tms/connector"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/keyblob"
	"tokenwright/tms/perso"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/tps/routing"
	"tokenwright/tms/wire"
)

// fill puts keys and certificates on the card, and tells readers about them.
func (n *enrollment) fill(ctx context.Context, ch *perso.Channel) error {
	if err := n.readObjects(ctx, ch); err != nil {
		return err
	}
	if n.plan.renews() {
		if err := n.renew(ctx); err != nil {
			return err
		}
		if len(n.made) == 0 {
			return nil // nothing is due, and the card stays as it is
		}
	}
	if n.Registration != nil {
		if err := n.arrange(); err != nil {
			return err
		}
	}
	for i, k := range n.plan.keys {
		at := percentKeys + (percentKeysEnd-percentKeys)*i/len(n.plan.keys)
		if err := n.Client.Progress(ctx, at, taskKey); err != nil {
			return contact.Failf(wire.StatusConnLost, err, "telling progress")
		}
		if err := n.makeOrRecover(ctx, ch, k); err != nil {
			return err
		}
	}
	if err := n.bringListed(ctx, ch); err != nil {
		return err
	}
	return n.writeObjects(ctx, ch)
}

func (n *enrollment) makeOrRecover(ctx context.Context, ch *perso.Channel, k planned) error {
	if !k.Overwrite && n.occupied(k.Container) {
		return contact.Refuse(wire.StatusMACEnrollPDU, "card has a key in container %d, which %s keys do "+
			"not overwrite", k.Container, k.Name)
	}
	switch {
	case k.last != nil:
		return n.bringBack(ctx, ch, k)
	case k.ServerSide:
		return n.makeInKRA(ctx, ch, k.Key)
	}
	return n.makeOnCard(ctx, ch, k.Key)
}

// makeOnCard has the card make a key pair, and a CA certify it once the card has
// proved that it holds it.
func (n *enrollment) makeOnCard(ctx context.Context, ch *perso.Channel, k profile.Key) error {
	step, err := n.Card.BeginKey(ctx, k.Name, k.Container)
	if err != nil {
		return contact.Failf(wire.StatusUpdateTokenDBFailed, err, "recording intent to make %s key", k.Name)
	}
	if err := n.At(FailKeyIntent); err != nil {
		return err
	}
	public, err := n.generate(ctx, ch, k)
	if err != nil {
		return contact.Failf(wire.StatusMACEnrollPDU, err, "making %s key", k.Name)
	}
	if err := n.At(FailKeyDone); err != nil {
		return err
	}
	step.NoteDone()
	if err := n.At(FailKeyOutcome); err != nil {
		return err
	}
	return n.certify(ctx, k, public, routing.Key{})
}

// generate has the card make a key pair.
func (n *enrollment) generate(ctx context.Context, ch *perso.Channel, k profile.Key) (
	crypto.PublicKey, error,
) {
	o := perso.GenerateOptions{
		Pair: address(k), EC: k.EC, Bits: k.Bits,
		Encrypt: func(ctx context.Context, plain []byte) ([]byte, error) {
			return n.EncryptDEK(ctx, ch, plain)
		},
	}
	challenge, err := n.KeyService.ComputeRandomData(ctx, keyblob.ChallengeLen)
	if err == nil && len(challenge) != keyblob.ChallengeLen {
		err = fmt.Errorf("%w: %d random bytes", connector.ErrProtocol, len(challenge))
	}
	if err != nil {
		return nil, fmt.Errorf("challenge: %w", err)
	}
	o.Challenge = [keyblob.ChallengeLen]byte(challenge)
	return perso.GenerateKey(ctx, ch, o)
}

// address is where on the card a key pair goes, and who may use it.
func address(k profile.Key) coolkey.PairAddress {
	return coolkey.PairAddress{
		Owner: k.Owner, Private: k.Slots.Private, Usage: k.Usage, Public: k.Slots.Public,
	}
}

// makeInKRA has a KRA make a key pair, and a CA certify it, before it comes to the
// card: what is to be archived is archived by then.
func (n *enrollment) makeInKRA(ctx context.Context, ch *perso.Channel, k profile.Key) error {
	req := connector.KeyPairRequest{
		CUID: n.Facts.CUID, UserID: n.keyOwner(), Type: connector.KeyRSA, Bits: k.Bits,
		Archive: k.Archive, Usages: k.Usages, CardTransport: n.cardTransport(ch),
	}
	if k.EC {
		req.Type = connector.KeyEC
	}
	if n.Chosen.Usages != "" {
		req.Usages = n.Chosen.Usages
	}
	key, err := n.Authorities.MakeKey(ctx, n.Card, k.KRA, k.Name, req)
	if err != nil {
		return contact.Failf(wire.StatusMACEnrollPDU, err, "having %s key made", k.Name)
	}
	if err := n.certify(ctx, k, key.Public, key); err != nil {
		return err
	}
	return n.importKey(ctx, ch, k, key)
}

// importKey brings a key pair to the card.
func (n *enrollment) importKey(ctx context.Context, ch *perso.Channel, k profile.Key,
	key routing.Key,
) error {
	step, err := n.Card.BeginKey(ctx, k.Name, k.Container)
	if err != nil {
		return contact.Failf(wire.StatusUpdateTokenDBFailed, err, "recording intent to import %s key", k.Name)
	}
	if err := n.At(FailKeyIntent); err != nil {
		return err
	}
	o := perso.ImportOptions{
		Pair: address(k), Bits: keyBits(key.Public), Wrapped: key.Wrapped,
		Algorithm: importAlgorithm(key.Wrap), IV: key.IV,
		SessionKey: n.Transport.KekWrappedAESKey, Check: n.Transport.KeyCheckAES,
		KeepSource: n.Plain(),
	}
	if key.Wrap == connector.WrapDES3CBC {
		o.SessionKey, o.Check = n.Transport.KekWrappedDESKey, n.Transport.KeyCheckDES
	}
	if err := perso.ImportKey(ctx, ch, o); err != nil {
		return contact.Failf(wire.StatusMACEnrollPDU, err, "importing %s key", k.Name)
	}
	if err := n.At(FailKeyDone); err != nil {
		return err
	}
	step.NoteDone()
	return n.At(FailKeyOutcome)
}

// certify has a CA certify a key, and puts the certificate among what will be
// written. key is where it comes from; its zero value means the card.
func (n *enrollment) certify(ctx context.Context, k profile.Key, public crypto.PublicKey,
	key routing.Key,
) error {
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return contact.Failf(wire.StatusMACEnrollPDU, err, "%s key", k.Name)
	}
	req := routing.Request{
		CA: k.CA, KeyType: k.Name, Type: n.TokenType, UserID: n.owner(), Container: k.Container,
		Enroll: &connector.EnrollRequest{
			ProfileID: k.ProfileID, CUID: n.Facts.CUID, UserID: n.owner(), TokenType: n.TokenType,
			PublicKey: spki, Attributes: n.attributes(),
		},
	}
	if err := n.delegate(k, req.Enroll); err != nil {
		return err
	}
	if k.ServerSide && k.Archive {
		req.KRA, req.KeyID = k.KRA, string(key.KeyID)
	}
	issued, err := n.Authorities.Issue(ctx, n.Card, req)
	if err != nil {
		return contact.Failf(wire.StatusCAResponse, err, "requesting %s certificate", k.Name)
	}
	n.Log.Info("certificate issued", "key", k.Name, "serial", issued.Record.Serial)
	return n.put(k, issued, public)
}
