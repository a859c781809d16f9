package postgres

import (
	"strconv"
	"strings"
	"sync"
)

// texts keeps what Text has made: texts are constants, or made of a few.
var texts sync.Map

// Text turns the placeholders of SQLite, ? and ?N, into those of PostgreSQL. The text holds no
// question mark otherwise.
func Text(text string) string {
	if made, ok := texts.Load(text); ok {
		return made.(string)
	}
	var b strings.Builder
	n := 0
	for i := range len(text) {
		if text[i] != '?' {
			b.WriteByte(text[i])
			continue
		}
		b.WriteByte('$')
		if i+1 < len(text) && text[i+1] >= '0' && text[i+1] <= '9' {
			continue // its number follows
		}
		n++
		b.WriteString(strconv.Itoa(n))
	}
	texts.Store(text, b.String())
	return b.String()
}
