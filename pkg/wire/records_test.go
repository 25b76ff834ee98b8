package wire_test

import (
	"bytes"
	"math"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/dyad-db/dyad/pkg/wire"
)

func TestRecordsQueryRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := wire.RecordsQuery{
			Partition: uint16(rapid.IntRange(0, 63).Draw(t, "partition")),
			After:     rapid.StringN(0, 60, wire.MaxKeyBytes).Draw(t, "after"),
			Limit:     rapid.IntRange(1, wire.MaxRecordLines).Draw(t, "limit"),
		}
		values, err := url.ParseQuery(q.Values().Encode())
		require.NoError(t, err)
		got, err := wire.ParseRecordsQuery(values, 64)
		require.NoError(t, err)
		require.Equal(t, q, got)
	})
}

func TestRecordsQueryBounds(t *testing.T) {
	parse := func(query string) (wire.RecordsQuery, error) {
		values, err := url.ParseQuery(query)
		require.NoError(t, err)
		return wire.ParseRecordsQuery(values, 64)
	}
	q, err := parse("partition=5")
	require.NoError(t, err)
	require.Equal(t, wire.RecordsQuery{Partition: 5, Limit: wire.MaxRecordLines}, q, "the rest may be left out")
	for _, bad := range []string{
		"", "partition=", "partition=-1", "partition=64", "partition=70000", "partition=x",
		"partition=1&limit=0", "partition=1&limit=-1", "partition=1&limit=10001", "partition=1&limit=", "partition=1&limit=x",
		"partition=1&after=" + strings.Repeat("a", wire.MaxKeyBytes+1),
	} {
		_, err := parse(bad)
		require.Error(t, err, bad)
	}
}

func TestRecordLinesRoundTrip(t *testing.T) {
	lines := []wire.RecordLine{
		{Key: "ada", Ballot: wire.BallotJSON{Time: 1<<53 + 1, Proposer: math.MaxUint64}, Checksum: math.MaxUint32},
		{Key: `"quoted"`, Ballot: wire.BallotJSON{Time: 1}, Tombstone: true},
	}
	page, err := wire.AppendRecordLines(nil, lines)
	require.NoError(t, err)
	require.Equal(t, 2, bytes.Count(page, []byte("\n")), "one a line")
	require.Contains(t, string(page), `"proposer":"18446744073709551615"`)
	got, err := wire.ReadRecordLines(bytes.NewReader(page), 2)
	require.NoError(t, err)
	require.Equal(t, lines, got)

	none, err := wire.ReadRecordLines(strings.NewReader(""), 2)
	require.NoError(t, err)
	require.Empty(t, none)
	_, err = wire.ReadRecordLines(bytes.NewReader(page), 1)
	require.ErrorContains(t, err, "more than the 1 records")
	lineEnd := bytes.IndexByte(page, '\n') + 1
	for cut := lineEnd + 1; cut < len(page)-1; cut++ {
		_, err = wire.ReadRecordLines(bytes.NewReader(page[:cut]), 2)
		require.ErrorContains(t, err, "line 2", "cut short at %d", cut)
	}
}
