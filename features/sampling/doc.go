// Package sampling plans the inspection of lots by attributes: how many cards of a lot to look at and
// how many bad ones it may have, by ISO 2859-1:1999, single sampling, and the rules that switch
// between normal, tightened and reduced inspection from lot to lot.
//
// It owns the tables and the rules. It must not know cards, verdicts or where a series of lots is kept.
package sampling
