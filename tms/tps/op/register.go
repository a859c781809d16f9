package op

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"slices"

	"tokenwright/tms/connector"
	"tokenwright/tms/coolkey/content"
	"tokenwright/tms/perso"
	"tokenwright/tms/token"
	"tokenwright/tms/tps/contact"
	"tokenwright/tms/tps/extreg"
	"tokenwright/tms/tps/profile"
	"tokenwright/tms/tps/routing"
	"tokenwright/tms/wire"
)

// listed is a certificate that the registration names.
type listed struct {
	extreg.Certificate
	routing.Found
	rec token.Certificate
	// got is the certificate with its key, once that was fetched for the card.
	got *routing.Recovered
}

// decideRegistered plans what the registration and the token type say: the keys that the
// type makes, and the certificates that are named. Nothing is changed by that. The user's
// tokens that are out of use play no part: what is to come back is named.
func (n *enrollment) decideRegistered(ctx context.Context) error {
	for _, name := range n.set.KeyTypes {
		n.plan.keys = append(n.plan.keys, planned{Key: n.set.Keys[name]})
	}
	for _, c := range n.Registration.Certificates {
		l, err := n.find(ctx, c)
		if err != nil {
			return err
		}
		n.plan.listed = append(n.plan.listed, l)
	}
	return nil
}

// find looks up a certificate that the registration names, at its CA and on record.
func (n *enrollment) find(ctx context.Context, c extreg.Certificate) (l listed, err error) {
	l.Certificate = c
	l.Found, err = n.Authorities.Find(ctx, c.CA, c.Serial)
	switch {
	case errors.Is(err, routing.ErrNoConnection):
		return l, contact.Failf(wire.StatusMisconfiguration, err, "registered certificate %s", c.Serial)
	case errors.Is(err, connector.ErrCANotFound), errors.Is(err, routing.ErrCertificate):
		return l, contact.Failf(wire.StatusRecoveryFailed, err, "registered certificate")
	case err != nil:
		return l, contact.Failf(wire.StatusCAResponse, err, "registered certificate")
	}
	if c.Brought() {
		if err := n.mayBring(l); err != nil {
			return l, err
		}
	}
	l.rec, err = n.recordOf(ctx, l)
	return l, contact.Failf(wire.StatusDB, err, "looking for records of certificate %s", c.Serial)
}

// mayBring wants a certificate that can be brought to a card, and may be.
func (n *enrollment) mayBring(l listed) error {
	if _, ok := l.Cert.PublicKey.(*rsa.PublicKey); !ok {
		return contact.Refuse(wire.StatusRecoveryFailed, "certificate %s is not for an RSA key: cards take no "+
			"other key from outside", l.Serial)
	}
	now := n.Card.Now()
	valid := !now.Before(l.Cert.NotBefore) && now.Before(l.Cert.NotAfter)
	if !n.Settings.External.AllowInvalid && (!valid || l.Status != token.CertActive) {
		return contact.Refuse(wire.StatusRecoveryFailed, "certificate %s is expired, revoked or on hold",
			l.Serial)
	}
	return nil
}

// recordOf gives the record that the token has, or will have, of a certificate. Where it
// was issued for another token, that one's record says so.
func (n *enrollment) recordOf(ctx context.Context, l listed) (token.Certificate, error) {
	id := token.CertID{Issuer: l.Cert.Issuer.String(), Serial: string(l.Serial)}
	all, err := n.Card.RecordsOf(ctx, id)
	if err != nil {
		return token.Certificate{}, err
	}
	cuid := n.Card.Record().CUID
	for _, rec := range all {
		if rec.CUID == cuid && rec.Presence == token.Held {
			return rec, nil
		}
	}
	rec := token.Certificate{
		CertID: id, Origin: cuid, Subject: l.Cert.Subject.String(), UserID: n.owner(),
		Authority: hex.EncodeToString(l.Cert.AuthorityKeyId),
		NotBefore: l.Cert.NotBefore, NotAfter: l.Cert.NotAfter,
	}
	if len(all) > 0 {
		rec.Origin, rec.UserID, rec.KeyID = all[0].Origin, all[0].UserID, all[0].KeyID
	}
	rec.CUID, rec.CA, rec.KRA = cuid, l.CA, l.KRA
	rec.Type, rec.KeyType, rec.Status = n.TokenType, broughtType, l.Status
	if l.KeyID != "" {
		rec.KeyID = string(l.KeyID)
	}
	return rec, nil
}

