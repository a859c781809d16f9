// Package simcard is a virtual smart card: power, ATR, reset, selection of applications (the OPEN of
// GPCS 2.3.1 §6), and the memory in which all of it persists. Its issuer security domain is package
// isd, its applets are models such as package coolkey; what kind of card it is comes from package
// stock.
//
// A Card fits a reader: it has the methods that a virtual reader calls. Everything it does can be
// made reproducible by a seed, and its power can be cut at any write to its memory.
//
// The package knows cards only. It must not know readers, hosts, users, tokens or a token
// management system; nothing an operator runs links it.
package simcard
