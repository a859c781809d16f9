package lab

import (
	"fmt"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	people "tokenwright/fixtures/ldap"
)

func TestDirectoryKnowsItsPeople(t *testing.T) {
	users, err := people.Users()
	require.NoError(t, err)
	d, err := StartDirectory("127.0.0.1:0", users)
	require.NoError(t, err)
	defer d.Close()

	for _, u := range users {
		c, err := ldap.DialURL(fmt.Sprintf("ldap://127.0.0.1:%d", d.Port()))
		require.NoError(t, err)
		dn := "uid=" + u.UID + ",ou=people," + BaseDN
		require.Error(t, c.Bind(dn, u.Password+"x"))
		require.NoError(t, c.Bind(dn, u.Password))
		res, err := c.Search(ldap.NewSearchRequest(BaseDN, ldap.ScopeWholeSubtree,
			ldap.NeverDerefAliases, 10, 5, false, "(uid="+u.UID+")", nil, nil))
		require.NoError(t, err)
		require.Len(t, res.Entries, 1)
		t.Log(res.Entries[0].DN)
		require.Equal(t, u.Mail, res.Entries[0].GetAttributeValue("mail"))
		require.NoError(t, c.Bind(res.Entries[0].DN, u.Password), "the DN found must bind")
		c.Close()
	}
}
