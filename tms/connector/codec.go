package connector

import (
	"encoding/hex"
	"fmt"
	"strings"
)

const upperHex = "0123456789ABCDEF"

// EncodeHex writes each byte of b as '#' and two upper-case hex digits, which is how binary
// values travel in requests and answers. No bytes give "".
func EncodeHex(b []byte) string {
	out := make([]byte, 0, 3*len(b))
	for _, v := range b {
		out = append(out, '#', upperHex[v>>4], upperHex[v&0x0F])
	}
	return string(out)
}

// DecodeHex reads what EncodeHex writes, and bare hex as well, digits in either case; the two
// forms don't mix. More than limit bytes is an error; "" gives no bytes and no error. The
// text itself never appears in an error, because it may be a wrapped key.
func DecodeHex(s string, limit int) ([]byte, error) {
	if len(s) > 3*limit {
		return nil, fmt.Errorf("hex value of %d characters is longer than %d bytes", len(s), limit)
	}
	if strings.HasPrefix(s, "#") {
		if len(s)%3 != 0 {
			return nil, fmt.Errorf("hex value of %d characters is no row of #HH", len(s))
		}
		bare := make([]byte, 0, len(s)/3*2)
		for i := 0; i < len(s); i += 3 {
			if s[i] != '#' {
				return nil, fmt.Errorf("hex value lacks its '#' at character %d", i)
			}
			bare = append(bare, s[i+1], s[i+2])
		}
		s = string(bare)
	}
	if len(s) > 2*limit {
		return nil, fmt.Errorf("hex value of %d digits is longer than %d bytes", len(s), limit)
	}
	b := make([]byte, len(s)/2)
	if len(s)%2 != 0 {
		return nil, fmt.Errorf("hex value has an odd number of digits (%d)", len(s))
	}
	if _, err := hex.Decode(b, []byte(s)); err != nil {
		return nil, fmt.Errorf("hex value has a character that is no digit")
	}
	return b, nil
}

// decodeExact reads a value of exactly n bytes.
func decodeExact(s string, n int) ([]byte, error) {
	b, err := DecodeHex(s, n)
	if err != nil {
		return nil, err
	}
	if len(b) != n {
		return nil, fmt.Errorf("%d bytes, want %d", len(b), n)
	}
	return b, nil
}

// Names of the fields on the wire, requests first. // the older TKS's spelling, kept as it is
const (
	fieldServerKeygen = "serversideKeygen"
	fieldCUID         = "tokencuid"
	fieldKDD          = "KDD"
	fieldKeyInfo      = "KeyInfo"
	fieldKeySet       = "keySet"
	fieldOldKeySet    = "oldKeySet"
	fieldCardChal     = "card_challenge"
	fieldHostChal     = "host_challenge"
	fieldCardCrypto   = "card_cryptogram"
	fieldProtocol     = "protocol"
	fieldSequence     = "sequenceCounter"
	fieldConstant     = "derivationConstant"
	fieldNewKeyInfo   = "newKeyInfo"
	fieldWrappedDEK   = "wrappedDekKey"
	fieldData         = "data"
	fieldRandomCount  = "dataNumBytes"

	fieldStatus         = "status"
	fieldSessionKey     = "sessionKey"
	fieldENCKey         = "encSessionKey"
	fieldMACKey         = "macSessionKey"
	fieldRMACKey        = "rmacSessionKey"
	fieldKEKKey         = "kekSessionKey"
	fieldHostCrypto     = "hostCryptogram"
	fieldSessionBits    = "sessionKeyBits"
	fieldWrappedDES     = "kek_wrapped_desKey"
	fieldWrappedAES     = "kek_wrapped_aesKey"
	fieldKeyCheck       = "keycheck"
	fieldKeyCheckDES    = "keycheck_des"
	fieldKeyCheckAES    = "keycheck_aes"
	fieldDRMDES         = "drm_trans_desKey"
	fieldDRMAES         = "drm_trans_aesKey"
	fieldKeySetData     = "keySetData"
	fieldEncryptedData  = "encryptedData"
	fieldRandomData     = "randomData"
	unauthorizedBody    = "unauthorized="
	maxAnswerFields     = 32
	maxAnswerBytes      = 64 << 10
	maxRequestBytes     = 32 << 10
	maxRequestFields    = 32
	maxTransportKey     = 1024 // an RSA block of up to 8192 bits
	maxKeySetData       = 255  // one short PUT KEY
	wrappedKeyLen       = 16
	maxWrappedSession   = 32
	formContentType     = "application/x-www-form-urlencoded"
	sessionHeader       = "X-Session-Id"
	trueText, falseText = "true", "false"
)

// field is one name and value of an answer, in the order it is written.
type field struct{ name, value string }

// encodeAnswer writes fields as the body of an answer. Values hold no '&' by construction.
func encodeAnswer(fields []field) []byte {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(f.name)
		b.WriteByte('=')
		b.WriteString(f.value)
	}
	return []byte(b.String())
}

// parseAnswer reads the body of an answer. A name that occurs twice is an error, as are more
// than maxAnswerFields fields, a field without '=', and an empty body.
func parseAnswer(body []byte) (map[string]string, error) {
	text := strings.TrimRight(string(body), "\r\n")
	if text == "" {
		return nil, fmt.Errorf("%w: empty body", ErrProtocol)
	}
	parts := strings.SplitN(text, "&", maxAnswerFields+1)
	if len(parts) > maxAnswerFields {
		return nil, fmt.Errorf("%w: more than %d fields", ErrProtocol, maxAnswerFields)
	}
	out := make(map[string]string, len(parts))
	for i, p := range parts {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("%w: field %d is no name=value", ErrProtocol, i+1)
		}
		if _, dup := out[name]; dup {
			return nil, fmt.Errorf("%w: field %d repeats a name", ErrProtocol, i+1)
		}
		out[name] = value
	}
	return out, nil
}
