package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"tokenwright/features/lab"
	"tokenwright/fixtures/ldap"
)

// vpcdPort is where the examples put the reader: apart from the ports of vsmartcard's own driver.
const vpcdPort = 35999

// greeting is what a newcomer has to know.
type greeting struct {
	TPS       string `json:"tps"`
	PhoneHome string `json:"phoneHome"`
	TKS       string `json:"tks"`
	KRA       string `json:"kra"`
	CA        string `json:"ca"`
	Public    string `json:"public"` // certificates, revocation lists, OCSP
	Trust     string `json:"trust"`  // certificate file, for TLS
	Dir       string `json:"dir"`
	Users     []user `json:"users"`
}

type user struct {
	UID      string `json:"uid"`
	Password string `json:"password"`
}

func newGreeting(dir string, p ports, users []ldap.User) greeting {
	g := greeting{
		TPS:       "https://" + addr(p.tps) + "/tps/tps",
		PhoneHome: "https://" + addr(p.tps) + "/tps/phoneHome",
		TKS:       "https://" + addr(p.tks),
		KRA:       "https://" + addr(p.kra),
		CA:        "https://" + addr(p.ca),
		Public:    publicURL(p),
		Trust:     lab.CAFile(dir), Dir: dir,
	}
	for _, u := range users {
		g.Users = append(g.Users, user{u.UID, u.Password})
	}
	return g
}

func greet(out io.Writer, asJSON bool, g greeting) error {
	if asJSON {
		return json.NewEncoder(out).Encode(g)
	}
	first := g.Users[0]
	var users strings.Builder
	for _, u := range g.Users {
		fmt.Fprintf(&users, "  user %-7s password %s\n", u.UID, u.Password)
	}
	_, err := fmt.Fprintf(out, `A token management system is running, for trying out. Its passwords are public.

  TPS       %[1]s
  TKS       %[3]s    KRA  %[2]s
  CA        %[5]s    its list, OCSP, ...  %[6]s/ca/
  instance  %[4]s
%[7]s
Type next, in a second terminal: a card.

  bin/simcard run --stock sce7-scp03 --vpcd 127.0.0.1:%[8]d

And in a third one: the client, which makes it the card of %[9]s. 123456 is the card's PIN.

  dir=%[4]s
  echo %[10]s | bin/esc format --vpcd %[8]d --ca $dir/ca/ca.crt --user %[9]s \
      --password-stdin --url %[1]s
  printf '%%s\n' %[10]s 123456 | bin/esc enroll --vpcd %[8]d --ca $dir/ca/ca.crt --user %[9]s \
      --password-stdin --pin-stdin
  bin/esc status --vpcd %[8]d
  printf '%%s\n' %[10]s 654321 | bin/esc pin-reset --vpcd %[8]d --ca $dir/ca/ca.crt --user %[9]s \
      --password-stdin --pin-stdin
  printf '%%s\n' %[10]s 654321 | bin/esc renew --vpcd %[8]d --ca $dir/ca/ca.crt --user %[9]s \
      --password-stdin --pin-stdin
  bin/tms ca list ca1 --dir $dir
  bin/tms kra list --kra %[2]s --as $dir/kra-agents/ann

Without --password-stdin and --pin-stdin they ask. Ctrl-C ends it.
`, g.TPS, g.KRA, g.TKS, g.Dir, g.CA, g.Public, users.String(), vpcdPort, first.UID, first.Password)
	return err
}
