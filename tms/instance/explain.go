package instance

import (
	"path/filepath"

	"tokenwright/tms/conf"
	"tokenwright/tms/tps"
)

// Explain tells which mapping, profile, policy and transition would decide about a card, by the
// configuration of the TPS as it stands in its file, whether or not it is served. It touches neither
// card nor records.
func Explain(dir string, q tps.Question) (tps.Explained, error) {
	base := filepath.Join(dir, TPS)
	c, err := conf.Load(filepath.Join(base, configFile), TPS)
	if err != nil {
		return tps.Explained{}, err
	}
	return tps.Explain(tps.Options{Config: c, Dir: base}, q)
}
