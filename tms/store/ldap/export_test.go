package ldap

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"iter"
	"strings"

	"tokenwright/tms/store"
)

// Fault has f decide about each request that changes something: before it is sent, and after the
// directory has answered.
func Fault(s *Store, f func(sent bool) error) { s.pool.fault = f }

// LDIF writes the entries of a token database below base in the form that servers load in bulk.
func LDIF(w io.Writer, base string, b iter.Seq[store.Batch]) error {
	out := bufio.NewWriterSize(w, 1<<20)
	entry := func(dn string, classes []string, attrs []attr) {
		fmt.Fprintf(out, "dn: %s\n", dn)
		for _, c := range classes {
			fmt.Fprintf(out, "objectClass: %s\n", c)
		}
		for _, a := range attrs {
			for _, v := range a.values {
				if v != "" {
					fmt.Fprintf(out, "%s:: %s\n", a.name, base64.StdEncoding.EncodeToString([]byte(v)))
				}
			}
		}
		fmt.Fprintln(out)
	}
	at := func(ou string) name { return name{"ou=" + ou + "," + base} }
	for _, ou := range []string{"Tokens", "Activities", "Certificates", "Intents"} {
		entry(at(ou).text, []string{"organizationalUnit"}, []attr{one("ou", ou)})
	}
	s := &Store{certs: at("Certificates")}
	for part := range b {
		for _, r := range part.Tokens {
			entry(at("Tokens").child("cn", r.CUID.String()).text, []string{"tokenRecord", "tmsCard"},
				append(recordAttrs(r), one("cn", r.CUID.String()), one("tmsSeq", newSeq(1))))
		}
		for _, a := range part.Activities {
			entry(at("Activities").child("cn", activityName(a)).text, activityClasses,
				append(activityAttrs(a), one("cn", activityName(a))))
		}
		for _, c := range part.Certificates {
			dn := s.certName(certOf{c.CertID, c.CUID.String()}).text
			cn, _, _ := strings.Cut(strings.TrimPrefix(dn, "cn="), ",")
			entry(dn, certClasses, append(certAttrs(c), one("tmsSeq", newSeq(1)), one("cn", cn)))
		}
	}
	return out.Flush()
}
