package main

import (
	"tokenwright/tms/esc"
	"tokenwright/tms/wire"
)

var enrollCard = operation{
	name: "enroll", code: wire.OpEnroll,
	short:    "Have a TPS put a person's keys and certificates on a card",
	doing:    "Enrolling",
	done:     "Card %s is enrolled",
	again:    "Nobody knows how far it came: enroll the card again, and the server sorts it out.",
	setsPIN:  true,
	profiled: true,
	ready: func(s esc.CardStatus) (string, error) {
		if s.State != esc.StatePersonalized {
			return "", nil
		}
		return "The card is enrolled already: the server decides whether to renew its certificates, " +
			"to make new keys, or to refuse.", nil
	},
	long: `enroll has the TPS at --url make a card the card of a person: the person logs in,
chooses a PIN, keys are made on the card or by the server, certificates are
issued for them, and all of it is written to the card. A blank card is formatted
first if the server's profile says so.

The login asks for whatever the server requires, in its own words. The new PIN is
typed twice, unseen, or comes from --pin-file or --pin-stdin; its length is
checked against the server's limits before it is sent. Neither a password nor a
PIN can stand in the command line, where others could read it. The server hands
the PIN to the card inside the secure channel; --trace never shows it.

Keys of 2048 bits take a card 12 seconds, and a slow one over a minute. If
enrolling breaks off, enroll again: the server finishes or undoes what it began.`,
	example: `  # login and PIN are asked for
  esc enroll --url https://tps.example.com:8443/tps/tps --user jane

  # with a password and a PIN from files, and what happened in a form for scripts
  esc enroll --url https://127.0.0.1:8443 --ca ca.pem --user jane \
      --password-file pw.txt --pin-file pin.txt --json

  # both from one pipe: the first line is the password, the second the PIN
  printf '%s\n' "$PASSWORD" "$PIN" | esc enroll --url https://127.0.0.1:8443 \
      --ca ca.pem --user jane --password-stdin --pin-stdin`,
}
