// Package programs finds and runs programs that nobody here wrote: it knows which Debian package
// each comes with, gives it a time limit, and keeps what it says. It must not know cards, or what
// an answer means.
package programs
