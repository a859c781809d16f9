// Package cardprofile describes a card by what it can do and how long it takes, and tells whether
// another card is of the same stock.
//
// It owns the form of a profile, the classes of tolerance and the comparison. It must not know how a
// profile is taken, nor what a verdict is used for.
package cardprofile
