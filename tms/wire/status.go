package wire

import "strconv"

// Status is the code in END_OP's "message" field.
type Status int

// Status codes. Servers send 0 to 46; 47 and 48 exist in clients only. Old clients give codes
// 44 to 46 a second meaning of their own, which this package does not use.
const (
	StatusNoError                Status = 0
	StatusSNAC                   Status = 1 // any failure that has no code of its own
	StatusSecInitUpdate          Status = 2
	StatusCreateCardManager      Status = 3
	StatusMACResetPINPDU         Status = 4
	StatusMACCertPDU             Status = 5
	StatusMACLifecyclePDU        Status = 6
	StatusMACEnrollPDU           Status = 7
	StatusCannotPerformOperation Status = 8
	StatusBadStatus              Status = 9
	StatusCAResponse             Status = 10
	StatusReadBufferOverflow     Status = 11
	StatusTokenResetPINFailed    Status = 12
	StatusConnection             Status = 13
	StatusLogin                  Status = 14
	StatusDB                     Status = 15
	StatusUnknownToken           Status = 16
	StatusSecureChannel          Status = 17
	StatusMisconfiguration       Status = 18
	StatusUpgradeApplet          Status = 19
	StatusKeyChangeOver          Status = 20
	StatusExternalAuth           Status = 21
	StatusMappingResolverFailed  Status = 22
	StatusMappingResolverParams  Status = 23
	StatusPublish                Status = 24
	StatusLDAPConn               Status = 25
	StatusDisabledToken          Status = 26
	StatusNotPINResetable        Status = 27
	StatusConnLost               Status = 28 // a client also makes it up when the server vanishes
	StatusCreateTokenEntry       Status = 29
	StatusNoSuchTokenState       Status = 30
	StatusNoSuchLostReason       Status = 31
	StatusUnusableKeyCompromise  Status = 32
	StatusInactiveTokenNotFound  Status = 33
	StatusHasActiveToken         Status = 34
	StatusTokenTerminated        Status = 35
	StatusRecoveryIsProcessed    Status = 36 // internal marker
	StatusRecoveryFailed         Status = 37 // renewal too
	StatusNoOperationOnLostToken Status = 38
	StatusKeyArchiveOff          Status = 39
	StatusNoTKSConnID            Status = 40
	StatusUpdateTokenDBFailed    Status = 41
	StatusRevokeCertificates     Status = 42
	StatusNotTokenOwner          Status = 43
	StatusRenewalIsProcessed     Status = 44 // internal marker
	StatusCannotEstablishComm    Status = 45
	StatusSymKey256Upgrade       Status = 46
	StatusClientCannotTalkToTPS  Status = 47 // client only
	StatusClientCannotTalkToCard Status = 48 // client only
	maxStatus                           = StatusClientCannotTalkToCard
	unknownStatusName                   = "UNKNOWN"
	unknownStatusSentence               = "The server reported a code that this client does not know."
)

type statusText struct{ name, sentence string }

