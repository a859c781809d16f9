package op

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"tokenwright/tms/ca/der"
)

// What is escaped is read back as the same one value, whatever it holds.
func TestEscapeDN(t *testing.T) {
	for value, want := range map[string]string{
		"Adams":           "Adams",
		"O'Neill":         "O'Neill",
		"Müller":          "Müller",
		" a b ":           `\ a b\ `,
		"x,O=Evil":        `x\,O\=Evil`,
		"a+b;c<d>e\"f\\g": `a\+b\;c\<d\>e\"f\\g`,
		"#04024869":       `\#04024869`,
	} {
		assert.Equal(t, want, escapeDN(value))
		name, err := der.ParseName("CN=" + escapeDN(value) + ",O=Board")
		if assert.NoError(t, err, value) && assert.Len(t, name, 2) {
			assert.Equal(t, value, name[0].Value)
		}
	}
	assert.Equal(t, `a\00b\0Ac`, escapeDN("a\x00b\nc"), "a CA refuses it, as one value")
}
