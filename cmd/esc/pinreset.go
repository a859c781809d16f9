package main

import "tokenwright/tms/wire"

var resetPIN = operation{
	name: "pin-reset", code: wire.OpResetPIN,
	short:   "Have a TPS set a new PIN on an enrolled card",
	doing:   "Setting a new PIN on",
	done:    "Card %s has its new PIN",
	again:   "Nobody knows whether the PIN is set: reset it again.",
	setsPIN: true, mustPIN: true,
	long: `pin-reset has the TPS at --url give an enrolled card a new PIN, whether the old
one is forgotten or the card is locked. Keys and certificates stay as they are.
The card must be recorded as active, and its policy must allow the reset.

The login asks for whatever the server requires. The new PIN is typed twice,
unseen, or comes from --pin-file or --pin-stdin; its length is checked against
the server's limits before it is sent. Neither a password nor a PIN can stand in
the command line, where others could read it; --trace shows neither.`,
	example: `  # login and PIN are asked for
  esc pin-reset --url https://tps.example.com:8443/tps/tps --user jane

  # a card that knows its TPS; the PIN comes from a file's first line
  esc pin-reset --user jane --password-file pw.txt --pin-file pin.txt`,
}
