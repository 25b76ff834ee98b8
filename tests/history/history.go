// Package history records what clients asked of the users API and what they
// were told, and judges whether that is linearizable: whether every answer can
// be explained by the operations on each user having happened one at a time,
// each at some instant between its call and its return.
//
// Invariants:
//   - No answer is assumed. A write with an unknown outcome stays open to the
//     end of the history: it may have taken effect at any instant after its
//     call, once, or not at all. A read that failed is dropped.
//   - "Unavailable" is the claim that nothing was applied. Such a write is
//     dropped, so that a trace of it in any answer makes the history illegal.
//   - Users are independent: a history is judged one id at a time, and every
//     id is absent when the history starts.
//   - A checker that ran out of time has not approved anything.
package history

import (
	"fmt"
	"strconv"
	"strings"
)

// User is a user as the API shows it.
type User struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
	Group int    `json:"group"`
}

// Patch is a partial update: nil fields stay as they are.
type Patch struct {
	Name  *string `json:"name,omitempty"`
	Email *string `json:"email,omitempty"`
	Group *int    `json:"group,omitempty"`
}

// Apply returns u with the fields of p that are set.
func (p Patch) Apply(u User) User {
	if p.Name != nil {
		u.Name = *p.Name
	}
	if p.Email != nil {
		u.Email = *p.Email
	}
	if p.Group != nil {
		u.Group = *p.Group
	}
	return u
}

// Kind is what an operation asks for.
type Kind string

// The operations on a user.
const (
	KindCreate Kind = "create"
	KindGet    Kind = "get"
	KindUpdate Kind = "update"
	KindDelete Kind = "delete"
)

// Input is one request. Make one with Create, Get, Update or Delete.
type Input struct {
	Kind  Kind   `json:"kind"`
	ID    string `json:"id"`
	User  *User  `json:"user,omitempty"`  // of a create
	Patch *Patch `json:"patch,omitempty"` // of an update
}

// Create asks for a new user, which must carry its id.
func Create(u User) Input { return Input{Kind: KindCreate, ID: u.ID, User: &u} }

// Get asks for the user of an id.
func Get(id string) Input { return Input{Kind: KindGet, ID: id} }

// Update asks for a change of some fields.
func Update(id string, p Patch) Input { return Input{Kind: KindUpdate, ID: id, Patch: &p} }

// Delete asks for the user's removal.
func Delete(id string) Input { return Input{Kind: KindDelete, ID: id} }

// Outcome is how an operation ended for its client.
type Outcome string

// The outcomes of an operation.
const (
	OK          Outcome = "ok"          // done; all but a delete answer the user
	Exists      Outcome = "exists"      // create: refused, the id is taken
	NotFound    Outcome = "not_found"   // get, update, delete: no such user
	Unavailable Outcome = "unavailable" // certain: nothing was applied
	Unknown     Outcome = "unknown"     // no answer: a write may or may not have been applied
)

// Output is one answer.
type Output struct {
	Outcome Outcome `json:"outcome"`
	User    *User   `json:"user,omitempty"` // of an ok create, get or update
}

// Done is the answer that carries a user.
func Done(u User) Output { return Output{Outcome: OK, User: &u} }

// Ended is an answer without a user.
func Ended(o Outcome) Output { return Output{Outcome: o} }

// Operation is one request and its answer. Times are of one monotonic clock,
// in any unit. The return time of an unknown outcome is when the client gave
// up; it bounds nothing.
type Operation struct {
	Client int    `json:"client"`
	Call   int64  `json:"call"`
	Return int64  `json:"return"`
	Input  Input  `json:"input"`
	Output Output `json:"output"`
}

// dropped reports whether op says nothing about the state of a user.
func (op Operation) dropped() bool {
	return op.Output.Outcome == Unavailable || op.open() && op.Input.Kind == KindGet
}

// open reports whether op has no answer.
func (op Operation) open() bool { return op.Output.Outcome == Unknown }

// validate refuses what the model has no meaning for.
func (op Operation) validate() error {
	in, out := op.Input, op.Output
	if in.ID == "" {
		return fmt.Errorf("%s has no id; record creates with an id of the client's", in.Kind)
	}
	if op.Return < op.Call {
		return fmt.Errorf("%s returned at %d, before its call at %d; record with one monotonic clock", in, op.Return, op.Call)
	}
	if known, ok := answers(in.Kind); !ok || !known[out.Outcome] {
		return fmt.Errorf("%q can't end as %q", in.Kind, out.Outcome)
	}
	if (in.Kind == KindCreate) != (in.User != nil) || (in.Kind == KindUpdate) != (in.Patch != nil) {
		return fmt.Errorf("%s of %s: a create carries a user, an update a patch, others neither", in.Kind, in.ID)
	}
	if in.User != nil && in.User.ID != in.ID {
		return fmt.Errorf("create of %s carries a user with the id %s", in.ID, in.User.ID)
	}
	if (out.User != nil) != (out.Outcome == OK && in.Kind != KindDelete) {
		return fmt.Errorf("%s ended as %s: only an ok create, get or update answers a user, and always does", in, out.Outcome)
	}
	return nil
}

// answers returns the outcomes that a kind can have, and whether there is such
// a kind.
func answers(k Kind) (map[Outcome]bool, bool) {
	switch k {
	case KindCreate:
		return map[Outcome]bool{OK: true, Exists: true, Unavailable: true, Unknown: true}, true
	case KindGet, KindUpdate, KindDelete:
		return map[Outcome]bool{OK: true, NotFound: true, Unavailable: true, Unknown: true}, true
	}
	return nil, false
}

// String shows the request the way a reader of a history wants it.
func (in Input) String() string {
	var fields string
	switch {
	case in.User != nil:
		fields = in.User.fields()
	case in.Patch != nil:
		fields = in.Patch.String()
	}
	return fmt.Sprintf("%s %s(%s)", in.Kind, in.ID, fields)
}

// String shows the answer.
func (out Output) String() string {
	switch {
	case out.User != nil:
		return out.User.fields()
	case out.Outcome == Unknown:
		return "no answer"
	}
	return strings.ReplaceAll(string(out.Outcome), "_", " ")
}

// String shows the fields that p sets.
func (p Patch) String() string {
	var set []string
	if p.Name != nil {
		set = append(set, "name="+strconv.Quote(*p.Name))
	}
	if p.Email != nil {
		set = append(set, "email="+*p.Email)
	}
	if p.Group != nil {
		set = append(set, "group="+strconv.Itoa(*p.Group))
	}
	return strings.Join(set, " ")
}

// fields shows u without its id.
func (u User) fields() string {
	return Patch{Name: &u.Name, Email: &u.Email, Group: &u.Group}.String()
}
