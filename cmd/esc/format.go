package main

import "tokenwright/tms/wire"

var formatCard = operation{
	name: "format", code: wire.OpFormat,
	short:    "Have a TPS format a card",
	doing:    "Formatting",
	done:     "Card %s is formatted",
	again:    "Nobody knows how far it came: format the card again.",
	profiled: true,
	long: `format has the TPS at --url format the card: the applet is loaded anew, whatever
was on the card is gone, and the card's keys are changed if the server's profile
says so.

Without --url the card is asked where its TPS is (the issuer URL on it). https
is verified against --ca, or against the system's roots; plain http goes to this
machine only. The server decides whether it wants a login. A password is typed,
unseen, or comes from --password-file or --password-stdin; it cannot stand in
the command line, where others could read it.

Interrupting a format leaves the card half done, but not lost: format it again
and the TPS repairs it.`,
	example: `  # a card in the only reader that holds one; the password is asked for
  esc format --url https://tps.example.com:8443/tps/tps --user jane

  # a TPS with its own authority, a profile, progress as plain lines in a log
  esc format --url https://127.0.0.1:8443 --ca ca.pem --token-type userKey \
      --user jane --password-file pw.txt 2>format.log

  # no pcscd: this is the reader, "simcard run --vpcd 127.0.0.1:35963" is the card
  esc format --url https://127.0.0.1:8443 --ca ca.pem --user jane --vpcd 35963

  # what went to the card and came back, readable, and the outcome for a script
  esc format --url https://127.0.0.1:8443 --ca ca.pem --trace trace.txt --json`,
}
