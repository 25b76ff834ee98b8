// Package freeport finds ports for the tests of programs that are told theirs.
//
// Invariant: a port is outside the range from which the kernel serves others, so
// that no connection takes it before the program does.
package freeport

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports below 32768, where Linux begins to take ports for connections.
const (
	lowest = 12000
	count  = 20000
	tries  = 1000
)

// Find returns n different ports of 127.0.0.1 on which nothing listened just now.
func Find(ctx context.Context, n int) ([]int, error) {
	var ports []int
	for range tries {
		if len(ports) == n {
			return ports, nil
		}
		port := lowest + rand.IntN(count)
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		defer l.Close() // not before all are found, so that they differ
		ports = append(ports, port)
	}
	return nil, errors.New("no free ports on 127.0.0.1")
}
