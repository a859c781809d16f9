// Package registry is the content of a virtual card: which load files and application instances it
// holds, in which life cycle state, and how much memory they take (GPCS 2.3.1 §6.4.1, the
// GlobalPlatform registry).
//
// Every change is one commit of the card's memory. The package knows no APDU and no key; who may
// change the registry, and how a change is asked for, is the security domain's business.
package registry
