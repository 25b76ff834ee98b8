package main

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/ctl/bench"
)

// TestBench loads a cluster of real processes.
func TestBench(t *testing.T) {
	temporary(t)
	s := dev(t, t.TempDir(), "--memory")
	s.ready()
	args := []string{"bench", "--gateway", s.gateway, "--users", "50", "--clients", "4", "--duration", "500ms"}
	r := dyad(t, append(args, "--json")...)
	require.Zero(t, r.code, r.stderr)
	require.Empty(t, r.stderr, "no progress where there is no terminal")
	var result bench.Result
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &result))
	require.Equal(t, "mixed", result.Load)
	require.Positive(t, result.Requests[0].Answered)
	require.Zero(t, result.Failures())

	r = dyad(t, append(args, "--load", "hot")...)
	require.Zero(t, r.code, r.stderr)
	require.Regexp(t, `^hot, 4 clients, 50 users, 0\.5 s\n`, r.stdout)
	require.Regexp(t, `(?m)^ *update +\d+ `, r.stdout)

	s.signal(os.Interrupt)
	require.Zero(t, s.end(), &s.stderr)
	r = dyad(t, args...)
	require.Equal(t, 2, r.code)
	require.Contains(t, r.stderr, "can't be asked")
	require.Equal(t, 2, dyad(t, "bench", "--load", "everything").code)
}
