package registration

import (
	"context"
	"errors"

	"github.com/go-ldap/ldap/v3"

	"tokenwright/features/lab"
	"tokenwright/features/loopback"
	"tokenwright/features/servers"
	people "tokenwright/fixtures/ldap"
)

// directory is one that a scenario registers tokens in.
type directory interface {
	port() int
	// set has the directory know these people, as they are now.
	set(users []people.User) error
	close() error
}

// embedded is the laboratory's own kind of directory. It reads its people when it starts.
type embedded struct {
	at      int
	running *lab.Directory
}

func startEmbedded(users []people.User) (*embedded, error) {
	port, err := loopback.Port() // it is started again there
	if err != nil {
		return nil, err
	}
	d, err := lab.StartDirectory(loopback.Addr(port), users)
	if err != nil {
		return nil, err
	}
	return &embedded{at: port, running: d}, nil
}

func (d *embedded) port() int { return d.at }

func (d *embedded) set(users []people.User) (err error) {
	d.running.Close()
	d.running, err = lab.StartDirectory(loopback.Addr(d.at), users)
	return err
}

func (d *embedded) close() error {
	if d.running != nil {
		d.running.Close()
	}
	return nil
}

// schema defines the attributes that registrations have, under the names as shipped, beside those
// of the token database, which has tokenType.
const schema = `
attributetype ( 1.3.6.1.4.1.99999.1.11 NAME 'certsToAdd' EQUALITY caseExactMatch
	SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.99999.1.12 NAME 'tokenCUID' EQUALITY caseIgnoreMatch
	SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.99999.1.13 NAME 'registrationtype' EQUALITY caseIgnoreMatch
	SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.99999.1.14 NAME ( 'badge' 'badgeType' ) EQUALITY caseIgnoreMatch
	SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
`

// openLDAP is a real directory server.
type openLDAP struct{ server *servers.Directory }

func startOpenLDAP(ctx context.Context, users []people.User) (*openLDAP, error) {
	s, err := servers.StartSlapd(ctx, servers.SlapdOptions{Schema: schema, NoSync: true})
	if err != nil {
		return nil, err
	}
	d := &openLDAP{s}
	if err := errors.Join(s.NewBase("ou=people,"+servers.Suffix), d.set(users)); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return d, nil
}

func (d *openLDAP) port() int { return d.server.Port() }

func (d *openLDAP) close() error { return d.server.Stop() }

func (d *openLDAP) set(users []people.User) error {
	c, err := d.server.Root()
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := put(c, u); err != nil {
			return errors.Join(err, c.Close())
		}
	}
	return c.Close()
}

// put has an entry say what it should, whatever it said.
func put(c *ldap.Conn, u people.User) error {
	dn := "uid=" + ldap.EscapeDN(u.UID) + ",ou=people," + servers.Suffix
	err := c.Del(ldap.NewDelRequest(dn, nil))
	if err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		return err
	}
	add := ldap.NewAddRequest(dn, nil)
	add.Attribute("objectClass", []string{"inetOrgPerson", "extensibleObject"})
	for name, value := range map[string]string{
		"uid": u.UID, "cn": u.CN, "sn": u.SN, "givenName": u.GivenName, "mail": u.Mail,
		"userPassword": u.Password,
	} {
		add.Attribute(name, []string{value})
	}
	for name, values := range u.Attributes {
		add.Attribute(name, values)
	}
	return c.Add(add)
}
