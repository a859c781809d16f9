// Package oldclient is a stand-in for the native test client of an older token processing system: its
// soft token, and its way of writing messages. It owns what is odd about both, as recorded from that
// client and pinned by the recording, and shares no code with the system under test: what it agrees on
// with a server was computed twice. It must not know the server.
package oldclient
