// Package wire owns the language between a token client and the TPS: the messages from
// BEGIN_OP to END_OP, their fields and encodings, the "s=" framing, and the one HTTP request,
// chunked in both directions, that carries them.
//
// It does not know what a PDU means, who may log in, or what an operation does: the bytes for a
// card pass through it unread, and credentials pass through it in a type that redacts itself.
//
// A conversation is strict ping-pong after BEGIN_OP: the server asks, the client answers, until
// the server says END_OP. Each message travels as
//
//	s=<N>&msg_type=<T>&name=value&name=value
//
// where N counts the bytes after the first "&". A writer puts each message into a chunk of its
// own and flushes it; a reader goes by N alone, so split and merged chunks are the same to it.
package wire
