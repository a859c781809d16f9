// Package conf owns CS.cfg as operators know it: lines of key=value, comments, order, the
// defaults that come with each subsystem, and the file of an instance that states differences
// only. It reads and writes the files, answers typed values with errors that name file and
// line, and says which keys of the instance nothing reads.
//
// It does not know what a key means: sections typed for their use live with their consumer.
//
// # The format
//
// A line is blank, a comment (its first visible character is # or !), or key=value. The first
// "=" separates; blanks around key and value do not belong to them; "#" inside a value or a key
// is an ordinary character, because byte values are written #40#41 and key sets have keys such
// as mk_mappings.#02#01. There is no continuation and no escape: a backslash is a backslash.
// A key occurs once in a file; a second one is an error that names both lines.
//
// # Precedence
//
// The value of a key comes from the instance's file, else from the subsystem's embedded
// defaults, else from the code that asks. An instance overrides a default with an empty value
// by stating the key with nothing after "=".
package conf
