//go:build !unix

package programs

import "os/exec"

// group has nothing to do where programs have no process groups.
func group(*exec.Cmd) {}
