// Command gateway serves users over REST, stored on the three nodes of a cluster.
package main

import (
	"context"
	"flag"
	"log/slog"
	"net"
	"os"

	"github.com/dyad-db/dyad/gateway"
	"github.com/dyad-db/dyad/pkg/nodeclient"
	"github.com/dyad-db/dyad/pkg/service"
	"github.com/dyad-db/dyad/pkg/wire"
)

func main() { service.Main(run) }

func run(ctx context.Context, logger *slog.Logger) error {
	cfg := gateway.DefaultConfig()
	cfg.Logger = logger
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8080", "`address` to serve on")
	nodes := flags.String("nodes", "", "all nodes of the cluster: `db-0=http://host:port,db-1=…,db-2=…`")
	flags.IntVar(&cfg.Partitions, "partitions", cfg.Partitions, "`number` of partitions that the cluster was made with")
	check := flags.Bool("healthcheck", false, "ask the gateway that listens at --listen whether it is ready, and exit")
	err := service.ParseFlags(flags, os.Args[1:], os.Getenv)
	if err != nil {
		return err
	}
	if *check {
		return service.CheckReady(ctx, *listen, wire.PathReady)
	}
	if cfg.Nodes, err = nodeclient.ParseNodes(*nodes); err != nil {
		return service.Usage(err)
	}
	g, err := gateway.New(cfg)
	if err != nil {
		return service.Usage(err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	logger.InfoContext(ctx, "gateway serves", slog.String("address", l.Addr().String()))
	return g.Run(ctx, l)
}
