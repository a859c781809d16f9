// Package contact is one contact with one card: what every operation of a token processing system
// does alike. It reads the card, decides its token type, key set and person, opens channels,
// loads the applet, changes the keys, sets the PIN, and names what went wrong.
//
// It owns what is recorded before and after a step of these that cannot be undone, and the code
// that the client is told when one fails. It must not know which operation it serves, nor HTTP or
// how messages are framed (Client carries both), how card keys are derived (TKS), how a person is
// recognised (auth), where records are kept (tokendb over a store), or which APDU a step is made
// of (perso).
package contact
