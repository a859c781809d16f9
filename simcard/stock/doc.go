// Package stock describes the cards that vendors ship: ATR, identity, protocol, factory keys, memory
// and quirks, each under a name such as "gp211-scp01", and makes single cards out of them.
//
// The stocks are modelled on the kinds of card that token management systems meet; none is a copy of
// a product, and every factory key in them is a published test key. The package knows how a card
// leaves the factory. It must not know what a card does with it, nor anything of a TMS.
package stock
