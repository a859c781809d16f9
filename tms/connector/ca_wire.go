package connector

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Paths at which a CA answers. // the older CA's, kept as they are
const (
	PathCAEnroll      = "/ca/ee/ca/profileSubmitSSLClient"
	PathCACertificate = "/ca/ee/ca/displayBySerial"
	PathCARevoke      = "/ca/ee/subsystem/ca/doRevoke"
	PathCAUnrevoke    = "/ca/ee/subsystem/ca/doUnrevoke"
)

// Names of the operations in configuration (tps.connector.<id>.uri.<name>).
const (
	opCAEnroll   = "enrollment"
	opCARenew    = "renewal"
	opCAGet      = "getcert"
	opCARevoke   = "revoke"
	opCAUnrevoke = "unrevoke"
)

// Names of fields. requestId, userid, and attr_ before the name of an attribute are this project's
// own; a CA that does not know them does without.
const (
	fieldXML         = "xml"
	fieldScreenName  = "screenname"
	fieldCAPublicKey = "publickey"
	fieldProfile     = "profileId"
	fieldTokenType   = "tokentype"
	fieldSubject     = "subject"
	fieldSANPrefix   = "req_san_pattern_"
	fieldAttrPrefix  = "attr_"
	fieldRequestID   = "requestId"
	fieldCertOnly    = "b64CertOnly"
	fieldCertSerial  = "serialNumber"
	fieldRenewal     = "renewal"
	fieldRenewSerial = "serial_num"
	fieldOp          = "op"
	fieldReason      = "revocationReason"
	fieldRevokeAll   = "revokeAll"
	fieldRevokeCount = "totalRecordCount"
	fieldError       = "error"
	fieldErrorCode   = "errorCode"

	opRevokeText   = "revoke"
	revokeAllHead  = "(certRecordId="
	revokeAllTail  = ")"
	xmlContentType = "application/xml; charset=utf-8"
	maxXMLTokens   = 256
)

// caReply is the XML answer to enrollment, renewal and retrieval.
type caReply struct {
	XMLName   xml.Name `xml:"XMLResponse"`
	Status    string   `xml:"Status"`
	Error     string   `xml:"Error,omitempty"`
	ErrorCode string   `xml:"ErrorCode,omitempty"`
	RequestID string   `xml:"Requests>Request>Id,omitempty"`
	Subject   string   `xml:"Requests>Request>SubjectDN,omitempty"`
	Serial    string   `xml:"Requests>Request>serialno,omitempty"`
	Cert      string   `xml:"Requests>Request>b64,omitempty"`
}

// caRecord is the XML answer to retrieval.
type caRecord struct {
	XMLName   xml.Name `xml:"xml"`
	Status    string   `xml:"Status"`
	Serial    string   `xml:"serialNumber"`
	Subject   string   `xml:"subjectDN"`
	Cert      string   `xml:"certChainBase64"`
	State     string   `xml:"certificateStatus"`
	Reason    string   `xml:"revocationReason,omitempty"`
	RevokedAt string   `xml:"revokedOn,omitempty"`
}

func marshalXML(v any) ([]byte, error) {
	b, err := xml.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("writing xml: %w", err)
	}
	return append([]byte(xml.Header), b...), nil
}

// parseXML gives the text of the elements of an answer that hold text only, by their local names
// and wherever they stand; the first of a name counts. Depth and number of elements are bounded.
func parseXML(body []byte) (map[string]string, error) {
	d := xml.NewDecoder(bytes.NewReader(body)) //nolint:gosec // tokens only, bounded below
	d.Strict = true
	out := map[string]string{}
	var name string
	var text strings.Builder
	for depth, n := 0, 0; ; n++ {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && depth == 0 && n > 0 {
			return out, nil
		}
		if err != nil || n > maxXMLTokens {
			return nil, fmt.Errorf("%w: no xml, or more than %d parts", ErrProtocol, maxXMLTokens)
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth++
			name = t.Name.Local
			text.Reset()
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			depth--
			if _, dup := out[name]; name != "" && !dup {
				out[name] = strings.TrimSpace(text.String())
			}
			name = ""
		}
	}
}

// decodeCert reads a certificate in base64, white space allowed.
func decodeCert(text string) ([]byte, error) {
	text = strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == ' ' || r == '\t' {
			return -1
		}
		return r
	}, text)
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(der) == 0 {
		return nil, fmt.Errorf("%w: certificate is no base64", ErrProtocol)
	}
	return der, nil
}

// caFailure gives the error that an answer's fields tell of, nil for success.
func caFailure(status, code, reason string) error {
	if status == "0" {
		return nil
	}
	if n, err := strconv.Atoi(status); err != nil || n < 0 {
		return fmt.Errorf("%w: no status", ErrProtocol)
	}
	e := &CAError{Code: CACode(code)}
	if _, known := caCodeText[e.Code]; !known {
		e.Code = CARefused // a CA that gives no code has looked at the request and said no
	}
	if reason != "" && plainText(reason) {
		e.Err = fmt.Errorf("%.300s", reason)
	}
	return e
}

// publicReason is what an error may tell a client.
func publicReason(err error) string {
	e, ok := errors.AsType[*CAError](err)
	if !ok || e.Code == CAInternal {
		return caCodeText[CAInternal]
	}
	text := e.Error()
	if e.Err != nil {
		text = e.Err.Error()
	}
	return strings.Map(func(r rune) rune {
		if r == '&' || r == '=' || r < ' ' {
			return ' '
		}
		return r
	}, text)
}
