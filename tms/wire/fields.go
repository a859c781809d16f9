package wire

// Field is a name and its value, both decoded.
type Field struct{ Name, Value string }

// Fields is an ordered list of fields; a name occurs once. The zero value is empty.
type Fields []Field

// Get answers the value of name and whether it is there.
func (f Fields) Get(name string) (string, bool) {
	for _, x := range f {
		if x.Name == name {
			return x.Value, true
		}
	}
	return "", false
}

// Map answers the fields as a new map.
func (f Fields) Map() map[string]string {
	m := make(map[string]string, len(f))
	for _, x := range f {
		m[x.Name] = x.Value
	}
	return m
}

// Credential is one answered Param.
type Credential struct {
	ID    string
	Value Secret
}

// Credentials is an ordered list of credentials; an ID occurs once.
type Credentials []Credential

// Get answers the credential of id and whether it is there.
func (c Credentials) Get(id string) (Secret, bool) {
	for _, x := range c {
		if x.ID == id {
			return x.Value, true
		}
	}
	return Secret{}, false
}
