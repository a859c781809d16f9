// Package gp is the language of GlobalPlatform cards, in both directions: the commands of an issuer
// security domain as types, the data objects a card describes itself with (FCI, CPLC, card
// recognition data, key information), life cycles, privileges and load files.
//
// Every command type has a Command method that prints it and a Parse function that reads it; what
// Parse accepts, Command prints back byte for byte. What a type could not print back, its Parse
// refuses. Parse functions bound every length, never panic, and alias what they are given.
//
// The package computes no cryptogram and holds no key: keys appear wrapped only. It does not know
// who derives keys, in which order commands are sent, or what an applet does. It does no input or
// output, has no clock and no randomness.
package gp
