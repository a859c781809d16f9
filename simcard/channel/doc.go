// Package channel is what a security domain of a virtual card keeps and does for secure channels: key
// sets with their sequence counters, the counter of failed authentications, the one session there
// can be, and the commands that change keys.
//
// It does the card's end of the protocols by way of package scp. It must not know what is said
// inside a session, nor which application speaks, but for the AID that some challenges are made
// from.
package channel
