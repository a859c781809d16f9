// Package perso holds the host-side card sequences that personalisation is
// made of: reading a card's facts, opening a secure channel, loading an
// applet, putting keys, setting the PIN, making and importing the user's keys,
// writing what the token tells about them, and the issuer's address.
//
// It owns the order of the commands, what a refusal means at each step, and the
// rule that no authentication try of a card is spent on keys that have not been
// proved right. Everything goes over one seam, Transmitter, so that a TPS
// session, a reader and an in-process card look alike.
//
// It must not know profiles, token records, configuration files, the client
// protocol or how card keys are derived: session keys come from the caller
// (Keyring), and so does the body of PUT KEY.
package perso
