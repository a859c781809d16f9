package main

import (
	"encoding/json"
	"fmt"
	"io"

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
	CA        string `json:"ca"`
	Dir       string `json:"dir"`
	Users     []user `json:"users"`
}

type user struct {
	UID      string `json:"uid"`
	Password string `json:"password"`
}

func newGreeting(dir string, port int, users []ldap.User) greeting {
	g := greeting{
		TPS:       "https://" + addr(port) + "/tps/tps",
		PhoneHome: "https://" + addr(port) + "/tps/phoneHome",
		TKS:       "https://" + addr(port+1),
		CA:        lab.CAFile(dir), Dir: dir,
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
	_, err := fmt.Fprintf(out, `A token management system is running, for trying out. Its passwords are public.

  TPS          %s
  phone home   %s
  TKS          %s (mutual TLS)
  trust        %s
`, g.TPS, g.PhoneHome, g.TKS, g.CA)
	for _, u := range g.Users {
		if err == nil {
			_, err = fmt.Fprintf(out, "  user         %-7s password: %s\n", u.UID, u.Password)
		}
	}
	if err != nil {
		return err
	}
	first := g.Users[0]
	_, err = fmt.Fprintf(out, `
Type next, in two other terminals: a card, and the client that formats it.

  bin/simcard run --stock sce7-scp03 --vpcd 127.0.0.1:%d
  echo '%s' | bin/esc format --vpcd %d --user %s --password-stdin \
      --url %s --ca %s

Ctrl-C ends it.
`, vpcdPort, first.Password, vpcdPort, first.UID, g.TPS, g.CA)
	return err
}
