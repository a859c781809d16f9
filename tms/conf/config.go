package conf

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Config is the configuration of one subsystem: an instance's file over embedded defaults, or
// a part of it under a prefix (Sub). Its methods may be used by several goroutines at once.
type Config struct {
	*layers
	prefix string // with its dot; empty at the root
}

// layers is what a Config and its parts share.
type layers struct {
	mu        sync.Mutex
	subsystem string
	instance  *File
	defaults  *File
	read      map[string]bool // keys that were asked for, whether set or not
	declared  []string        // patterns of keys that are asked for later
}

// Load reads an instance's file over the defaults of a subsystem ("tps" or "tks").
func Load(path, subsystem string) (*Config, error) {
	f, err := ReadFile(path)
	if err != nil {
		return nil, err
	}
	return New(f, subsystem)
}

// LoadReader is Load for what r holds; name stands in errors.
func LoadReader(name string, r io.Reader, subsystem string) (*Config, error) {
	f, err := ReadFrom(name, r)
	if err != nil {
		return nil, err
	}
	return New(f, subsystem)
}

// New puts instance over the defaults of a subsystem. A nil instance is one that overrides
// nothing. The Config owns instance from then on.
func New(instance *File, subsystem string) (*Config, error) {
	defaults, err := Defaults(subsystem)
	if err != nil {
		return nil, err
	}
	if instance == nil {
		instance = &File{}
	}
	return &Config{layers: &layers{
		subsystem: subsystem, instance: instance, defaults: defaults,
		read: make(map[string]bool),
	}}, nil
}

// Sub is the part of the configuration under prefix: Sub("op.format.userKey") answers key
// "auth.id" with the value of "op.format.userKey.auth.id".
func (c *Config) Sub(prefix string) *Config {
	return &Config{layers: c.layers, prefix: c.prefix + prefix + "."}
}

// FullKey is key with the prefix of this part before it, as it stands in a file.
func (c *Config) FullKey(key string) string { return c.prefix + key }

// Subsystem is the name that New was given.
func (c *Config) Subsystem() string { return c.subsystem }

// Lookup answers a key's value and whether the instance or the defaults set it, and notes that
// the key was asked for.
func (c *Config) Lookup(key string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	full := c.prefix + key
	c.read[full] = true
	if v, _, ok := c.instance.Get(full); ok {
		return v, true
	}
	v, _, ok := c.defaults.Get(full)
	return v, ok
}

// Origin answers the file and line that a key's value comes from.
func (c *Config) Origin(key string) (file string, lineNo int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range []*File{c.instance, c.defaults} {
		if _, n, ok := f.Get(c.prefix + key); ok {
			return f.Name(), n, true
		}
	}
	return c.instance.Name(), 0, false
}

// Keys answers all keys set under this part, without its prefix, sorted.
func (c *Config) Keys() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	set := make(map[string]bool)
	for _, f := range []*File{c.instance, c.defaults} {
		for _, k := range f.Keys() {
			if rest, ok := strings.CutPrefix(k, c.prefix); ok && rest != "" {
				set[rest] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// Children answers the distinct first words of the keys under this part, sorted: the token
// types under Sub("op.format"), the key sets under Sub("tks").
func (c *Config) Children() []string {
	set := make(map[string]bool)
	for _, k := range c.Keys() {
		if word, _, deeper := strings.Cut(k, "."); deeper {
			set[word] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// Set gives key a value in the instance's file, in memory; Save writes it.
func (c *Config) Set(key, value string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.instance.Set(c.prefix+key, value)
}

// Unset takes key out of the instance's file, so that its default holds again.
func (c *Config) Unset(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.instance.Unset(c.prefix + key)
}

// Save replaces the instance's file at path; see File.WriteFile.
func (c *Config) Save(path string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.instance.WriteFile(path)
}

// InstanceBytes is the text of the instance's file as it is in memory.
func (c *Config) InstanceBytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.instance.Bytes()
}

// Errorf is an error about key with the file and line that set it.
func (c *Config) Errorf(key, format string, args ...any) error {
	file, n, _ := c.Origin(key)
	return &Error{File: file, Line: n, Key: c.prefix + key, Err: fmt.Errorf(format, args...)}
}

// ErrMissing is wrapped by the error about a required key that is not set or empty.
var ErrMissing = errors.New("is required and not set")
