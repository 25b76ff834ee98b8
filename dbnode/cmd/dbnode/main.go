// Command dbnode is one storage node of a cluster.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/dyad-db/dyad/dbnode"
	"github.com/dyad-db/dyad/dbnode/store/mem"
	"github.com/dyad-db/dyad/dbnode/store/rocks"
	"github.com/dyad-db/dyad/pkg/nodeclient"
	"github.com/dyad-db/dyad/pkg/service"
	"github.com/dyad-db/dyad/pkg/wire"
)

func main() { service.Main(run) }

func run(ctx context.Context, logger *slog.Logger) error {
	cfg := dbnode.DefaultConfig()
	cfg.Logger = logger
	flags := flag.NewFlagSet("dbnode", flag.ContinueOnError)
	flags.StringVar(&cfg.ID, "id", "", "`id` of this node, one of --nodes")
	listen := flags.String("listen", "127.0.0.1:7100", "`address` to serve on")
	nodes := flags.String("nodes", "", "all nodes of the cluster: `db-0=http://host:port,db-1=…,db-2=…`")
	engine := flags.String("engine", "rocksdb", "rocksdb, or memory, which forgets everything when the process ends")
	data := flags.String("data", "", "`directory` of the data, for rocksdb")
	flags.IntVar(&cfg.Partitions, "partitions", cfg.Partitions, "`number` of partitions, fixed when the cluster is made")
	check := flags.Bool("healthcheck", false, "ask the node that listens at --listen whether it is ready, and exit")
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
	st, err := openStore(*engine, *data)
	if err != nil {
		return err
	}
	n, err := dbnode.New(cfg, st)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	if err != nil {
		return errors.Join(err, n.Close())
	}
	logger.InfoContext(ctx, "node serves", slog.String("node", cfg.ID), slog.String("address", l.Addr().String()))
	return n.Run(ctx, l)
}

func openStore(engine, data string) (dbnode.Store, error) {
	switch engine {
	case "memory":
		return mem.Open(mem.NewDisk())
	case "rocksdb":
		if data == "" {
			return nil, service.Usage(errors.New("--data is needed: the directory for this node's data"))
		}
		return rocks.Open(data)
	}
	return nil, service.Usage(fmt.Errorf("--engine %q: want rocksdb or memory", engine))
}
