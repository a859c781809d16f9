// Package esc is the client's engine: it opens a conversation with a TPS, passes the server's
// PDUs to a card and the card's answers back, asks the person for what the server requires,
// shows progress, and ends with the server's verdict.
//
// It must not understand what the PDUs do: only the server knows an operation's course, and a
// card's secrets pass through here encrypted between server and card. It decodes APDUs for the
// two things it shows, a card's status and a trace, and masks secrets in both. It knows no
// terminal, no reader and no file: those are its caller's.
package esc
