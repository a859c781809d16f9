package oldclient

import (
	"fmt"
	"strings"
)

// Begin is the client's opening message.
func Begin(operation int) []byte {
	return frame(fmt.Sprintf("msg_type=2&operation=%d&extensions=tokenType%%3DuserKey", operation))
}

// Login answers a request to log in. Both values are sent as they were typed.
func Login(user, password string) []byte {
	return frame("msg_type=4&screen_name=" + user + "&password=" + password)
}

// PIN answers a request for a new PIN, which is sent as it was typed.
func PIN(pin string) []byte { return frame("msg_type=12&new_pin=" + pin) }

// Progress answers a status update.
func Progress(percent int) []byte { return frame(fmt.Sprintf("msg_type=15&current_state=%d", percent)) }

// PDU answers a PDU: the data before their size; letters and digits as they are, a blank as a plus sign,
// all else escaped.
func PDU(answer []byte) []byte {
	var b strings.Builder
	for _, c := range answer {
		switch {
		case c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z':
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return frame(fmt.Sprintf("msg_type=10&pdu_data=%s&pdu_size=%d", &b, len(answer)))
}

func frame(payload string) []byte { return fmt.Appendf(nil, "s=%d&%s", len(payload), payload) }
