// Package token owns what the token management system knows of a card on
// paper: its record, its state and the reasons for it, the policy that governs
// it, the activities that happened to it, the intents recorded before a step
// that cannot be undone, and the rules that say which change is allowed.
//
// It is pure: values and decisions. It must not know where records are kept,
// what the time is, how a card is spoken to, or who is logged in.
package token
