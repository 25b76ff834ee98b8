package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/dyad-db/dyad/ctl/bench"
)

func benchCommand() *cobra.Command {
	cfg := bench.Config{}
	var gateway string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Load a deployment and print how many requests it answers, and how fast",
		Long: `Load a deployment and print how many requests it answers, and how fast.

It makes users of its own (their ids begin with bench-), loads the gateway after a
second of warming up, checks every answer, and deletes the users again. Ctrl-C ends
the load early: what was measured by then is printed.

Loads: ` + bench.Loads + `.

With --rate requests are sent when they are due, however slow the answers: a time
then includes the wait for a free client. Without, each client sends its next
request when the last was answered.

Exit code: 0 every request was answered as it should be; 1 not; 2 the deployment
can't be loaded.`,
		Example: `  dyad bench
  dyad bench --load read --clients 128 --duration 30s
  dyad bench --gateway http://10.0.0.5:8080 --rate 2000 --json`,
		Args: cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			return cfg.Validate()
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Gateway = gatewayOf(cmd, gateway)
			if _, _, err := ask(cmd.Context(), cfg.Gateway); err != nil {
				return exitError{2, err}
			}
			progress := newProgress(os.Stderr)
			result, err := bench.Run(cmd.Context(), cfg, func(p bench.Progress) { progress.say(benchProgress(p)) })
			progress.clear()
			if len(result.Requests) == 0 {
				return exitError{2, err}
			}
			if asJSON {
				err = errors.Join(err, json.MarshalWrite(cmd.OutOrStdout(), result, jsontext.WithIndent("  ")))
				fmt.Fprintln(cmd.OutOrStdout())
			} else {
				result.Print(cmd.OutOrStdout())
			}
			if err != nil || result.Failures() > 0 {
				return exitError{1, err}
			}
			return nil
		},
	}
	gatewayFlag(cmd, &gateway)
	flags := cmd.Flags()
	flags.StringVar(&cfg.Load, "load", "mixed", "`what` the requests do; see above")
	flags.IntVar(&cfg.Clients, "clients", 32, "`how many` requests are under way at once")
	flags.IntVar(&cfg.Users, "users", 10_000, "`how many` users to make first")
	flags.DurationVar(&cfg.Duration, "duration", 10*time.Second, "`how long` to measure")
	flags.Float64Var(&cfg.Rate, "rate", 0, "`requests` a second in all; 0 for as many as are answered")
	flags.BoolVar(&cfg.Keep, "keep", false, "leave the users there")
	flags.BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

func benchProgress(p bench.Progress) string {
	if p.Of > 0 {
		return fmt.Sprintf("%s: %d of %d", p.Phase, p.Done, p.Of)
	}
	return fmt.Sprintf("%s: %.0f requests a second, p99 %.1f ms, %d failed", p.Phase, p.PerSecond, float64(p.P99.Microseconds())/1000, p.Failed)
}
