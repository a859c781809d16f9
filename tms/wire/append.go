package wire

import "strconv"

// Append adds the whole message, "s=" included, to dst and answers the longer slice. Fields
// stand in the protocol's order, encoded canonically: a server's PDU as %HH throughout, other
// encoded fields with letters and digits literal. It keeps no reference to m's slices.
func Append(dst []byte, m Message) []byte {
	body := append(make([]byte, 0, 256), "msg_type="...)
	body = strconv.AppendInt(body, int64(m.Type()), 10)
	body = m.appendFields(body)
	dst = append(dst, "s="...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, '&')
	return append(dst, body...)
}

func field(dst []byte, name string) []byte {
	dst = append(dst, '&')
	dst = append(dst, name...)
	return append(dst, '=')
}

func intField(dst []byte, name string, v int) []byte {
	return strconv.AppendInt(field(dst, name), int64(v), 10)
}

func boolField(dst []byte, name string, v bool) []byte {
	if v {
		return intField(dst, name, 1)
	}
	return intField(dst, name, 0)
}

func textField(dst []byte, name, v string) []byte {
	return appendEscaped(field(dst, name), v)
}

func secretField(dst []byte, name string, v Secret) []byte {
	return textField(dst, name, v.Reveal())
}

func (m BeginOp) appendFields(dst []byte) []byte {
	dst = intField(dst, "operation", int(m.Operation))
	var inner []byte
	for i, x := range m.Extensions {
		if i > 0 {
			inner = append(inner, '&')
		}
		inner = append(inner, cleanInner(x.Name, true)...)
		inner = append(inner, '=')
		inner = append(inner, cleanInner(x.Value, false)...)
	}
	return appendEscaped(field(dst, "extensions"), inner)
}

func (m LoginRequest) appendFields(dst []byte) []byte {
	dst = boolField(dst, "invalid_pw", m.InvalidPassword)
	return boolField(dst, "blocked", m.Blocked)
}

func (m LoginResponse) appendFields(dst []byte) []byte {
	dst = textField(dst, "screen_name", m.ScreenName)
	return secretField(dst, "password", m.Password)
}

func (m SecureIDRequest) appendFields(dst []byte) []byte {
	dst = boolField(dst, "pin_required", m.PINRequired)
	return boolField(dst, "next_value", m.NextValue)
}

func (m SecureIDResponse) appendFields(dst []byte) []byte {
	dst = secretField(dst, "pin", m.PIN)
	return secretField(dst, "value", m.Value)
}

func (m ASQRequest) appendFields(dst []byte) []byte {
	return textField(dst, "question", m.Question)
}

func (m ASQResponse) appendFields(dst []byte) []byte {
	return secretField(dst, "answer", m.Answer)
}

func (m TokenPDURequest) appendFields(dst []byte) []byte {
	dst = intField(dst, "pdu_size", len(m.PDU))
	return appendPercentAll(field(dst, "pdu_data"), m.PDU)
}

func (m TokenPDUResponse) appendFields(dst []byte) []byte {
	dst = appendEscaped(field(dst, "pdu_data"), m.PDU)
	return intField(dst, "pdu_size", len(m.PDU))
}

func (m NewPINRequest) appendFields(dst []byte) []byte {
	dst = intField(dst, "minimum_length", m.MinLength)
	return intField(dst, "maximum_length", m.MaxLength)
}

func (m NewPINResponse) appendFields(dst []byte) []byte {
	return secretField(dst, "new_pin", m.PIN)
}

func (m EndOp) appendFields(dst []byte) []byte {
	dst = intField(dst, "operation", int(m.Operation))
	dst = intField(dst, "result", int(m.Result))
	return intField(dst, "message", int(m.Status))
}

func (m StatusUpdateRequest) appendFields(dst []byte) []byte {
	dst = intField(dst, "current_state", m.Percent)
	dst = field(dst, "next_task_name")
	for i := range len(m.Task) {
		c := m.Task[i]
		if !isTaskByte(c) {
			c = '_'
		}
		dst = append(dst, c)
	}
	return dst
}

func (m StatusUpdateResponse) appendFields(dst []byte) []byte {
	return intField(dst, "current_state", m.Percent)
}

func (m ExtendedLoginRequest) appendFields(dst []byte) []byte {
	dst = boolField(dst, "invalid_pw", m.InvalidPassword)
	dst = boolField(dst, "blocked", m.Blocked)
	dst = textField(dst, "title", m.Title)
	dst = textField(dst, "description", m.Description)
	for i, p := range m.Params {
		inner := "id=" + cleanInner(p.ID, false) + "&name=" + cleanInner(p.Name, false) +
			"&desc=" + cleanInner(p.Description, false) + "&type=" + cleanInner(p.Kind, false) +
			"&option=" + cleanInner(p.Option, false)
		dst = textField(dst, paramPrefix+strconv.Itoa(i), inner)
	}
	return dst
}

func (m ExtendedLoginResponse) appendFields(dst []byte) []byte {
	for _, c := range m.Fields {
		dst = append(dst, '&')
		dst = append(appendEscaped(dst, c.ID), '=')
		dst = appendEscaped(dst, c.Value.Reveal())
	}
	return dst
}

// isTaskByte reports whether a byte of a task name travels as it is: visible ASCII, "&" apart.
func isTaskByte(c byte) bool { return c > ' ' && c < 0x7F && c != '&' }
