// Package wire is what travels between the programs: paths, frames and status
// documents, both directions in one place. It does no I/O.
//
// Invariants: a frame names its version, and a stream of frames the node it is
// for and the cluster's partitions, so that a mistake in an address or a setting
// is refused rather than served; decoding checks every length against what is
// there, and never allocates more than the input's size allows.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dyad-db/dyad/pkg/register"
)

// Bounds of a frame. A sender keeps them; a receiver refuses what exceeds them.
const (
	MaxFrameBytes = 8 << 20
	MaxMessages   = 4096
	MaxKeyBytes   = 255
	MaxDocBytes   = 128 << 10
)

const frameVersion = 1

// ErrFrame says that a frame can't be understood.
var ErrFrame = errors.New("malformed frame")

const (
	flagRecord    = 1 << iota // a record follows; otherwise it is blank
	flagTombstone             // the record is a tombstone
	flagOp                    // the record has an op id that is not its ballot
	flagChosen                // reply: the record is known to be chosen
	flagEpoch                 // reply: an epoch follows
	flagRefusal               // reply: highest, held and floor follow
	flagStale                 // reply: the group's disks follow
)

// growsBit, in the byte of a request's kind, is its Grows.
const growsBit = 1 << 7

// AppendRequests appends the body of a frame of requests to b.
func AppendRequests(b []byte, requests []register.Request) []byte {
	b = AppendRequestCount(b, len(requests))
	for i := range requests {
		b = AppendRequest(b, &requests[i])
	}
	return b
}

// AppendRequestCount begins the body of a frame of n requests, which follow.
func AppendRequestCount(b []byte, n int) []byte {
	return binary.AppendUvarint(append(b, frameVersion), uint64(n))
}

// AppendRequest appends one of the requests of a frame.
func AppendRequest(b []byte, q *register.Request) []byte {
	kind := byte(q.Kind)
	if q.Grows {
		kind |= growsBit
	}
	b = append(b, kind)
	b = binary.AppendUvarint(b, uint64(q.Partition))
	b = appendString(b, q.Key)
	b = appendDisks(b, q.Disks)
	switch q.Kind {
	case register.KindRead:
	case register.KindPrepare, register.KindChosen, register.KindBar, register.KindCollect:
		b = appendBallot(b, q.Ballot)
	case register.KindAccept:
		b = append(b, recordFlags(q.Record))
		b = appendRecord(b, q.Record)
	}
	return b
}

// RequestSize is an upper bound of what q adds to a frame, in bytes.
func RequestSize(q *register.Request) int { return 64 + len(q.Key) + len(q.Record.Doc) }

// DecodeRequests reads the body of a frame of requests. Documents share b.
func DecodeRequests(b []byte) ([]register.Request, error) {
	d := decoder{b: b}
	d.version()
	n := int(d.uvarint(MaxMessages))
	if d.err != nil {
		return nil, d.err
	}
	requests := make([]register.Request, 0, min(n, len(d.b)))
	for range n {
		kind := d.byte()
		q := register.Request{Kind: register.Kind(kind &^ growsBit), Grows: kind&growsBit != 0}
		q.Partition, q.Key, q.Disks = uint16(d.uvarint(1<<16-1)), d.string(), d.disks()
		if q.Grows && q.Kind != register.KindPrepare && q.Kind != register.KindAccept {
			d.fail("a message that can't ask for room asks for it")
		}
		switch q.Kind {
		case register.KindRead:
		case register.KindPrepare, register.KindChosen, register.KindBar, register.KindCollect:
			q.Ballot = d.ballot()
		case register.KindAccept:
			q.Record = d.record(d.byte())
			if q.Record.Blank() {
				d.fail("an accept without a record")
			}
		default:
			d.fail("an unknown kind of message")
		}
		if d.err != nil {
			return nil, d.err
		}
		requests = append(requests, q)
	}
	return requests, d.end()
}

// AppendReplies appends the replies to a frame's requests, in their order.
func AppendReplies(b []byte, replies []register.Reply) []byte {
	b = append(b, frameVersion)
	b = binary.AppendUvarint(b, uint64(len(replies)))
	for i := range replies {
		b = appendReply(b, &replies[i])
	}
	return b
}

func appendReply(b []byte, r *register.Reply) []byte {
	flags := recordFlags(r.Record)
	if r.Chosen {
		flags |= flagChosen
	}
	if r.Epoch != 0 {
		flags |= flagEpoch
	}
	if r.Verdict == register.VerdictRefused {
		flags |= flagRefusal
	}
	if r.Verdict == register.VerdictStale {
		flags |= flagStale
	}
	b = append(b, byte(r.Verdict), flags)
	b = appendRecord(b, r.Record)
	if flags&flagEpoch != 0 {
		b = binary.BigEndian.AppendUint64(b, r.Epoch)
	}
	if flags&flagRefusal != 0 {
		b = appendBallot(b, r.Highest)
		b = appendBallot(b, r.Held)
		b = appendBallot(b, r.Floor)
	}
	if flags&flagStale != 0 {
		b = appendDisks(b, r.Disks)
	}
	return b
}

// DecodeReplies reads the replies to want requests. Documents share b.
func DecodeReplies(b []byte, want int) ([]register.Reply, error) {
	d := decoder{b: b}
	d.version()
	if n := int(d.uvarint(MaxMessages)); d.err == nil && n != want {
		return nil, fmt.Errorf("%w: %d replies to %d requests", ErrFrame, n, want)
	}
	if d.err != nil {
		return nil, d.err
	}
	replies := make([]register.Reply, want)
	for i := range replies {
		r := &replies[i]
		r.Verdict = register.Verdict(d.byte())
		flags := d.byte()
		if r.Verdict < register.VerdictYes || r.Verdict > register.VerdictFull {
			d.fail("a verdict that no node gives")
		}
		r.Record = d.record(flags)
		r.Chosen = flags&flagChosen != 0
		if flags&flagEpoch != 0 {
			r.Epoch = d.uint64()
		}
		if flags&flagRefusal != 0 {
			r.Highest, r.Held, r.Floor = d.ballot(), d.ballot(), d.ballot()
		}
		if flags&flagStale != 0 {
			r.Disks = d.disks()
		}
		if d.err != nil {
			return nil, d.err
		}
	}
	return replies, d.end()
}
