package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// exitError is the end of a command that was understood: its exit code, and the
// error to print, if any. Errors of other types come from cobra.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return fmt.Sprintf("exit code %d: %v", e.code, e.err) }

func (e exitError) Unwrap() error { return e.err }

// run carries out the command line and returns the exit code.
func run(ctx context.Context) int {
	root := &cobra.Command{
		Use:   "dyad",
		Short: "Run a Dyad cluster on this machine, and see how a cluster is",
		Example: `  dyad dev             # a gateway and three nodes, data in ./data
  dyad status          # is every node up, and does each have all its records?
  dyad node replace db-1`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(devCommand(), statusCommand(), benchCommand(), nodeCommand(), versionCommand())
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	exit, understood := errors.AsType[exitError](err)
	if !understood {
		fmt.Fprintf(os.Stderr, "dyad: %v\nSee %s --help.\n", err, cmd.CommandPath())
		return 2
	}
	if exit.err != nil {
		fmt.Fprintf(os.Stderr, "dyad: %v\n", exit.err)
	}
	return exit.code
}
