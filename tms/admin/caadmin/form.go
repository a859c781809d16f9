package caadmin

import (
	"fmt"
	"math/big"
	"strings"
	"time"

	"tokenwright/tms/connector"
)

// Names of what travels are Dogtag's, as far as it has them; what it has not begins with "x-".

// certInfo is a certificate in a list.
type certInfo struct {
	ID             string `json:"id"`
	SubjectDN      string `json:"SubjectDN"`
	IssuerDN       string `json:"IssuerDN,omitempty"`
	Status         string `json:"Status"`
	Type           string `json:"Type"`
	NotValidBefore int64  `json:"NotValidBefore"` // milliseconds
	NotValidAfter  int64  `json:"NotValidAfter"`
	IssuedOn       int64  `json:"IssuedOn"`
	IssuedBy       string `json:"IssuedBy"`
	RevokedOn      int64  `json:"RevokedOn,omitempty"`
	Reason         *int   `json:"RevocationReason,omitempty"`
	State          string `json:"x-state"`
	Profile        string `json:"x-profile"`
	User           string `json:"x-user,omitempty"`
	CUID           string `json:"x-cuid,omitempty"`
	Request        string `json:"x-request"`
	Renews         string `json:"x-renews,omitempty"`
}

// certInfos is a list of certificates.
type certInfos struct {
	Total   int        `json:"total"` // of this page
	Entries []certInfo `json:"entries"`
}

// certData is one certificate.
type certData struct {
	certInfo
	Encoded   string  `json:"Encoded"` // PEM
	NotBefore string  `json:"NotBefore"`
	NotAfter  string  `json:"NotAfter"`
	Events    []Event `json:"x-events,omitempty"`
}

// authority is a CA as Dogtag lists them.
type authority struct {
	ID        string   `json:"id"`
	DN        string   `json:"dn"`
	IssuerDN  string   `json:"issuerDN,omitempty"`
	Enabled   bool     `json:"enabled"`
	Ready     bool     `json:"ready"`
	IsHost    bool     `json:"isHostAuthority"`
	KeyID     string   `json:"x-keyId"`
	NotAfter  int64    `json:"x-notAfter"`
	Subjects  []string `json:"x-chain"`
	Profiles  []string `json:"x-profiles"`
	ChainText string   `json:"x-chainPEM"`
}

// attribute is a name with a value in a request.
type attribute struct {
	Name  string `json:"name"`
	Value string `json:"Value"`
}

// attributeV is the same where Dogtag spells it otherwise.
type attributeV struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// enrollment asks for a certificate.
type enrollment struct {
	ProfileID string `json:"ProfileID"`
	Renewal   bool   `json:"Renewal"`
	Input     []struct {
		Attribute []attribute `json:"Attribute"`
	} `json:"Input"`
	Attributes struct {
		Attribute []attributeV `json:"Attribute"`
	} `json:"Attributes"`
}

// Names of attributes of an enrollment.
const (
	attrType      = "cert_request_type"
	attrCSR       = "cert_request"
	attrUser      = "sn_uid"
	attrRequestID = "x-request-id"
	attrPrefix    = "x-attr-"
)

// requestInfo tells what became of a request.
type requestInfo struct {
	RequestID       string `json:"requestID"`
	RequestType     string `json:"requestType"`
	RequestStatus   string `json:"requestStatus"`
	OperationResult string `json:"operationResult"`
	CertID          string `json:"certId"`
	CertRequestType string `json:"certRequestType,omitempty"`
}

type requestInfos struct {
	Total   int           `json:"total"`
	Entries []requestInfo `json:"entries"`
}

// revocation asks to revoke a certificate, or to put it on hold.
type revocation struct {
	Reason   string `json:"Reason"`
	Comments string `json:"Comments,omitempty"`
}

// crlData is a revocation list; DER is in base64.
type crlData struct {
	Number     int64 `json:"number"`
	Base       int64 `json:"base,omitempty"`
	Entries    int   `json:"entries"`
	ThisUpdate int64 `json:"thisUpdate"`
	NextUpdate int64 `json:"nextUpdate"`
	DER        []byte
}

// reasonNames are Dogtag's names of reasons.
var reasonNames = map[connector.Reason]string{
	connector.ReasonUnspecified: "Unspecified", connector.ReasonKeyCompromise: "Key_Compromise",
	connector.ReasonCACompromise:         "CA_Compromise",
	connector.ReasonAffiliationChanged:   "Affiliation_Changed",
	connector.ReasonSuperseded:           "Superseded",
	connector.ReasonCessationOfOperation: "Cessation_of_Operation",
	connector.ReasonCertificateHold:      "Certificate_Hold",
	connector.ReasonPrivilegeWithdrawn:   "Privilege_Withdrawn",
	connector.ReasonAACompromise:         "AA_Compromise",
}

