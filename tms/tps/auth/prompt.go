package auth

import (
	"maps"
	"slices"
	"strings"
)

// defaultLocale is the language of last resort.
const defaultLocale = "en"

// Prompt is what a client shows to a person who has to log in, in one language.
type Prompt struct {
	Title       string
	Description string
	// Fields are in the order to ask; the user id comes first.
	Fields []Field
}

// Field is one thing to enter.
type Field struct {
	// ID names the answer, such as UID or PASSWORD.
	ID          string
	Name        string
	Description string
	// Secret fields are not echoed while they are typed.
	Secret bool
}

// Texts are words in several languages, by locale ("en", "fr", "pt-br").
type Texts map[string]string

// In returns the words for locale: exactly that one, else the language without
// its region, else English, else nothing.
func (t Texts) In(locale string) string {
	locale = strings.ToLower(strings.ReplaceAll(locale, "_", "-"))
	language, _, _ := strings.Cut(locale, "-")
	known := slices.Sorted(maps.Keys(t))
	for _, want := range []string{locale, language, defaultLocale} {
		for _, have := range known {
			if strings.ToLower(strings.ReplaceAll(have, "_", "-")) == want {
				return t[have]
			}
		}
	}
	return ""
}

// UI holds the configured texts of an authenticator's prompt.
type UI struct {
	Title       Texts
	Description Texts
	Fields      []UIField
}

// UIField holds the configured texts of one field.
type UIField struct {
	ID          string
	Name        Texts
	Description Texts
}

// DefaultUI returns the prompt of a user id and a password in English.
func DefaultUI() UI {
	return UI{
		Title:       Texts{"en": "Sign in"},
		Description: Texts{"en": "Enter the user ID and password of your directory account."},
		Fields: []UIField{
			{
				ID:          FieldUID,
				Name:        Texts{"en": "User ID"},
				Description: Texts{"en": "The name you sign in with"},
			},
			{
				ID:          FieldPassword,
				Name:        Texts{"en": "Password"},
				Description: Texts{"en": "The password that goes with the user ID"},
			},
		},
	}
}

func (u UI) withDefaults() UI {
	d := DefaultUI()
	if len(u.Title) == 0 {
		u.Title = d.Title
	}
	if len(u.Description) == 0 {
		u.Description = d.Description
	}
	if len(u.Fields) == 0 {
		u.Fields = d.Fields
	}
	return u
}

// asks reports whether the prompt has a field of that id.
func (u UI) asks(id string) bool {
	return slices.ContainsFunc(u.Fields, func(f UIField) bool { return f.ID == id })
}

// Prompt returns the texts in one language. A field whose id contains UID comes
// first; only PASSWORD is secret; a field without a name shows its id.
func (u UI) Prompt(locale string) Prompt {
	p := Prompt{Title: u.Title.In(locale), Description: u.Description.In(locale)}
	for _, f := range u.Fields {
		field := Field{
			ID:          f.ID,
			Name:        f.Name.In(locale),
			Description: f.Description.In(locale),
			Secret:      f.ID == FieldPassword,
		}
		if field.Name == "" {
			field.Name = f.ID
		}
		if strings.Contains(f.ID, FieldUID) {
			p.Fields = append([]Field{field}, p.Fields...)
		} else {
			p.Fields = append(p.Fields, field)
		}
	}
	return p
}
