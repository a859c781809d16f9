package ldap

import (
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// filter is a search filter. It is made by the functions below alone, which escape every value.
type filter struct{ text string }

// equals matches entries that have the value.
func equals(attr, value string) filter {
	return filter{"(" + attr + "=" + ldap.EscapeFilter(value) + ")"}
}

// has matches entries that have any value.
func has(attr string) filter { return filter{"(" + attr + "=*)"} }

func not(f filter) filter { return filter{"(!" + f.text + ")"} }

func and(all ...filter) filter { return join("&", all) }

func or(all ...filter) filter { return join("|", all) }

func join(op string, all []filter) filter {
	if len(all) == 1 {
		return all[0]
	}
	var b strings.Builder
	b.WriteString("(" + op)
	for _, f := range all {
		b.WriteString(f.text)
	}
	return filter{b.String() + ")"}
}

// name is a distinguished name. What configuration gives is parsed, and what is put before it is
// escaped.
type name struct{ text string }

// parseName reads a name from configuration.
func parseName(text string) (name, error) {
	_, err := ldap.ParseDN(text)
	return name{text}, err
}

// child names an entry below n.
func (n name) child(attr, value string) name {
	return name{attr + "=" + ldap.EscapeDN(value) + "," + n.text}
}