// statusTexts is indexed by code: the server's name (its common prefix dropped) and what to
// tell the person at the desk.
var statusTexts = [...]statusText{
	0:  {"NO_ERROR", "The operation is done."},
	1:  {"SNAC", "The server failed in a way that has no code of its own; ask the operator."},
	2:  {"SEC_INIT_UPDATE", "The card did not start a secure channel with the server."},
	3:  {"CREATE_CARDMGR", "The card's manager could not be reached on this card."},
	4:  {"MAC_RESET_PIN_PDU", "The PIN could not be reset."},
	5:  {"MAC_CERT_PDU", "A certificate could not be prepared for the card."},
	6:  {"MAC_LIFECYCLE_PDU", "The card could not be put into its final state."},
	7:  {"MAC_ENROLL_PDU", "Keys or certificates could not be put on the card."},
	8:  {"CANNOT_PERFORM_OPERATION", "This card cannot do the operation."},
	9:  {"BAD_STATUS", "The card answered with a status the server did not expect."},
	10: {"CA_RESPONSE", "The certificate authority's answer could not be used."},
	11: {"READ_BUFFER_OVERFLOW", "An answer was longer than the server accepts."},
	12: {"TOKEN_RESET_PIN_FAILED", "The card refused the new PIN."},
	13: {"CONNECTION", "A connection behind the server could not be closed properly."},
	14: {"LOGIN", "The user name or the password was not accepted."},
	15: {"DB", "The server's database failed."},
	16: {"UNKNOWN_TOKEN", "The server does not know this card."},
	17: {"SECURE_CHANNEL", "No secure channel could be opened between the server and the card."},
	18: {"MISCONFIGURATION", "The server's configuration does not allow the operation to run."},
	19: {"UPGRADE_APPLET", "The applet on the card could not be installed or updated."},
	20: {"KEY_CHANGE_OVER", "The card's keys could not be changed."},
	21: {"EXTERNAL_AUTH", "The card did not accept the server's proof of identity."},
	22: {"MAPPING_RESOLVER_FAILED", "The server found no token type for this card."},
	23: {"MAPPING_RESOLVER_PARAMS_NOT_FOUND", "The rules that choose a token type are incomplete."},
	24: {"PUBLISH", "A certificate could not be published."},
	25: {"LDAP_CONN", "The directory behind the server could not be reached."},
	26: {"DISABLED_TOKEN", "This operation is not allowed with this card."},
	27: {"NOT_PIN_RESETABLE", "The PIN of this card may not be reset."},
	28: {"CONN_LOST", "The connection was lost before the operation ended."},
	29: {"CREATE_TUS_TOKEN_ENTRY", "The card could not be added to the token database."},
	30: {"NO_SUCH_TOKEN_STATE", "The card is recorded in a state the server does not know."},
	31: {"NO_SUCH_LOST_REASON", "The recorded reason of the loss cannot be used."},
	32: {"UNUSABLE_TOKEN_KEYCOMPROMISE", "The card was reported stolen or its keys exposed."},
	33: {"INACTIVE_TOKEN_NOT_FOUND", "The earlier card whose keys to restore was not found."},
	34: {"HAS_AT_LEAST_ONE_ACTIVE_TOKEN", "The user already has an active card."},
	35: {"TOKEN_TERMINATED", "The card is terminated."},
	36: {"RECOVERY_IS_PROCESSED", "The keys of an earlier card were restored to this one."},
	37: {"RECOVERY_FAILED", "Keys could not be restored, or certificates not renewed."},
	38: {"NO_OPERATION_ON_LOST_TOKEN", "The card is recorded as lost; nothing can be done with it."},
	39: {"KEY_ARCHIVE_OFF", "Keys cannot be restored because they are not archived."},
	40: {"NO_TKS_CONNID", "The token key service could not be reached."},
	41: {"UPDATE_TOKENDB_FAILED", "The token database could not be updated."},
	42: {"REVOKE_CERTIFICATES_FAILED", "The card's certificates could not be revoked."},
	43: {"NOT_TOKEN_OWNER", "The card belongs to somebody else."},
	44: {"RENEWAL_IS_PROCESSED", "The card's certificates were renewed."},
	45: {"CANNOT_ESTABLISH_COMMUNICATION", "The server could not talk to the card at all."},
	46: {"SYMKEY_256_UPGRADE", "The card's keys could not be changed to the longer ones."},
	47: {"CLIENT_NO_TPS", "The client could not talk to the server."},
	48: {"CLIENT_NO_CARD", "The client could not talk to the card or its reader."},
}

// Known reports whether the code is one of this package's.
func (s Status) Known() bool { return s >= 0 && s <= maxStatus }

// Name is the server's name of the code, e.g. LOGIN; "UNKNOWN" when it has none.
func (s Status) Name() string {
	if !s.Known() {
		return unknownStatusName
	}
	return statusTexts[s].name
}

// Sentence tells the person at the desk what happened.
func (s Status) Sentence() string {
	if !s.Known() {
		return unknownStatusSentence
	}
	return statusTexts[s].sentence
}

// String is the number and the name, e.g. "14 LOGIN".
func (s Status) String() string { return strconv.Itoa(int(s)) + " " + s.Name() }
