// Package user says what a user is: the fields and their rules, the JSON form
// that is stored, and create, update and delete as pure changes of one record.
//
// Invariants:
//   - The stored document is {"id":..,"name":..,"email":..,"group":..} in this
//     order, without white space, text byte for byte. Its bytes are what a
//     client is sent.
//   - Names and e-mail addresses are in Unicode normal form C (NFC), and are
//     checked after they were normalised.
//   - A change is a pure function: it may run more than once, never modifies
//     its argument, and answers the same every time.
//
// A request body goes through [DecodePatch] (is it JSON with fields of the
// right types?) and then through a [Validator] (does it obey the rules?).
package user

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ErrExists refuses the creation of a user whose id is taken.
var ErrExists = errors.New("a user with this id exists already")

// ErrNotFound refuses the change of a user that does not exist.
var ErrNotFound = errors.New("there is no user with this id")

// User is one user. The field order is the order of the stored JSON.
type User struct {
	ID    string `json:"id"`    // 1 to 64 of A-Z a-z 0-9 _ -
	Name  string `json:"name"`  // 1 to 200 characters, NFC
	Email string `json:"email"` // at most 254 bytes, NFC
	Group int    `json:"group"` // 0 to 2147483647
}

// Patch is what a request says of a user: any subset of the fields, nil where
// the request is silent.
type Patch struct {
	ID    *string
	Name  *string
	Email *string
	Group *int
}

// document is the stored form. Rest carries members that this version does not
// know through an update.
type document struct {
	User
	Rest jsontext.Value `json:",embed"`
}

// Encode returns the stored form of u. It fails only on text that is not UTF-8.
func Encode(u User) ([]byte, error) {
	return json.Marshal(u)
}

// Decode reads a stored document.
func Decode(doc []byte) (User, error) {
	d, err := decodeDocument(doc)
	return d.User, err
}

func decodeDocument(doc []byte) (document, error) {
	var d document
	if err := json.Unmarshal(doc, &d); err != nil {
		return document{}, fmt.Errorf("the stored document is not a user: %w", err)
	}
	return d, nil
}

// Create returns the change that stores u, which a Validator has checked. It
// refuses with ErrExists where there is a user already.
func Create(u User) func(old []byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		if old != nil {
			return nil, ErrExists
		}
		return Encode(u)
	}
}

// Update returns the change that lays the fields of p, which a Validator has
// checked, over the current user; fields that p is silent on stay as they are
// at that moment. It refuses with ErrNotFound where there is no user. A patch
// that changes nothing succeeds.
func Update(p Patch) func(old []byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		if old == nil {
			return nil, ErrNotFound
		}
		d, err := decodeDocument(old)
		if err != nil {
			return nil, err
		}
		if p.Name != nil {
			d.Name = *p.Name
		}
		if p.Email != nil {
			d.Email = *p.Email
		}
		if p.Group != nil {
			d.Group = *p.Group
		}
		return json.Marshal(d)
	}
}

// Delete returns the change that removes the user. It refuses with ErrNotFound
// where there is none.
func Delete() func(old []byte) ([]byte, error) {
	return func(old []byte) ([]byte, error) {
		if old == nil {
			return nil, ErrNotFound
		}
		return nil, nil
	}
}
