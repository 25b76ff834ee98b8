package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/dyad-db/dyad/ctl/devcluster"
	"github.com/dyad-db/dyad/ctl/statusview"
	"github.com/dyad-db/dyad/pkg/wire"
)

const (
	gatewayEnv    = "DYAD_GATEWAY"
	statusTimeout = 5 * time.Second // the gateway itself gives its nodes 2 s
	maxStatus     = 1 << 20         // bytes
)

func statusCommand() *cobra.Command {
	var gateway, stopping string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Print how each node is, and whether the cluster is whole",
		Long: `Print how each node is, and what it holds: records, deletions that are still
kept (tombstones), and hints: records that it keeps for another node that may lack
them. Then what its last anti-entropy and scrub found, its bytes on disk, which
disk it runs on (a lost disk's successor has the next number) and how often that
was started.

The state of a node is one of
  up         it answers
  slow       it answers, but typically in more than 50 ms
  read-only  its disk is nearly full; the two others take the writes
  joining    its disk was lost; it is being rebuilt from the others
  waiting    for another node to know of its start
  down       it does not answer

The last line says "whole" when every node is up, if slow, and no hint is left,
else what is missing.

With --can-stop it says instead whether a node can be stopped now: every user
stays readable and writable, and nothing rests on that node alone.

Exit code: 0 whole, or it can be stopped; 1 not; 2 the gateway can't be asked, or
there is no such node.`,
		Example: `  dyad status
  dyad status --gateway http://10.0.0.5:8080
  until dyad status; do sleep 1; done    # wait for a node that is coming back
  dyad status --can-stop db-1 && ssh db-1 systemctl restart dyad`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			raw, status, err := ask(cmd.Context(), gatewayOf(cmd, gateway))
			if err != nil {
				return exitError{2, err}
			}
			text, good := statusview.Render(status, time.Now()), status.Whole
			switch {
			case asJSON:
				text = string(raw) + "\n"
			case cmd.Flags().Changed("can-stop"):
				if text, good, err = canStop(status, stopping); err != nil {
					return exitError{2, err}
				}
				text += "\n"
			}
			if _, err := io.WriteString(cmd.OutOrStdout(), text); err != nil {
				return exitError{2, err}
			}
			if !good {
				return exitError{1, nil} // the last line has said why
			}
			return nil
		},
	}
	gatewayFlag(cmd, &gateway)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print all that the gateway says, as JSON")
	cmd.Flags().StringVar(&stopping, "can-stop", "", "say whether this `node` can be stopped now")
	cmd.MarkFlagsMutuallyExclusive("json", "can-stop")
	return cmd
}

func gatewayFlag(cmd *cobra.Command, gateway *string) {
	cmd.Flags().StringVar(gateway, "gateway", "http://"+devcluster.DefaultConfig().Gateway, "`URL` of the gateway; "+gatewayEnv+" sets it too")
}

// gatewayOf returns what the flag says, else the environment.
func gatewayOf(cmd *cobra.Command, flag string) string {
	if env := os.Getenv(gatewayEnv); env != "" && !cmd.Flags().Changed("gateway") {
		return env
	}
	return flag
}

// ask asks a gateway for the status of its cluster. raw is the answer, indented.
func ask(ctx context.Context, gateway string) (raw []byte, status wire.ClusterStatus, err error) {
	u, err := url.Parse(gateway)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, status, fmt.Errorf("the gateway %q is no address of the form http://host:port", gateway)
	}
	if raw, err = get(ctx, u.JoinPath(wire.PathStatus).String()); err != nil {
		return nil, status, fmt.Errorf("the gateway at %s can't be asked: %w\n"+
			"start a cluster with `dyad dev`, or name a gateway that runs with --gateway or %s", gateway, err, gatewayEnv)
	}
	err = json.Unmarshal(raw, &status)
	if err == nil && (len(status.Nodes) == 0 || status.Whole != (len(status.Missing) == 0)) {
		err = errors.New("it lacks what a gateway would say")
	}
	if err != nil {
		return nil, status, fmt.Errorf("the answer of %s is no status of a cluster: %w; "+
			"is that a gateway of Dyad, and not a node?", gateway, err)
	}
	if err := (*jsontext.Value)(&raw).Indent(); err != nil {
		return nil, status, err
	}
	return raw, status, nil
}

func get(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxStatus))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		start := strings.Join(strings.Fields(string(body[:min(len(body), 200)])), " ")
		return nil, fmt.Errorf("it answers %s: %s", resp.Status, start)
	}
	return body, nil
}
