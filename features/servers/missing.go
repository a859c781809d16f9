package servers

import "os"

// Tags are the tags of scenarios that need a server, with what starts it.
const (
	TagPostgres = "@postgresql"
	TagSlapd    = "@slapd"
	Tag389      = "@389ds"
)

// LeftOut answers the tags of scenarios that can't run here, with the reason. In CI there are none:
// what is missing there fails.
func LeftOut() map[string]string {
	out := map[string]string{}
	if Required() {
		return out
	}
	for tag, need := range map[string]struct{ program, folder, pkg string }{
		TagPostgres: {"initdb", "/usr/lib/postgresql/*/bin", "postgresql"},
		TagSlapd:    {"slapd", "/usr/sbin", "slapd"},
		Tag389:      {"ns-slapd", "/usr/sbin", "389-ds-base"},
	} {
		_, err := find(need.program, need.folder)
		if err == nil && tag == Tag389 {
			_, err = os.Stat(dsTemplate)
		}
		if err != nil {
			out[tag] = "the server is not installed (Debian: " + need.pkg + ")"
		}
	}
	return out
}