// isHeld tells whether the card holds a certificate by its record.
func (n *enrollment) isHeld(id token.CertID) bool {
	return slices.ContainsFunc(n.Card.Holds(), func(c token.Certificate) bool { return c.CertID == id })
}

// keepsListed tells whether the card holds anything that the registration names: another
// applet would take it away.
func (n *enrollment) keepsListed() bool {
	return slices.ContainsFunc(n.plan.listed, func(l listed) bool { return n.isHeld(l.rec.CertID) })
}

// brings tells whether the registration has keys brought to the card.
func (n *enrollment) brings() bool {
	return slices.ContainsFunc(n.plan.listed, func(l listed) bool { return l.Brought() })
}

// fetchListed fetches all that the registration has brought to the card and the card does
// not hold, before anything of it is written.
func (n *enrollment) fetchListed(ctx context.Context, ch *perso.Channel) error {
	for i := range n.plan.listed {
		l := &n.plan.listed[i]
		if !l.Brought() || n.isHeld(l.rec.CertID) {
			continue
		}
		want := l.rec
		if want.KeyID = string(l.KeyID); !n.Settings.External.ByKeyID {
			want.KeyID = "" // the certificate tells
		}
		got, err := n.Authorities.Recover(ctx, want, connector.KeyRecoveryRequest{
			CUID: n.Facts.CUID, UserID: n.keyOwner(), CardTransport: n.cardTransport(ch),
		})
		if err != nil {
			return contact.Failf(wire.StatusRecoveryFailed, err, "bringing registered certificate")
		}
		l.got = &got
	}
	return nil
}

// arrange takes what the registration does not name out of what the card tells, keeps what
// it names out of the way of new keys, and makes sure that there is room for the rest.
func (n *enrollment) arrange() error {
	n.clean()
	for _, l := range n.plan.listed {
		if l.got != nil {
			n.forget(l)
		}
	}
	n.plan.keys = slices.DeleteFunc(n.plan.keys, func(k planned) bool {
		kept := n.keepsIn(k.Container)
		if kept {
			n.Log.Info("no key is made in the place of a registered certificate", "key", k.Name,
				"container", k.Container)
		}
		return kept
	})
	need := 0
	for _, l := range n.plan.listed {
		switch held := n.isHeld(l.rec.CertID); {
		case l.got != nil:
			need++
		case !held && n.adoptTold(l):
		case !held:
			n.Log.Info("registered certificate is not on the card", "serial", string(l.Serial))
		}
	}
	if free := len(n.freeForKeys()); need > free {
		return contact.Refuse(wire.StatusRecoveryFailed, "%d certificates are to be brought, and the card "+
			"has room for %d", need, free)
	}
	return nil
}

// clean takes certificates away from the card that the registration does not name, but
// those in the places of the keys that the token type makes. A registration that names
// none leaves the card as it is.
func (n *enrollment) clean() {
	if len(n.plan.listed) == 0 {
		return
	}
	n.drop(func(c content.Certificate) bool {
		if n.makesIn(c.Fixed.ID()) || n.names(c) {
			return false
		}
		n.remove(c)
		return true
	})
}

// drop takes certificates out of what the card tells, and keys that no other certificate
// there is for.
func (n *enrollment) drop(which func(content.Certificate) bool) {
	gone := map[int]bool{}
	n.content.Certificates = slices.DeleteFunc(n.content.Certificates, func(c content.Certificate) bool {
		out := which(c)
		if out {
			gone[c.Fixed.ID()] = true
		}
		return out
	})
	for _, c := range n.content.Certificates {
		delete(gone, c.Fixed.ID())
	}
	n.content.Keys = slices.DeleteFunc(n.content.Keys, func(k content.Key) bool {
		return gone[k.Fixed.ID()]
	})
}

// forget drops a certificate that the card tells of and has no record of: a session that
// was cut may have brought it, and another may have put another key in its place.
func (n *enrollment) forget(l listed) {
	n.drop(func(c content.Certificate) bool { return string(l.Cert.Raw) == string(c.DER) })
}

