package esc

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNamesArePrintedForPeople(t *testing.T) {
	uid := asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}
	for want, name := range map[string]pkix.Name{
		"UID=alice,O=Token Key User": {Organization: []string{"Token Key User"},
			ExtraNames: []pkix.AttributeTypeAndValue{{Type: uid, Value: "alice"}}},
		`CN=a\,b\+c,C=DE`: {CommonName: "a,b+c", Country: []string{"DE"}},
		"2.5.4.5=7,CN=x":  {CommonName: "x", SerialNumber: "7"},
		"":                {},
	} {
		raw, err := asn1.Marshal(name.ToRDNSequence())
		require.NoError(t, err)
		assert.Equal(t, want, nameText(raw))
	}
	assert.Equal(t, "name 0500", nameText([]byte{5, 0}))
}
