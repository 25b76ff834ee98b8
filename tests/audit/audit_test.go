package audit_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/wire"
	"github.com/dyad-db/dyad/tests/audit"
)

const partitions = 3 // node i is the first data replica of partition i

// cluster is three nodes that hold what the test gives them.
type cluster struct {
	t      *testing.T
	places placement.Map
	ids    [placement.Nodes]string
	counts [placement.Nodes]int                          // partitions that each says there are
	held   [placement.Nodes][]map[string]wire.RecordLine // by partition
	broken func(w http.ResponseWriter) bool              // true: it has answered a page
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	places, err := placement.New(partitions)
	require.NoError(t, err)
	c := &cluster{t: t, places: places}
	for i := range c.held {
		c.ids[i], c.counts[i] = fmt.Sprint("db-", i), partitions
		for range partitions {
			c.held[i] = append(c.held[i], map[string]wire.RecordLine{})
		}
	}
	return c
}

func line(key string, at int64) wire.RecordLine {
	return wire.RecordLine{Key: key, Ballot: wire.BallotJSON{Time: at, Proposer: 1}, Checksum: 7}
}

// put gives a record to both data replicas of its id.
func (c *cluster) put(l wire.RecordLine) {
	p := c.places.Partition(l.Key)
	group := c.places.Group(p)
	for _, node := range group[:2] {
		c.held[node][p][l.Key] = l
	}
}

// at returns what seat of id's group holds of its partition, and the node's name.
func (c *cluster) at(id string, seat int) (held map[string]wire.RecordLine, name string) {
	p := c.places.Partition(id)
	node := c.places.Group(p)[seat]
	return c.held[node][p], c.ids[node]
}

// audit runs the audit, the nodes in another order than that of their ids.
func (c *cluster) audit(expected []string) (audit.Report, error) {
	c.t.Helper()
	var urls []string
	for _, i := range []int{2, 0, 1} {
		mux := http.NewServeMux()
		mux.HandleFunc("GET "+wire.PathStatus, func(w http.ResponseWriter, _ *http.Request) {
			if err := json.MarshalWrite(w, wire.NodeStatus{ID: c.ids[i], Partitions: c.counts[i]}); err != nil {
				c.t.Error(err)
			}
		})
		mux.HandleFunc("GET "+wire.PathRecords, func(w http.ResponseWriter, r *http.Request) { c.records(i, w, r) })
		server := httptest.NewServer(mux)
		c.t.Cleanup(server.Close)
		urls = append(urls, server.URL)
	}
	return audit.Audit(c.t.Context(), urls, expected)
}

func (c *cluster) records(node int, w http.ResponseWriter, r *http.Request) {
	if c.broken != nil && c.broken(w) {
		return
	}
	q, err := wire.ParseRecordsQuery(r.URL.Query(), partitions)
	if err != nil {
		c.t.Error(err)
		return
	}
	var lines []wire.RecordLine
	held := c.held[node][q.Partition]
	for _, key := range slices.Sorted(maps.Keys(held)) {
		if key > q.After && len(lines) < q.Limit {
			lines = append(lines, held[key])
		}
	}
	page, err := wire.AppendRecordLines(nil, lines)
	if err != nil {
		c.t.Error(err)
		return
	}
	_, _ = w.Write(page)
}

func TestWholeCluster(t *testing.T) {
	c := newCluster(t)
	var ids []string
	for i := 0; len(ids) < wire.MaxRecordLines+1; i++ { // more than a page in one partition
		if id := fmt.Sprint("u", i); c.places.Partition(id) == 1 {
			ids = append(ids, id)
			c.put(line(id, int64(i+1)))
		}
	}
	gone := line("gone", 9)
	gone.Tombstone = true
	c.put(gone)
	report, err := c.audit(ids)
	require.NoError(t, err)
	require.NoError(t, report.Err())
	require.Equal(t, audit.Report{Partitions: 3, Records: len(ids), Tombstones: 1, Compared: 2*len(ids) + 2}, report)
}

func TestFaultsAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(c *cluster) []string // and what the report must say
		ids    []string                  // nil: none are given
	}{
		"first replica lacks it": {func(c *cluster) []string {
			held, d1 := c.at("ada", 0)
			delete(held, "ada")
			_, d2 := c.at("ada", 1)
			return []string{d1 + " lacks ada, which " + d2 + " holds at 5.1"}
		}, nil},
		"second replica lacks it": {func(c *cluster) []string {
			held, d2 := c.at("ada", 1)
			delete(held, "ada")
			_, d1 := c.at("ada", 0)
			return []string{d2 + " lacks ada, which " + d1 + " holds at 5.1"}
		}, nil},
		"older ballot": {func(c *cluster) []string {
			held, _ := c.at("ada", 1)
			held["ada"] = line("ada", 4)
			return []string{"holds ada at 5.1"}
		}, nil},
		"other content": {func(c *cluster) []string {
			held, _ := c.at("ada", 1)
			l := held["ada"]
			l.Checksum++
			held["ada"] = l
			return []string{"hold ada at 5.1 with different content"}
		}, nil},
		"deleted on one": {func(c *cluster) []string {
			held, _ := c.at("ada", 0)
			l := held["ada"]
			l.Tombstone = true
			held["ada"] = l
			return []string{"hold ada at 5.1 with different content"}
		}, nil},
		"hint left": {func(c *cluster) []string {
			held, w := c.at("ada", 2)
			held["ada"] = line("ada", 5)
			return []string{w + ", the witness, still holds ada"}
		}, nil},
		"wrong partition": {func(c *cluster) []string {
			p := (c.places.Partition("ada") + 1) % partitions
			group := c.places.Group(p)
			for _, node := range group[:2] {
				c.held[node][p]["ada"] = line("ada", 5)
			}
			return []string{"where it doesn't belong", "where it doesn't belong"}
		}, nil},
		"lost on both": {func(c *cluster) []string {
			for seat := range 2 {
				held, _ := c.at("ada", seat)
				delete(held, "ada")
			}
			return []string{"no node holds ada, which should be there"}
		}, []string{"ada", "bob"}},
		"not expected":  {func(*cluster) []string { return []string{"bob is there and should not be"} }, []string{"ada"}},
		"none expected": {func(*cluster) []string { return []string{"should not be", "should not be"} }, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			cluster := newCluster(t)
			cluster.put(line("ada", 5))
			cluster.put(line("bob", 6))
			want := c.damage(cluster)
			report, err := cluster.audit(c.ids)
			require.NoError(t, err)
			require.Len(t, report.Faults, len(want), report.Faults)
			for i := range want {
				require.Contains(t, report.Faults[i], want[i])
			}
			require.ErrorContains(t, report.Err(), report.Faults[0])
		})
	}
}

func TestFaultsNamedAreBounded(t *testing.T) {
	c := newCluster(t)
	for i := range 100 {
		c.put(line(fmt.Sprint("u", i), 1))
	}
	report, err := c.audit([]string{})
	require.NoError(t, err)
	require.Equal(t, 100, report.Wrong)
	require.Len(t, report.Faults, 20)
}

func TestNodesThatCantBeReadAreNoProof(t *testing.T) {
	for name, spoil := range map[string]func(c *cluster){
		"two of the same name":     func(c *cluster) { c.ids[1] = "db-0" },
		"of another cluster":       func(c *cluster) { c.counts[1] = 64 },
		"without a partition":      func(c *cluster) { c.counts = [placement.Nodes]int{} },
		"an error instead of data": func(c *cluster) { c.broken = func(w http.ResponseWriter) bool { w.WriteHeader(500); return true } },
		"a page cut short": func(c *cluster) {
			c.broken = func(w http.ResponseWriter) bool { _, _ = w.Write([]byte(`{"key":"ada"`)); return true }
		},
		"a page that repeats itself": func(c *cluster) {
			c.broken = func(w http.ResponseWriter) bool { _, _ = w.Write([]byte(`{"key":"ada"}{"key":"ada"}`)); return true }
		},
	} {
		c := newCluster(t)
		c.put(line("ada", 5))
		spoil(c)
		_, err := c.audit(nil)
		require.Error(t, err, name)
	}
	_, err := audit.Audit(t.Context(), []string{"http://127.0.0.1:1", "http://127.0.0.1:1"}, nil)
	require.ErrorContains(t, err, "all 3 nodes")
}
