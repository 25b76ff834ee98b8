package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/dyad-db/dyad/ctl/devcluster"
	"github.com/dyad-db/dyad/pkg/placement"
)

// devOptions are the flags of dyad dev.
type devOptions struct {
	memory bool
	data   string
	listen string
	ports  []int
}

func devCommand() *cobra.Command {
	defaults := devcluster.DefaultConfig()
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a whole cluster on this machine: three nodes and a gateway",
		Long: `Run a whole cluster on this machine: three nodes and a gateway, each a process
of its own. What dies is started again after 5 seconds. Ctrl-C stops all.

The records are in ./data/db-0 to db-2 and the logs in ./data/logs. With --memory
a node's records go when it ends, so it is not started again; the logs go when dyad does.`,
		Example: `  dyad dev
  dyad dev --memory
  dyad dev --data /tmp/second --listen 127.0.0.1:8090 --node-ports 7200`,
		Args: cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			if o.memory && cmd.Flags().Changed("data") {
				return errors.New("--memory and --data exclude each other: in memory there is no directory of data")
			}
			if err := checkListen(o.listen); err != nil {
				return err
			}
			ports, err := nodePorts(o.ports)
			o.ports = ports
			return err
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.run(cmd.Context(), cmd.OutOrStdout()); err != nil {
				return exitError{1, err}
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.memory, "memory", false, "keep the records in memory, not in RocksDB")
	flags.StringVar(&o.data, "data", "data", "`directory` of the records and logs")
	flags.StringVar(&o.listen, "listen", defaults.Gateway, "`address` of the gateway")
	flags.IntSliceVar(&o.ports, "node-ports", defaults.NodePorts[:], "`ports` of the three nodes, or the first of three in a row")
	return cmd
}

func checkListen(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--listen %q: want host:port", address)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("--listen %q: want a port from 1 to 65535", address)
	}
	return nil
}

// nodePorts returns one port per node, all different.
func nodePorts(given []int) ([]int, error) {
	ports := slices.Clone(given)
	if len(given) == 1 {
		for i := 1; i < placement.Nodes; i++ {
			ports = append(ports, given[0]+i)
		}
	}
	if len(ports) != placement.Nodes {
		return nil, fmt.Errorf("--node-ports: %d given, want %d, or one to count from", len(given), placement.Nodes)
	}
	for i, port := range ports {
		if port < 1 || port > 65535 {
			return nil, fmt.Errorf("--node-ports: %d is no port: want 1 to 65535", port)
		}
		if slices.Contains(ports[:i], port) {
			return nil, fmt.Errorf("--node-ports: %d is there twice", port)
		}
	}
	return ports, nil
}

// run runs a cluster until ctx ends.
func (o devOptions) run(ctx context.Context, out io.Writer) (err error) {
	// Who reads our output may go first, as in `dyad dev | tee log`, where Ctrl-C
	// reaches both: the cluster is to be stopped in order all the same.
	signal.Ignore(syscall.SIGPIPE)
	cfg, err := o.config(out)
	if err != nil {
		return err
	}
	if o.memory {
		defer func() { err = errors.Join(err, removeLogs(cfg.Logs, err == nil)) }()
	}
	cluster, err := devcluster.Start(ctx, cfg)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: is another dyad dev running? Stop what listens there, or choose with --listen and --node-ports", err)
	}
	if err != nil {
		return err
	}
	printProcesses(out, cluster.Processes())
	progress := newProgress(os.Stderr)
	err = cluster.WaitReady(ctx, progress.show)
	progress.clear()
	if err == nil {
		o.printReady(out, cluster.Processes())
		cluster.Supervise(ctx)
	}
	if ctx.Err() != nil {
		err = nil // to be stopped while starting is no failure
		fmt.Fprintln(out, "\nStopping the gateway, then the nodes.")
	}
	if err = errors.Join(err, cluster.Stop()); err != nil {
		return err
	}
	o.printStopped(out)
	return nil
}

func (o devOptions) config(out io.Writer) (devcluster.Config, error) {
	cfg := devcluster.DefaultConfig()
	self, err := os.Executable()
	if err != nil {
		return cfg, err
	}
	cfg.Programs = filepath.Dir(self)
	cfg.Gateway = o.listen
	copy(cfg.NodePorts[:], o.ports)
	cfg.Report = func(message string) { fmt.Fprintln(out, message) }
	if o.memory {
		cfg.Logs, err = os.MkdirTemp("", "dyad-dev-")
		return cfg, err
	}
	cfg.Data, cfg.Logs = o.data, filepath.Join(o.data, "logs")
	return cfg, nil
}

// removeLogs removes a temporary directory of logs, but not logs that may say
// why things went wrong.
func removeLogs(dir string, allWell bool) error {
	if !allWell {
		_ = os.Remove(dir) // goes only if nothing was logged
		return nil
	}
	return os.RemoveAll(dir)
}
