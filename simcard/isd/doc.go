// Package isd is the issuer security domain of a virtual card: its keys, its secure channel, and the
// commands that manage the card's content (GPCS 2.3.1 §11). It answers while it is selected, and
// lends its secure channel to the applets that belong to it.
//
// Persistent changes are single commits of the card's memory, made before the answer is given.
// The package knows neither how applications are selected nor what an applet does with a command,
// and nothing of the host.
package isd
