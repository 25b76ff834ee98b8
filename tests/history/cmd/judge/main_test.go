package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dyad-db/dyad/tests/history"
)

func TestJudge(t *testing.T) {
	user := history.User{ID: "a", Name: "A", Email: "a@example.com"}
	created := history.Operation{Call: 0, Return: 1, Input: history.Create(user), Output: history.Done(user)}
	lost := history.Operation{Call: 2, Return: 3, Input: history.Get("a"), Output: history.Ended(history.NotFound)}
	nonsense := history.Operation{Input: history.Get("a"), Output: history.Ended(history.Exists)}
	for title, c := range map[string]struct {
		ops    []history.Operation
		code   int
		stdout string
	}{
		"linearizable": {[]history.Operation{created}, 0, "linearizable: 1 operations"},
		"illegal":      {[]history.Operation{created, lost}, 1, "not linearizable: 2 operations"},
		"malformed":    {[]history.Operation{nonsense}, 2, "malformed: 1 operations"},
	} {
		t.Run(title, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "history.jsonl")
			require.NoError(t, history.WriteFile(file, c.ops))
			var stdout, stderr bytes.Buffer
			assert.Equal(t, c.code, run([]string{file}, &stdout, &stderr))
			assert.Contains(t, stdout.String(), c.stdout)
			assert.Empty(t, stderr.String())
			if c.code == 1 {
				assert.FileExists(t, file+".html")
			}
		})
	}
}

func TestJudgeRefusesWrongUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"a", "b"}, {"-nonsense"}, {filepath.Join(t.TempDir(), "missing")}} {
		var stdout, stderr bytes.Buffer
		assert.Equal(t, 2, run(args, &stdout, &stderr), args)
		assert.NotEmpty(t, stderr.String(), args)
	}
}
