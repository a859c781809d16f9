// Package throughput measures how many whole operations a token management system gets through: the
// real parts, a virtual card for each person, records on a disk. It holds benchmarks alone, and must
// not be where anything is tried for being right.
package throughput
