package devcluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dyad-db/dyad/pkg/placement"
)

// Config of a cluster.
type Config struct {
	Programs  string               // directory of the programs dbnode and gateway
	Data      string               // directory, made when missing; empty keeps all records in memory
	Logs      string               // directory, made when missing; one file per process, appended to
	Gateway   string               // host:port that the gateway listens on
	NodePorts [placement.Nodes]int // that the nodes listen on, on 127.0.0.1
	Report    func(message string) // told what happens, one call at a time; a message has one line or more

	ReadyTimeout time.Duration // for processes to be ready after their start
	RestartDelay time.Duration // between the death of a process and its restart
	StopTimeout  time.Duration // for a process to end after SIGTERM, before SIGKILL
}

// DefaultConfig returns a configuration that lacks Programs, Data, Logs and
// Report.
func DefaultConfig() Config {
	return Config{
		Gateway:      "127.0.0.1:8080",
		NodePorts:    [placement.Nodes]int{7100, 7101, 7102},
		ReadyTimeout: 2 * time.Minute, // a store may have to recover first
		RestartDelay: 5 * time.Second, // long enough to watch the others carry on
		StopTimeout:  10 * time.Second,
	}
}

const gatewayName = "gateway"

// spec is what it takes to start a process, again and again.
type spec struct {
	name    string
	address string // host:port that it listens on
	program string
	args    []string
	log     string
	// forgetful: a start after a death would forget promises and votes that count,
	// so there must be none.
	forgetful bool
}

// specs returns the nodes, then the gateway.
func (c Config) specs() []spec {
	var nodes []spec
	var members []string
	for i, port := range c.NodePorts {
		n := spec{
			name:    fmt.Sprintf("db-%d", i),
			address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
			program: filepath.Join(c.Programs, "dbnode"),
		}
		members = append(members, n.name+"=http://"+n.address)
		nodes = append(nodes, n)
	}
	all := strings.Join(members, ",")
	for i := range nodes {
		n := &nodes[i]
		n.args = []string{"--id", n.name, "--listen", n.address, "--nodes", all}
		if c.Data == "" {
			n.args = append(n.args, "--engine", "memory")
			n.forgetful = true
		} else {
			n.args = append(n.args, "--engine", "rocksdb", "--data", filepath.Join(c.Data, n.name))
		}
	}
	gateway := spec{
		name:    gatewayName,
		address: c.Gateway,
		program: filepath.Join(c.Programs, "gateway"),
		args:    []string{"--listen", c.Gateway, "--nodes", all},
	}
	specs := append(nodes, gateway)
	for i := range specs {
		specs[i].log = filepath.Join(c.Logs, specs[i].name+".log")
	}
	return specs
}

// checkPrograms returns an error that names a program that can't be run.
func checkPrograms(specs []spec) error {
	for _, s := range specs {
		info, err := os.Stat(s.program)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return fmt.Errorf("%s is missing: build it with `make build`", s.program)
		case err != nil:
			return err
		case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
			return fmt.Errorf("%s is no program: build it anew with `make build`", s.program)
		}
	}
	return nil
}

// checkPorts listens on every address for a moment. The error names the first
// that is not to be had, and wraps syscall.EADDRINUSE if it is in use.
func checkPorts(ctx context.Context, specs []spec) error {
	for _, s := range specs {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.address)
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("%s, the address for %s: %w", s.address, s.name, syscall.EADDRINUSE)
		}
		if err != nil {
			return fmt.Errorf("%s can't listen on %s: %w", s.name, s.address, err)
		}
		defer l.Close() // not before all are checked, so that two alike are found
	}
	return nil
}
