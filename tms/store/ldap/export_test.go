package ldap

// Fault has f decide about each request that changes something: before it is sent, and after the
// directory has answered.
func Fault(s *Store, f func(sent bool) error) { s.pool.fault = f }
