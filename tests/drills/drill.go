// Package drills does to real deployments what happens to them in real life,
// under a load whose every answer is checked, and then has the nodes prove that
// nothing is missing and nothing is left over.
//
// Invariants:
//   - A drill fails if a request failed, an answer was wrong, a request took 250
//     ms or more, the cluster was not whole within the stated bound, or the
//     nodes' own records are not what they have to be.
//   - Clients use both gateways in turn. What one left unanswered is sent once to
//     the other, as a load balancer does, and counted as moved; an answer, a 503
//     too, is final.
//   - One fault at a time; the next one only when the cluster is whole.
package drills

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/audit"
	"github.com/dyad-db/dyad/tests/latency"
)

const (
	gateways = 2
	limit    = 250 * time.Millisecond // for any one request
	calm     = 3 * time.Second        // before the first fault and after each
	// wholeBound is how long the cluster may take to be whole when a fault ends,
	// and wholePer how much longer for each thousand users to bring back.
	wholeBound = 30 * time.Second
	wholePer   = time.Second
)

// bound is how long until whole with so many users to bring back.
func bound(users int) time.Duration { return wholeBound + wholePer*time.Duration(users)/1000 }

// load is what the drills put on a cluster.
func load(users int) latency.Options {
	return latency.Options{Clients: 16, PerSecond: 25, Limit: limit, Healthy: calm, Whole: bound(users), Shared: users}
}

// conclude ends a load, prints its table and judges it, and then the nodes. others
// are users that the load knows nothing of.
func conclude(tb testing.TB, l *latency.Load, nodes []string, others ...string) latency.Outcome {
	tb.Helper()
	o := l.Finish()
	tb.Logf("%d gateways; what one leaves unanswered moves to the other, once; no request may take %v:\n%s", gateways, limit, o)
	judge(tb, o)
	l.Await("no tombstone is left", func(s latency.Status) bool { return s.Whole && s.Tombstones == 0 })
	ids := others
	for _, u := range l.Users() {
		ids = append(ids, u.ID)
	}
	if failed(o) > 0 {
		ids = nil // users may exist whose creation was not acknowledged
	}
	atRest(tb, nodes, ids)
	return o
}

func judge(tb testing.TB, o latency.Outcome) {
	tb.Helper()
	for _, problem := range o.Problems {
		tb.Error(problem)
	}
	for _, row := range o.Rows {
		assert.Zero(tb, row.Failed, "failed requests: %s", row.Phase)
		assert.Zero(tb, row.Wrong, "wrong answers: %s", row.Phase)
		assert.Less(tb, row.Slowest, limit, "slowest request: %s (other programs used %.0f %% of the machine)", row.Phase, 100*row.Others)
	}
	assert.Zero(tb, o.Different, "ids that do not answer as they should at the end")
}

func failed(o latency.Outcome) (n int) {
	for _, row := range o.Rows {
		n += row.Failed
	}
	return n
}

// atRest has the nodes show every record they hold: each user on its two data
// replicas, the same there, and nothing else anywhere. That says more than equal
// digests would. Without ids, whoever is there is right.
func atRest(tb testing.TB, nodes, ids []string) {
	tb.Helper()
	report, err := audit.Audit(tb.Context(), nodes, ids)
	require.NoError(tb, err)
	tb.Log("from the nodes themselves: ", report)
	require.NoError(tb, report.Err())
	assert.Zero(tb, report.Tombstones, "deletions that are still kept")
}
