package ldap

import (
	"tokenwright/tms/token"
)

// What lists ask for: everything but what only finds entries.
var (
	tokenAttrs        = names(recordAttrs(token.Record{}), "tmsAbsent")
	activityAttrNames = names(activityAttrs(token.Activity{}))
	certAttrNames     = names(certAttrs(token.Certificate{}), "tmsAbsent", "userCertificate",
		"userCertificate;binary")
	intentAttrNames = names(intentAttrs(token.Intent{}, 0), "tmsState",
		"tmsEnded", "tmsEndedBy")
)

func names(attrs []attr, more ...string) []string {
	out := append([]string{"cn"}, more...)
	for _, a := range attrs {
		if a.name != "tmsWhen" {
			out = append(out, a.name)
		}
	}
	return out
}
