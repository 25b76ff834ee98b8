package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/history"
	"github.com/dyad-db/dyad/tests/people"
	"github.com/dyad-db/dyad/tests/restclient/resttest"
)

func TestRun(t *testing.T) {
	gateway := &resttest.Gateway{}
	url := resttest.Start(t, gateway)
	file := filepath.Join(t.TempDir(), "users.csv")
	var csv bytes.Buffer
	require.NoError(t, people.WriteCSV(&csv, people.Generate(1, 150)))
	require.NoError(t, os.WriteFile(file, csv.Bytes(), 0o600))

	var stdout, stderr bytes.Buffer
	assert.Zero(t, run(t.Context(), []string{"-gateway", url, "-c", "4", file}, nil, &stdout, &stderr, false))
	assert.Contains(t, stdout.String(), "loaded 150, read back 150, different 0, in ")
	assert.Empty(t, stderr.String(), "no progress unless on a terminal")

	gateway.Put(history.User{ID: "null", Name: "Somebody Else"})
	stdout.Reset()
	assert.Equal(t, 1, run(t.Context(), []string{"-gateway", url, "-"}, &csv, &stdout, &stderr, true))
	assert.Contains(t, stdout.String(), "loaded 150 (150 were there), read back 149, different 1, in ")
	assert.Contains(t, stderr.String(), "100 % of 300 requests\n")
	assert.Contains(t, stderr.String(), `read null: got {"null" "Somebody Else"`)
}

func TestRunRefusesWrongUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"-c", "0", "-"}, {"-c", "5000", "-"}, {"-nonsense"}, {"a", "b"}, {"/nonexistent.csv"}, {"-"}} {
		var stdout, stderr bytes.Buffer
		assert.Equal(t, 2, run(t.Context(), args, strings.NewReader("no,header\n"), &stdout, &stderr, false), args)
		assert.NotEmpty(t, stderr.String(), args)
	}
}
