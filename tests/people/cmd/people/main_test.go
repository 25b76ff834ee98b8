package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRun(t *testing.T) {
	var stdout, stderr bytes.Buffer
	assert.Zero(t, run([]string{"-n", "200", "-seed", "9"}, &stdout, &stderr))
	assert.Equal(t, 201, strings.Count(stdout.String(), "\n"))
	assert.Empty(t, stderr.String())
	for _, args := range [][]string{{"-n", "-1"}, {"-n", "x"}, {"file"}} {
		assert.Equal(t, 2, run(args, &stdout, &stderr), args)
	}
	assert.NotEmpty(t, stderr.String())
}
