package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxRecordLines bounds a page of records, and is its default size.
const MaxRecordLines = 10_000

// RecordsType is the media type of a page: JSON values, one a line.
const RecordsType = "application/x-ndjson"

// RecordsQuery asks a node for a page of what it holds of a partition, in key
// order. A page of fewer than Limit lines is the last.
type RecordsQuery struct {
	Partition uint16
	After     string // the last key of the page before; empty for the first page
	Limit     int    // 1 to MaxRecordLines
}

// RecordLine is one record without its document.
type RecordLine struct {
	Key       string     `json:"key"`
	Ballot    BallotJSON `json:"ballot"`
	Tombstone bool       `json:"tombstone"`
	Checksum  uint32     `json:"crc32c"` // of the document
}

// BallotJSON is a register.Ballot, its proposer a string, since many readers of
// JSON keep integers exact up to 2^53 alone.
type BallotJSON struct {
	Time     int64  `json:"time"`
	Proposer uint64 `json:"proposer,string"`
}

// Values returns q as the query of a URL.
func (q RecordsQuery) Values() url.Values {
	return url.Values{
		"partition": {strconv.Itoa(int(q.Partition))},
		"after":     {q.After},
		"limit":     {strconv.Itoa(q.Limit)},
	}
}

// ParseRecordsQuery reads what Values made, for a cluster with that many
// partitions. After and limit may be left out.
func ParseRecordsQuery(v url.Values, partitions int) (RecordsQuery, error) {
	partition, err := strconv.ParseUint(v.Get("partition"), 10, 16)
	if err != nil || int(partition) >= partitions {
		return RecordsQuery{}, fmt.Errorf("partition must be 0 to %d, not %q", partitions-1, v.Get("partition"))
	}
	q := RecordsQuery{Partition: uint16(partition), After: v.Get("after"), Limit: MaxRecordLines}
	if len(q.After) > MaxKeyBytes {
		return RecordsQuery{}, fmt.Errorf("after is %d bytes long: no key is longer than %d", len(q.After), MaxKeyBytes)
	}
	if v.Has("limit") {
		q.Limit, err = strconv.Atoi(v.Get("limit"))
		if err != nil || q.Limit < 1 || q.Limit > MaxRecordLines {
			return RecordsQuery{}, fmt.Errorf("limit must be 1 to %d, not %q", MaxRecordLines, v.Get("limit"))
		}
	}
	return q, nil
}

// AppendRecordLines appends a page to b.
func AppendRecordLines(b []byte, lines []RecordLine) ([]byte, error) {
	buf := bytes.NewBuffer(b)
	enc := jsontext.NewEncoder(buf)
	for i := range lines {
		if err := json.MarshalEncode(enc, &lines[i]); err != nil {
			return nil, err
		}
	}
	return buf.Bytes(), nil
}

// ReadRecordLines reads a page of at most limit lines.
func ReadRecordLines(r io.Reader, limit int) ([]RecordLine, error) {
	dec := jsontext.NewDecoder(r)
	var lines []RecordLine
	for {
		var line RecordLine
		err := json.UnmarshalDecode(dec, &line)
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, fmt.Errorf("line %d of the records: %w", len(lines)+1, err)
		}
		if len(lines) == limit {
			return nil, fmt.Errorf("more than the %d records that were asked for", limit)
		}
		lines = append(lines, line)
	}
}
