package drills

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The addresses that docker-compose.yaml and drill.yaml publish on this machine.
func gatewayURLs() []string { return []string{"http://127.0.0.1:8080", "http://127.0.0.1:18080"} }

func nodeURLs() []string {
	return []string{"http://127.0.0.1:17100", "http://127.0.0.1:17101", "http://127.0.0.1:17102"}
}

// commandLimit bounds one docker-compose command; images are built beforehand.
const commandLimit = 3 * time.Minute

// compose is the deployment of docker-compose.yaml under a project name of its
// own, so that it shares no volume with anything else.
type compose struct {
	root string // of the repository
}

// startCompose starts all services from blank volumes and removes them, volumes
// and all, at the end of the test. The images must be there.
func startCompose(tb testing.TB) *compose {
	tb.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(tb, err)
	c := &compose{root: root}
	c.run(tb, "down", "--volumes", "--remove-orphans")
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Log(c.output("logs", "--no-color", "--tail", "100"))
		}
		tb.Log(c.output("down", "--volumes", "--remove-orphans"))
	})
	c.run(tb, "up", "-d", "--no-build")
	return c
}

// output runs a docker-compose command for a log.
func (c *compose) output(args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	out, err := c.command(ctx, args...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("docker-compose %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (c *compose) run(tb testing.TB, args ...string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), commandLimit)
	defer cancel()
	out, err := c.command(ctx, args...).CombinedOutput()
	require.NoError(tb, err, "docker-compose %s:\n%s", strings.Join(args, " "), out)
}

// command calls docker-compose, or the plugin of docker where that is missing.
func (c *compose) command(ctx context.Context, args ...string) *exec.Cmd {
	args = append([]string{"-p", "dyad-drill", "-f", "docker-compose.yaml", "-f", "deployments/docker/drill.yaml"}, args...)
	name := "docker-compose"
	if _, err := exec.LookPath(name); err != nil {
		name, args = "docker", append([]string{"compose"}, args...)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = c.root
	return cmd
}

// Gateways satisfies latency.Target.
func (c *compose) Gateways() []string { return gatewayURLs() }

// PIDs satisfies latency.Target: the processes are in containers, and not counted.
func (c *compose) PIDs() []int { return nil }
