// Command tmsdev is the whole token management system in one process, for trying out: an instance, a
// user directory and a few users whose passwords everybody knows, on loopback.
//
// It owns the command line and what the newcomer reads; it alone, and not tms, links the embedded
// directory and the fixtures.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

const help = `A token management system for trying out, in one process on loopback: token key
service, token processing system, and a user directory with a few users. It prints
its addresses, its users and what to type next.

Nothing here is safe: the users' passwords are public and the vendor keys are the
well-known test keys. For anything else there is "tms init" and "tms serve".

Without --dir everything is gone when it ends. With --dir the instance and its token
database stay, and the next tmsdev with the same --dir goes on with them.

Exit codes: 0 ended as told, 1 failed, 2 wrong command line.`

func main() {
	log.SetOutput(io.Discard) // the embedded directory logs through the global logger
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
