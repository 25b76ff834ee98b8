package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/dyad-db/dyad/ctl/devcluster"
)

func printProcesses(out io.Writer, processes []devcluster.Process) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tADDRESS\tPID\tLOG")
	for _, p := range processes {
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", p.Name, p.Address, p.PID, p.Log)
	}
	_ = table.Flush() // as with any printing: who closed our output wants to know no more
}

// printReady says what can be done with a cluster that serves.
func (o devOptions) printReady(out io.Writer, processes []devcluster.Process) {
	gateway := gatewayURL(o.listen)
	status := os.Args[0] + " status"
	if o.listen != devcluster.DefaultConfig().Gateway {
		status += " --gateway " + gateway
	}
	fmt.Fprintf(out, `
Ready: %s

Create a user, who is then at the Location in the reply:
  curl -i %s/api/users/ -H 'Content-Type: application/json' \
    -d '{"name":"Ada Lovelace","email":"ada@example.org","group":1}'

See how the nodes are, in another terminal:
  %s

`, gateway, gateway, status)
	if o.memory {
		fmt.Fprintf(out, "Kill a node and watch the others carry on; in memory it takes its records along and stays down:\n  kill -9 %d    # %s\n",
			processes[1].PID, processes[1].Name)
	} else {
		fmt.Fprintf(out, "Kill a node and watch the others carry on; it is started again after 5 seconds:\n  kill -9 %d    # %s\n",
			processes[1].PID, processes[1].Name)
	}
	fmt.Fprint(out, "\nCtrl-C stops all.\n\n")
}

func (o devOptions) printStopped(out io.Writer) {
	if o.memory {
		fmt.Fprintln(out, "Stopped, and what was in memory is gone.")
		return
	}
	fmt.Fprintf(out, "Stopped. The records stay in directory %s.\n", o.data)
}

// gatewayURL returns where a gateway that listens on address is to be reached
// from this machine.
func gatewayURL(address string) string {
	host, port, _ := net.SplitHostPort(address) // checked by checkListen
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// progress is a line that says what is being waited for, on a terminal only.
type progress struct {
	out  io.Writer // nil when there is no terminal
	text string
}

func newProgress(f *os.File) *progress {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return &progress{}
	}
	return &progress{out: f}
}

func (p *progress) show(names []string) { p.say("waiting for " + strings.Join(names, ", ")) }

func (p *progress) say(text string) {
	if p.out != nil && text != p.text {
		fmt.Fprintf(p.out, "\r\x1b[K%s", text) // to the start of the line, and clear it
		p.text = text
	}
}

func (p *progress) clear() {
	if p.text != "" {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
