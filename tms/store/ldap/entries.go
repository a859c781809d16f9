package ldap

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"tokenwright/tms/gp/keys"
	"tokenwright/tms/token"
)

// absent marks an entry that stands for nothing any more.
const absent = "1"

// recordAttrs are a record's attributes but for its name.
func recordAttrs(r token.Record) []attr {
	return []attr{
		one("tokenUserID", r.UserID), one("tokenType", r.Type), one("tokenStatus", r.Status.String()),
		one("tokenReason", string(r.Reason)), one("tokenAppletID", r.AppletID),
		one("keyInfo", r.KeyInfo), one("tokenPolicy", r.Policy.String()),
		one("dateOfCreate", dogtagTime(r.Created)), one("dateOfModify", dogtagTime(r.Modified)),
		one("tmsCreated", exact(r.Created)), one("tmsModified", exact(r.Modified)),
		one("tmsModifiedBy", r.ModifiedBy), one("tmsModifiedWhy", r.ModifiedWhy),
		one("tmsBefore", r.Before.String()), one("tmsRev", strconv.FormatInt(r.Rev, 10)),
		{"tmsWhen", whens(r.Modified)},
	}
}

// readRecord reads a token's entry, Dogtag's or ours. One of Dogtag's is at its first revision.
func readRecord(e *ldap.Entry) (r token.Record, err error) {
	v := e.GetAttributeValue
	r = token.Record{
		UserID: v("tokenUserID"), Type: v("tokenType"), AppletID: v("tokenAppletID"),
		KeyInfo: v("keyInfo"), ModifiedBy: v("tmsModifiedBy"), ModifiedWhy: v("tmsModifiedWhy"), Rev: 1,
	}
	var errs [7]error
	r.CUID, errs[0] = keys.ParseCUID(v("cn"))
	r.Reason, errs[1] = parseReason(v("tokenReason"))
	r.Status, errs[2] = parseStatus(v("tokenStatus"), r.Reason)
	r.Policy, errs[3] = token.ParsePolicy(v("tokenPolicy"))
	r.Created, errs[4] = bothTimes(v("tmsCreated"), v("dateOfCreate"))
	r.Modified, errs[5] = bothTimes(v("tmsModified"), v("dateOfModify"))
	if text := v("tmsRev"); text != "" {
		r.Rev, errs[6] = strconv.ParseInt(text, 10, 64)
	}
	if text := v("tmsBefore"); text != "" {
		var err error
		r.Before, err = token.ParseState(text)
		errs[6] = errors.Join(errs[6], err)
	} else if r.Status == token.Suspended {
		r.Before = token.Active // Dogtag does not say; it suspends tokens that are in use
	}
	if err := errors.Join(errs[:]...); err != nil {
		return token.Record{}, fmt.Errorf("entry %s: %w", e.DN, err)
	}
	return r, nil
}

// parseReason reads a reason; Dogtag writes "none" where there is none.
func parseReason(text string) (token.Reason, error) {
	if strings.EqualFold(text, "none") {
		text = ""
	}
	return token.ParseReason(text)
}

// parseStatus reads a state. Old databases say "lost" and tell by the reason how.
func parseStatus(text string, why token.Reason) (token.State, error) {
	if !strings.EqualFold(text, "lost") {
		return token.ParseState(text)
	}
	for _, s := range []token.State{token.Damaged, token.Suspended, token.Terminated} {
		if token.ReasonFor(s) == why {
			return s, nil
		}
	}
	return token.PermLost, nil
}

// activityAttrs are an activity's attributes but for its name.
func activityAttrs(a token.Activity) []attr {
	return []attr{
		one("tokenID", a.CUID.String()), one("tokenUserID", a.UserID), one("tokenIP", a.IP),
		one("tokenOp", string(a.Op)), one("tokenResult", string(a.Result)),
		one("tokenMsg", a.Message), one("tokenType", a.Type),
		one("dateOfCreate", dogtagTime(a.At)), one("tmsCreated", exact(a.At)),
		one("tmsActor", a.Actor), one("tmsSession", a.Session), {"tmsWhen", whens(a.At)},
	}
}

// activityName names an activity so that it is recorded once, however often that is tried.
func activityName(a token.Activity) string {
	return fmt.Sprintf("%s.%019d.%s", exact(a.At), a.ID, a.CUID)
}

// readActivity reads an activity's entry. Dogtag's are named by microseconds and a thread.
func readActivity(e *ldap.Entry) (a token.Activity, err error) {
	v := e.GetAttributeValue
	a = token.Activity{
		UserID: v("tokenUserID"), IP: v("tokenIP"), Message: v("tokenMsg"), Type: v("tokenType"),
		Actor: v("tmsActor"), Session: v("tmsSession"),
	}
	var errs [5]error
	a.CUID, errs[0] = keys.ParseCUID(v("tokenID"))
	a.Op, errs[1] = token.ParseOp(v("tokenOp"))
	a.Result, errs[2] = token.ParseResult(v("tokenResult"))
	a.At, errs[3] = bothTimes(v("tmsCreated"), v("dateOfCreate"))
	parts := strings.Split(v("cn"), ".")
	number := parts[0]
	if v("tmsCreated") != "" && len(parts) > 1 {
		number = parts[1]
	}
	a.ID, errs[4] = strconv.ParseInt(number, 10, 64)
	if err := errors.Join(errs[:]...); err != nil {
		return token.Activity{}, fmt.Errorf("entry %s: %w", e.DN, err)
	}
	return a, nil
}

