package conf

import (
	"embed"
	"errors"
	"fmt"
)

//go:embed defaults/*.cfg
var embedded embed.FS

// ErrSubsystem means that there are no defaults of that name.
var ErrSubsystem = errors.New("no such subsystem")

// Defaults answers a new copy of the embedded defaults of a subsystem, "tks" or "tps". Its name
// in errors is "defaults/tps.cfg".
func Defaults(subsystem string) (*File, error) {
	name := "defaults/" + subsystem + ".cfg"
	text, err := embedded.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %q", ErrSubsystem, subsystem)
	}
	return Parse(name, text)
}
