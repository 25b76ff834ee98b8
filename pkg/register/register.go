// Package register is the replication protocol: one linearizable register per
// key, kept by a group of three acceptors of which any two are a quorum.
//
// It has no I/O. An Acceptor takes a request and the record its disk holds and
// returns a reply and what must be durable before that reply may leave. A Round
// takes replies and hedge ticks and returns what to send next, until its
// outcome is known. Clocks, epochs and ballots come in as arguments.
//
// Invariants:
//   - A ballot is used by one proposer, once.
//   - An acceptor never accepts below what it promised, holds, or has as floor.
//   - A record is answered to a reader only when it is known to be chosen:
//     accepted, as that very ballot, by two acceptors.
//   - A change ends as done, refused or unknown; "not applied" only if proven.
//
// Sources: CASPaxos (Rystsov 2018), ABD registers (Attiya, Bar-Noy, Dolev 1995).
package register

import (
	"cmp"
	"errors"
	"fmt"
	"math"
)

// ErrUnavailable says that no quorum answered and that nothing was applied.
var ErrUnavailable = errors.New("no quorum of the partition answered; nothing was applied")

// ErrNoSpace says that two acceptors have no room for the change, and that
// nothing was applied.
var ErrNoSpace = errors.New("the disks of two nodes of the partition are full; nothing was applied")

// ErrUnknown says that the change may or may not take effect.
var ErrUnknown = errors.New("the outcome of the change is unknown")

// Ballot orders proposals. The zero ballot is below every real one.
type Ballot struct {
	Time     int64  // hybrid logical time, microseconds since the Unix epoch; > 0 in a real ballot
	Proposer uint64 // fresh at each start of a process
}

// MaxBallot is above every real ballot.
func MaxBallot() Ballot { return Ballot{Time: math.MaxInt64, Proposer: math.MaxUint64} }

// Compare returns -1, 0 or +1: time first, then proposer.
func (b Ballot) Compare(o Ballot) int {
	if c := cmp.Compare(b.Time, o.Time); c != 0 {
		return c
	}
	return cmp.Compare(b.Proposer, o.Proposer)
}

// Less reports whether b is below o.
func (b Ballot) Less(o Ballot) bool { return b.Compare(o) < 0 }

// IsZero reports whether b is no ballot at all.
func (b Ballot) IsZero() bool { return b == Ballot{} }

// String shows time and proposer, in hexadecimal, as traces and logs print it.
func (b Ballot) String() string { return fmt.Sprintf("%x.%x", b.Time, b.Proposer) }

// Max returns the higher of two ballots.
func Max(a, b Ballot) Ballot {
	if a.Less(b) {
		return b
	}
	return a
}

// Record is what an acceptor holds for a key. The zero Record is a blank: the
// acceptor holds nothing, which never means "has been deleted".
type Record struct {
	Ballot    Ballot // at which this was accepted
	Op        Ballot // at which the change that made this content was first proposed: its op id; Op <= Ballot
	Tombstone bool   // deleted; Doc is empty
	Doc       []byte // opaque; shared, never modified
}

// Blank reports whether r holds nothing.
func (r Record) Blank() bool { return r.Ballot.IsZero() }

// Value is the document a change sees: nil when absent, be it blank or deleted.
func (r Record) Value() []byte {
	if r.Blank() || r.Tombstone {
		return nil
	}
	return r.Doc
}

// Change is a pure function from the current document (nil when absent) to the
// new one (nil deletes), or a refusal as an error. It may run more than once
// and must not modify its argument.
type Change = func(old []byte) ([]byte, error)