// certAttrs are a certificate record's attributes but for its name.
func certAttrs(c token.Certificate) []attr {
	return []attr{
		one("tokenID", c.CUID.String()), one("tokenOrigin", c.Origin.String()),
		one("tokenSerial", "0x"+c.Serial), one("tokenIssuer", c.Issuer),
		one("tokenSubject", c.Subject), one("tokenUserID", c.UserID), one("tokenType", c.Type),
		one("tokenKeyType", c.KeyType), one("tokenStatus", string(c.Status)),
		one("tokenNotBefore", dogtagTime(c.NotBefore)), one("tokenNotAfter", dogtagTime(c.NotAfter)),
		one("dateOfCreate", dogtagTime(c.Created)), one("dateOfModify", dogtagTime(c.Modified)),
		one("tmsCreated", exact(c.Created)), one("tmsModified", exact(c.Modified)),
		one("tmsNotBefore", exact(c.NotBefore)), one("tmsNotAfter", exact(c.NotAfter)),
		one("tmsAuthority", c.Authority), one("tmsCA", c.CA), one("tmsKRA", c.KRA),
		one("tmsKeyID", c.KeyID), one("tmsContainer", strconv.Itoa(c.Container)),
		one("tmsPresence", string(c.Presence)), {"tmsWhen", whens(c.Created)},
	}
}

// readCert reads a certificate's entry. Of what Dogtag does not write, the token is taken to hold the
// certificate, and userCertificate is the key identifier of its CA in base64.
func readCert(e *ldap.Entry) (c token.Certificate, err error) {
	v := e.GetAttributeValue
	c = token.Certificate{
		CertID:  token.CertID{Issuer: v("tokenIssuer"), Serial: serial(v("tokenSerial"))},
		Subject: v("tokenSubject"), Authority: v("tmsAuthority"), CA: v("tmsCA"), KRA: v("tmsKRA"),
		KeyID: v("tmsKeyID"), UserID: v("tokenUserID"), Type: v("tokenType"),
		KeyType: v("tokenKeyType"), Presence: token.Held,
	}
	var errs [9]error
	c.CUID, errs[0] = keys.ParseCUID(v("tokenID"))
	c.Origin = c.CUID
	if text := v("tokenOrigin"); text != "" {
		c.Origin, errs[1] = keys.ParseCUID(text)
	}
	c.Status, errs[2] = parseCertStatus(v("tokenStatus"))
	if text := v("tmsPresence"); text != "" {
		c.Presence, errs[3] = token.ParsePresence(text)
	}
	c.NotBefore, errs[4] = bothTimes(v("tmsNotBefore"), v("tokenNotBefore"))
	c.NotAfter, errs[5] = bothTimes(v("tmsNotAfter"), v("tokenNotAfter"))
	c.Created, errs[6] = bothTimes(v("tmsCreated"), v("dateOfCreate"))
	c.Modified, errs[7] = bothTimes(v("tmsModified"), v("dateOfModify"))
	if text := v("tmsContainer"); text != "" {
		c.Container, errs[8] = strconv.Atoi(text)
	}
	if c.Authority == "" {
		c.Authority = dogtagAuthority(e)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return token.Certificate{}, fmt.Errorf("entry %s: %w", e.DN, err)
	}
	return c, nil
}

func dogtagAuthority(e *ldap.Entry) string {
	for _, name := range []string{"userCertificate", "userCertificate;binary"} {
		if id, err := base64.StdEncoding.DecodeString(e.GetAttributeValue(name)); err == nil &&
			len(id) > 0 && len(id) <= token.MaxInfo/2 {
			return hex.EncodeToString(id)
		}
	}
	return ""
}

// serial turns a serial number as Dogtag writes it into ours.
func serial(text string) string {
	text = strings.TrimPrefix(strings.ToLower(text), "0x")
	if cut := strings.TrimLeft(text, "0"); cut != "" {
		return cut
	}
	return text
}

// parseCertStatus reads a status. A certificate that Dogtag calls expired was active before, and one
// that it calls uninitialized is not known to be revoked.
func parseCertStatus(text string) (token.CertStatus, error) {
	switch strings.ToLower(text) {
	case "expired", "uninitialized":
		return token.CertActive, nil
	}
	return token.ParseCertStatus(text)
}

// intentAttrs are the attributes of an intent that is open, but for its name.
func intentAttrs(i token.Intent, tick int64) []attr {
	return []attr{
		one("tmsID", i.ID), one("tokenID", i.CUID.String()), one("tmsSeq", tickText(tick)),
		one("tokenOp", string(i.Op)), one("tmsKind", string(i.Kind)), one("tmsFrom", i.From),
		one("tmsTo", i.To), one("tmsDetail", i.Detail), one("tmsActor", i.Actor),
		one("tmsSession", i.Session), one("tmsCreated", exact(i.At)),
		{"tmsWhen", whens(time.Unix(0, tick))},
	}
}

// readIntent reads an intent's entry.
func readIntent(e *ldap.Entry) (i token.Intent, err error) {
	v := e.GetAttributeValue
	i = token.Intent{
		ID: v("tmsID"), Op: token.Op(v("tokenOp")), Kind: token.IntentKind(v("tmsKind")),
		From: v("tmsFrom"), To: v("tmsTo"), Detail: v("tmsDetail"), Actor: v("tmsActor"),
		Session: v("tmsSession"), EndedBy: v("tmsEndedBy"),
	}
	if state := v("tmsState"); state != stateOpen {
		i.Outcome = token.Outcome(state)
	}
	var errs [3]error
	i.CUID, errs[0] = keys.ParseCUID(v("tokenID"))
	i.At, errs[1] = parseExact(v("tmsCreated"))
	i.Ended, errs[2] = parseExact(v("tmsEnded"))
	if err := errors.Join(errs[:]...); err != nil {
		return token.Intent{}, fmt.Errorf("entry %s: %w", e.DN, err)
	}
	return i, nil
}

func tickText(tick int64) string { return fmt.Sprintf("%019d", tick) }
