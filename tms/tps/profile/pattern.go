package profile

import "strings"

// Expand puts values into a pattern: $name$ becomes what value gives for name.
// Names without a value stay as they are.
func Expand(pattern string, value func(name string) (string, bool)) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(pattern, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, closed := strings.Cut(rest, "$")
		if v, ok := value(name); closed && ok {
			b.WriteString(v)
			pattern = after
			continue
		}
		b.WriteByte('$')
		pattern = rest
	}
}