// cutAtKeys tells whether a session was cut between a key and what is told of it, so that
// nothing that is told without a record is certain.
func (n *enrollment) cutAtKeys() bool {
	return slices.ContainsFunc(n.Card.OpenIntents(), func(i token.Intent) bool {
		return i.Kind == token.IntentWriteKey || i.Kind == token.IntentWriteContent
	})
}

// remove notes the record of a certificate that is taken away from the card.
func (n *enrollment) remove(c content.Certificate) {
	cert, err := x509.ParseCertificate(c.DER)
	if err != nil {
		n.Log.Warn("certificate on the card can't be read, and is removed", "container", c.Container)
		return
	}
	id := token.CertID{Issuer: cert.Issuer.String(), Serial: cert.SerialNumber.Text(16)}
	n.Log.Info("certificate is not registered, and is removed", "serial", id.Serial)
	if n.isHeld(id) {
		n.removed = append(n.removed, id)
	}
}

// makesIn tells whether the token type makes a key in a container.
func (n *enrollment) makesIn(container int) bool {
	return slices.ContainsFunc(n.set.KeyTypes, func(name string) bool {
		return n.set.Keys[name].Container == container
	})
}

// names tells whether the registration names a certificate on the card.
func (n *enrollment) names(c content.Certificate) bool {
	return slices.ContainsFunc(n.plan.listed, func(l listed) bool {
		return string(l.Cert.Raw) == string(c.DER)
	})
}

// keepsIn tells whether a container holds the key of a certificate that is registered.
func (n *enrollment) keepsIn(container int) bool {
	return slices.ContainsFunc(n.content.Certificates, func(c content.Certificate) bool {
		return c.Fixed.ID() == container && n.names(c)
	})
}

// adoptTold has a certificate recorded that the card tells of, and that came to it in
// another way. It reports whether there is one.
func (n *enrollment) adoptTold(l listed) bool {
	if n.cutAtKeys() {
		n.forget(l)
		return false
	}
	for _, c := range n.content.Certificates {
		if string(l.Cert.Raw) == string(c.DER) {
			rec := l.rec
			rec.Container = c.Fixed.ID()
			n.adopted = append(n.adopted, rec)
			return true
		}
	}
	return false
}

// freeForKeys lists the containers that neither the token type nor the card uses and whose
// keys the card's commands reach.
func (n *enrollment) freeForKeys() (free []int) {
	taken := map[int]bool{}
	for _, c := range n.content.Certificates {
		taken[c.Container], taken[c.Fixed.ID()] = true, true
	}
	for _, k := range n.content.Keys {
		taken[k.Fixed.ID()] = true
	}
	for c := range lastContainer + 1 {
		if !taken[c] && !n.makesIn(c) {
			free = append(free, c)
		}
	}
	return free
}

// broughtType is the kind of key that is brought to a card.
const broughtType = "encryption"

// broughtKey are the settings of a key that is brought to the card, or was: those of the
// token type's encryption keys if it knows any, in another place.
func (n *enrollment) broughtKey(container int, rec token.Certificate) profile.Key {
	k, ok := n.set.Keys[broughtType]
	if !ok {
		k = profile.Key{Label: broughtType + " key for $userid$", Private: content.EncryptionPrivate,
			Public: content.EncryptionPublic}
	}
	k.Name, k.Container, k.Slots = broughtType, container, content.PairSlots(container)
	k.Label += " (" + rec.Serial + ")"
	return k
}

// bringListed brings the certificates that the registration names to the card, with their
// keys.
func (n *enrollment) bringListed(ctx context.Context, ch *perso.Channel) error {
	for _, l := range n.plan.listed {
		if l.got == nil {
			continue
		}
		rec := l.rec
		rec.Container, rec.Status = n.freeForKeys()[0], l.got.Status // arrange made sure of it
		k := n.broughtKey(rec.Container, rec)
		if err := n.importKey(ctx, ch, k, l.got.Key); err != nil {
			return err
		}
		n.adopted = append(n.adopted, rec)
		if err := n.put(k, routing.Issued{Record: rec, Cert: l.got.Cert}, l.got.Public); err != nil {
			return err
		}
		n.Log.Info("certificate brought", "serial", rec.Serial, "container", rec.Container,
			"status", string(rec.Status))
	}
	return nil
}