// ParseReason reads a reason by its number, its name in the standard or Dogtag's, without regard to
// case; "" is unspecified.
func ParseReason(text string) (connector.Reason, error) {
	if text == "" {
		return connector.ReasonUnspecified, nil
	}
	for r, name := range reasonNames {
		if strings.EqualFold(text, name) || strings.EqualFold(text, r.String()) ||
			text == fmt.Sprint(int(r)) {
			return r, nil
		}
	}
	return 0, fmt.Errorf("%.40q is no reason to revoke", text)
}

// formatID writes a serial number as Dogtag does.
func formatID(s connector.Serial) string {
	if s == "" {
		return ""
	}
	return "0x" + string(s)
}

// parseID reads a serial number: hex digits after 0x, else decimal ones.
func parseID(text string) (connector.Serial, error) {
	if len(text) > 1 && strings.EqualFold(text[:2], "0x") {
		return connector.ParseSerial(text)
	}
	return connector.ParseDecimalSerial(text)
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

// status gives Dogtag's word for where a certificate stands.
func status(c Certificate, now time.Time) string {
	ended := !now.Before(c.NotAfter)
	switch {
	case c.State == StateToBeSigned:
		return "INVALID"
	case c.State != StateValid && ended:
		return "REVOKED_EXPIRED"
	case c.State != StateValid:
		return "REVOKED"
	case ended:
		return "EXPIRED"
	case now.Before(c.NotBefore):
		return "INVALID"
	}
	return "VALID"
}

// stateOf reads a filter by status: one of ours, or Dogtag's word for it.
func stateOf(text string) (string, bool) {
	switch strings.ToUpper(text) {
	case "":
		return "", true
	case "VALID":
		return StateValid, true
	case "REVOKED":
		return StateRevoked, true
	}
	for _, s := range States() {
		if strings.EqualFold(s, text) {
			return s, true
		}
	}
	return "", false
}

func infoOf(c Certificate, issuer string, now time.Time) certInfo {
	out := certInfo{ID: formatID(c.Serial), SubjectDN: c.Subject, IssuerDN: issuer,
		Status: status(c, now), Type: "X.509", NotValidBefore: millis(c.NotBefore),
		NotValidAfter: millis(c.NotAfter), IssuedOn: millis(c.Issued), IssuedBy: c.Requester,
		State: c.State, Profile: c.Profile, User: c.User, CUID: c.CUID, Request: c.Request,
		Renews: formatID(c.Renews)}
	if c.RevokedAt != nil {
		out.RevokedOn = millis(*c.RevokedAt)
		if r, err := ParseReason(c.Reason); err == nil {
			out.Reason = new(int(r))
		}
	}
	return out
}

// certificate reads it back.
func (i certInfo) certificate() (Certificate, error) {
	c := Certificate{State: i.State, Subject: i.SubjectDN, Profile: i.Profile, User: i.User, CUID: i.CUID,
		NotBefore: fromMillis(i.NotValidBefore), NotAfter: fromMillis(i.NotValidAfter),
		Issued: fromMillis(i.IssuedOn), Request: i.Request, Requester: i.IssuedBy}
	var err error
	if c.Serial, err = parseID(i.ID); err != nil {
		return c, err
	}
	if i.Renews != "" {
		if c.Renews, err = parseID(i.Renews); err != nil {
			return c, err
		}
	}
	if i.RevokedOn != 0 {
		at := fromMillis(i.RevokedOn)
		c.RevokedAt = &at
	}
	if i.Reason != nil {
		c.Reason = connector.Reason(*i.Reason).String()
	}
	return c, nil
}

func dataOf(c Certificate, issuer string, now time.Time) certData {
	const form = "Mon Jan 02 15:04:05 MST 2006"
	return certData{certInfo: infoOf(c, issuer, now), Encoded: c.PEM, Events: c.Events,
		NotBefore: c.NotBefore.UTC().Format(form), NotAfter: c.NotAfter.UTC().Format(form)}
}

func crlOf(c CRL) crlData {
	return crlData{Number: c.Number, Base: c.Base, Entries: c.Entries, ThisUpdate: millis(c.ThisUpdate),
		NextUpdate: millis(c.NextUpdate), DER: c.DER}
}

func (c crlData) crl() CRL {
	return CRL{Number: c.Number, Base: c.Base, Entries: c.Entries, ThisUpdate: fromMillis(c.ThisUpdate),
		NextUpdate: fromMillis(c.NextUpdate), DER: c.DER}
}

// decimal gives the id of a request that a number makes easy to say; Dogtag's are numbers.
func decimal(s connector.Serial) string {
	if n := s.Int(); n != nil {
		return new(big.Int).Set(n).String()
	}
	return ""
}
