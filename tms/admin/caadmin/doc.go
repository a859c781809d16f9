// Package caadmin is the administration of a certificate authority: what may be asked for and changed,
// as routes of package admin at the paths of Dogtag's REST, and as a client of them.
//
// It owns the contract that it needs of an authority, paths, names and forms of what travels, and which
// role each request takes. It must not know how an authority works, where it keeps its records, or who
// a caller is.
package caadmin

import (
	"context"
	"time"

	"tokenwright/tms/connector"
)

// MaxPage is the most certificates that one list gives; DefaultPage is how many it gives unasked.
const (
	MaxPage     = 1000
	DefaultPage = 20
)

// Reader tells of an authority. Errors that a caller can act on are *connector.CAError.
type Reader interface {
	Facts(ctx context.Context) (Facts, error)
	// List gives certificates, the newest first.
	List(ctx context.Context, q Query) ([]Certificate, error)
	// Show gives a certificate with PEM and Events.
	Show(ctx context.Context, serial connector.Serial) (Certificate, error)
	// CRL gives the latest list, full or delta; ErrCANotFound when there is none.
	CRL(ctx context.Context, delta bool) (CRL, error)
}

// Changer changes what an authority keeps.
type Changer interface {
	// Issue issues a certificate for a signing request, whose signature is verified.
	Issue(ctx context.Context, o Order) (Certificate, error)
	// Revoke and Release are those of connector.CA.
	Revoke(ctx context.Context, r connector.RevokeRequest) error
	Release(ctx context.Context, serial connector.Serial) error
	// IssueCRL issues a list now.
	IssueCRL(ctx context.Context, delta bool) (CRL, error)
}

// Authority is what is administered.
type Authority interface {
	Reader
	Changer
}

// Facts are what an authority is.
type Facts struct {
	Name     string    `json:"name"`
	Subject  string    `json:"subject"`
	KeyID    string    `json:"keyId"`
	NotAfter time.Time `json:"notAfter"`
	Retired  bool      `json:"retired"`
	Chain    []string  `json:"chain"` // subjects, its own first
	Profiles []string  `json:"profiles"`
	// ChainPEM is its certificate and those above it.
	ChainPEM string `json:"-"`
}

// States of a certificate.
const (
	StateToBeSigned = "to_be_signed"
	StateValid      = string(connector.CertificateValid)
	StateRevoked    = string(connector.CertificateRevoked)
	StateOnHold     = string(connector.CertificateOnHold)
)

// States gives all states.
func States() []string { return []string{StateToBeSigned, StateValid, StateRevoked, StateOnHold} }

// Query says which certificates are wanted; empty fields do not count.
type Query struct {
	User, CUID, Profile, State string
	// After goes on after the certificate of this serial number.
	After connector.Serial
	Limit int // 1 to MaxPage; 0 means DefaultPage
}

// Certificate is a certificate on record.
type Certificate struct {
	Serial    connector.Serial `json:"serial"`
	State     string           `json:"state"`
	Reason    string           `json:"reason,omitempty"`
	RevokedAt *time.Time       `json:"revokedAt,omitempty"`
	Subject   string           `json:"subject"`
	Profile   string           `json:"profile"`
	User      string           `json:"user,omitempty"`
	CUID      string           `json:"cuid,omitempty"`
	NotBefore time.Time        `json:"notBefore"`
	NotAfter  time.Time        `json:"notAfter"`
	Issued    time.Time        `json:"issued"`
	Request   string           `json:"request,omitempty"`
	Requester string           `json:"requester,omitempty"`
	Renews    connector.Serial `json:"renews,omitempty"`
	PEM       string           `json:"pem,omitempty"`
	Events    []Event          `json:"events,omitempty"`
}

// Event is one thing that was done to a certificate.
type Event struct {
	At     time.Time `json:"at"`
	Op     string    `json:"op"`
	Actor  string    `json:"actor"`
	Detail string    `json:"detail"`
}

// Order asks for a certificate.
type Order struct {
	CSR     []byte // PEM or DER
	Profile string
	User    string // id of the user, for profiles that name one
	// RequestID makes the order one that can be repeated; "" means that one is made up.
	RequestID  string
	Attributes map[string]string // values for profiles, by lower-case name
}

// CRL is a revocation list.
type CRL struct {
	Number     int64     `json:"number"`
	Base       int64     `json:"base,omitempty"` // number of the full list that a delta adds to
	Entries    int       `json:"entries"`
	ThisUpdate time.Time `json:"thisUpdate"`
	NextUpdate time.Time `json:"nextUpdate"`
	DER        []byte    `json:"-"`
}
