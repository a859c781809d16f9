package main

import (
	"errors"
	"fmt"

	"tokenwright/tms/esc"
	"tokenwright/tms/wire"
)

// errNotEnrolled refuses a renewal that would be a first enrollment: the server cannot tell the
// two apart by what it is asked for.
var errNotEnrolled = errors.New("there is nothing to renew")

var renewCard = operation{
	name: "renew", code: wire.OpEnroll,
	short:    "Have a TPS renew the certificates of an enrolled card",
	doing:    "Renewing",
	done:     "Card %s is renewed",
	again:    "Nobody knows how far it came: renew the card again, and the server sorts it out.",
	setsPIN:  true,
	profiled: true,
	ready: func(s esc.CardStatus) (string, error) {
		if s.State == esc.StateNoApplet || s.State == esc.StateFormatted {
			return "", fmt.Errorf("%w: the card is not enrolled (state: %s); see esc enroll --help",
				errNotEnrolled, s.State)
		}
		return "", nil
	},
	long: `renew asks the TPS at --url for new certificates for the keys of an enrolled
card. A card that is not enrolled is left alone.

The protocol's own operation RENEW (4) is one that no server implements: there, a
renewal is an ENROLL of a card that is recorded as active and whose policy says
RENEW=YES, and that is what this command sends. It is the server that decides. A
card whose policy says RE_ENROLL=YES instead is enrolled anew, with new keys and
perhaps a new PIN, and one whose policy says neither is refused with code 26. Ask
the operator which it is if keys must stay.

Servers ask for a new PIN at a renewal too, and set it. Login and PIN are answered
as esc enroll --help says.`,
	example: `  esc renew --url https://tps.example.com:8443/tps/tps --user jane

  # with everything that may be asked for in files, for a script
  esc renew --user jane --password-file pw.txt --pin-file pin.txt --json`,
}
