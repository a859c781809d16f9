package ldap

import (
	"embed"
	"fmt"
)

//go:embed schema
var schemaFiles embed.FS

// The kinds of directory server that the schema is written for.
const (
	OpenLDAP = "openldap"
	DS389    = "389ds"
)

// SchemaFile is one file of what a directory server needs.
type SchemaFile struct{ Name, Text string }

// SchemaSet is what a directory server needs. The first of Schema is what a directory that Dogtag
// uses has already.
type SchemaSet struct {
	Schema  []SchemaFile
	Indexes SchemaFile
}

// Schema gives the files for a kind of directory server.
func Schema(kind string) (SchemaSet, error) {
	names := map[string][3]string{
		OpenLDAP: {"openldap-dogtag.schema", "openldap-tokenwright.schema", "openldap-indexes.conf"},
		DS389:    {"389ds-dogtag.ldif", "389ds-tokenwright.ldif", "389ds-indexes.ldif"},
	}[kind]
	if names[0] == "" {
		return SchemaSet{}, fmt.Errorf("no schema for %q: %s or %s", kind, OpenLDAP, DS389)
	}
	var files [3]SchemaFile
	for i, name := range names {
		text, err := schemaFiles.ReadFile("schema/" + name)
		if err != nil {
			return SchemaSet{}, err
		}
		files[i] = SchemaFile{name, string(text)}
	}
	return SchemaSet{Schema: files[:2], Indexes: files[2]}, nil
}
