// Package lot keeps the inspection of one lot of cards: its plan, the cards looked at so far and what
// was found, so that an inspection can be interrupted at any moment and goes on from there.
//
// It owns the journal and its rules: a card counts once, and what was written is never changed. It must
// not know how a card is examined.
package lot
