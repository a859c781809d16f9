package op

import (
	"context"
	"slices"

	"tokenwright/tms/connector"
	"tokenwright/tms/coolkey"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/perso"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/tps/routing"
	"tokenwright/tms/wire"
)

// decideRecovery plans what a user gets whose earlier token is out of use. While that
// one may be found, the token is a temporary one.
func (n *enrollment) decideRecovery(ctx context.Context, lost token.Record) error {
	n.Op, n.plan.lost = token.OpRecovery, lost
	reason := lost.Reason
	switch reason {
	case token.ReasonKeyCompromise, token.ReasonDestroyed:
	case token.ReasonOnHold:
		if n.set.Temporary == "" {
			return contact.Refuse(wire.StatusMisconfiguration, "token type %s names no temporary one",
				n.TokenType)
		}
		if err := n.choose(n.set.Temporary); err != nil {
			return err
		}
	default:
		return contact.Refuse(wire.StatusNoSuchLostReason, "token %s is %s for reason %q", lost.CUID,
			lost.Status, reason)
	}
	certs, err := n.Card.CertificatesOf(ctx, lost.CUID)
	if err != nil {
		return contact.Failf(wire.StatusDB, err, "looking for the earlier token's certificates")
	}
	if len(n.set.Recovery[reason]) == 0 {
		return contact.Refuse(wire.StatusMisconfiguration, "token type %s says nothing of recovery after %s",
			n.TokenType, reason)
	}
	for _, name := range n.set.Recovery[reason] {
		if err := n.planRecovery(n.set.Keys[name], reason, certs); err != nil {
			return err
		}
	}
	return n.readmit(ctx)
}

// planRecovery plans what becomes of one key type.
func (n *enrollment) planRecovery(k profile.Key, reason token.Reason, certs []token.Certificate,
) error {
	scheme := k.Loss[reason].Scheme
	if scheme.New() {
		n.plan.keys = append(n.plan.keys, planned{Key: k})
	}
	if !scheme.Recovers() {
		return nil
	}
	if !k.ServerSide {
		return contact.Refuse(wire.StatusRecoveryFailed, "%s keys of token type %s are not made by a "+
			"key recovery authority and can't be recovered", k.Name, n.TokenType)
	}
	last, ok := lastOf(certs, k.Name)
	if !ok {
		return contact.Refuse(wire.StatusInactiveTokenNotFound, "earlier token has no %s certificate", k.Name)
	}
	if scheme.New() {
		free, ok := n.freeContainer()
		if !ok {
			return contact.Refuse(wire.StatusRecoveryFailed, "no container is free for a recovered %s key", k.Name)
		}
		k.Container, k.Slots = free, content.PairSlots(free)
	}
	n.plan.keys = append(n.plan.keys, planned{Key: k, last: &last})
	return nil
}

// lastOf gives the certificate of a key type that was recorded last.
func lastOf(certs []token.Certificate, keyType string) (token.Certificate, bool) {
	for _, c := range slices.Backward(certs) {
		if c.KeyType == keyType && c.KRA != "" && c.Status != token.CertRenewed {
			return c, true
		}
	}
	return token.Certificate{}, false
}

// lastContainer is the last whose key slots fit the card's commands, which have four
// bits for each.
const lastContainer = 7

// freeContainer finds a container that no key of the plan or of the token type has.
func (n *enrollment) freeContainer() (int, bool) {
	taken := map[int]bool{}
	for _, k := range n.set.Keys {
		taken[k.Container] = true
	}
	for _, k := range n.plan.keys {
		taken[k.Container] = true
	}
	for c := range lastContainer + 1 {
		if !taken[c] {
			return c, true
		}
	}
	return 0, false
}

// bringBack puts a certificate of the earlier token and its key on the card. All is
// fetched before the card is touched.
func (n *enrollment) bringBack(ctx context.Context, ch *perso.Channel, k planned) error {
	got, err := n.Authorities.Recover(ctx, *k.last, connector.KeyRecoveryRequest{
		CUID: n.Facts.CUID, UserID: n.keyOwner(), CardTransport: n.cardTransport(ch),
	})
	if err != nil {
		return contact.Failf(wire.StatusRecoveryFailed, err, "recovering %s key", k.Name)
	}
	rec := *k.last
	rec.Container, rec.Status, rec.Type = k.Container, got.Status, n.TokenType
	if err := n.Card.Adopt(ctx, rec); err != nil {
		return contact.Failf(wire.StatusUpdateTokenDBFailed, err, "recording recovered certificate")
	}
	if err := n.importKey(ctx, ch, k.Key, got.Key); err != nil {
		return err
	}
	return n.put(k.Key, routing.Issued{Record: rec, Cert: got.Cert}, got.Public)
}

// keyOwner is who keys are archived for: the user, or a device under its own name.
func (n *enrollment) keyOwner() string {
	if u := n.owner(); u != "" {
		return u
	}
	return n.Facts.CUID.String()
}

// cardTransport gives the keys for the way from the KRA to the card: AES ones where
// the card's own keys are, unless the token type wants DES.
func (n *enrollment) cardTransport(ch *perso.Channel) connector.CardTransport {
	wrap := n.set.Wrap
	if n.Chosen.HasWrap {
		wrap = n.Chosen.Wrap
	}
	if ch.Variant().SCP == 3 && wrap != connector.WrapDES3CBC {
		return connector.CardTransport{DRMTransAESKey: n.Transport.DRMTransAESKey, AESWrap: wrap}
	}
	return connector.CardTransport{DRMTransDESKey: n.Transport.DRMTransDESKey}
}

// importAlgorithm is the byte by which the applet knows how a key is wrapped.
func importAlgorithm(w connector.KeyWrap) byte {
	switch w {
	case connector.WrapAESKWP:
		return coolkey.AlgorithmAESKWP
	case connector.WrapAESCBC:
		return coolkey.AlgorithmAESCBC
	default:
		return coolkey.AlgorithmDESKCV
	}
}
