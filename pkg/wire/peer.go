package wire

import (
	"encoding/binary"
	"fmt"
	"net/url"
	"strconv"

	"github.com/dyad-db/dyad/pkg/register"
)

// Paths that nodes ask of one another, apart from frames.
const (
	PathHello  = "/v1/hello"  // POST: Hello; a Welcome comes back
	PathDigest = "/v1/digest" // GET ?partition=N: an encoded digest.Tree
	PathPage   = "/v1/page"   // GET ?partition=N&after=KEY: a page of records
)

// Bounds of a page of records.
const (
	MaxPageRecords = 2000
	MaxPageBytes   = 2 << 20 // of documents, and one more document at most
)

// Life is which disk a node runs on, and how often that was started.
type Life struct {
	Incarnation uint32     `json:"incarnation"`
	Boots       uint64     `json:"boots"`
	Beat        uint64     `json:"beat"`
	Starts      [16]uint64 `json:"starts,omitzero"` // numbers drawn at each start; absent in a status
	Recognized  bool       `json:"recognized"`
	Joining     bool       `json:"joining"`
}

// Hello is what a node shows its peers when it starts and every second after.
type Hello struct {
	From       string `json:"from"` // node id
	To         string `json:"to"`   // node id
	Partitions int    `json:"partitions"`
	Life       Life   `json:"life"`
}

// Welcome answers a Hello when the life shown is durably known.
type Welcome struct {
	Life   Life         `json:"life"`             // the answering node's own
	Voting bool         `json:"voting"`           // whether it may vote
	Before Life         `json:"before"`           // what it knew of the asking node before
	Fences []BallotJSON `json:"fences,omitempty"` // by partition, for a node that is joining
}

// PartitionQuery asks for something of a partition, after a key.
type PartitionQuery struct {
	Partition uint16
	After     string
}

// Values returns q as the query of a URL.
func (q PartitionQuery) Values() url.Values {
	return url.Values{"partition": {strconv.Itoa(int(q.Partition))}, "after": {q.After}}
}

// ParsePartitionQuery reads what Values made.
func ParsePartitionQuery(v url.Values, partitions int) (PartitionQuery, error) {
	partition, err := strconv.ParseUint(v.Get("partition"), 10, 16)
	if err != nil || int(partition) >= partitions {
		return PartitionQuery{}, fmt.Errorf("partition must be 0 to %d, not %q", partitions-1, v.Get("partition"))
	}
	q := PartitionQuery{Partition: uint16(partition), After: v.Get("after")}
	if len(q.After) > MaxKeyBytes {
		return PartitionQuery{}, fmt.Errorf("after is %d bytes long: no key is longer than %d", len(q.After), MaxKeyBytes)
	}
	return q, nil
}

// AppendPage appends an encoded page of records; more says that others follow.
func AppendPage(b []byte, records []register.Hint, more bool) []byte {
	b = append(b, frameVersion, boolByte(more))
	b = binary.AppendUvarint(b, uint64(len(records)))
	for _, r := range records {
		b = appendString(b, r.Key)
		b = append(b, recordFlags(r.Record))
		b = appendRecord(b, r.Record)
	}
	return b
}

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

// DecodePage reads a page. Documents share b.
func DecodePage(b []byte) (records []register.Hint, more bool, err error) {
	d := decoder{b: b}
	d.version()
	more = d.byte() == 1
	n := int(d.uvarint(MaxPageRecords))
	for range n {
		r := register.Hint{Key: d.string(), Record: d.record(d.byte())}
		if d.err == nil && r.Record.Blank() {
			d.fail("a page with a blank record")
		}
		if d.err != nil {
			return nil, false, d.err
		}
		records = append(records, r)
	}
	return records, more, d.end()
}
