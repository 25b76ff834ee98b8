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
	"path/filepath"
	"time"

	"github.com/dyad-db/dyad/dbnode"
	"github.com/dyad-db/dyad/dbnode/store"
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
	disk, err := diskOf(*engine, *data)
	if err != nil {
		return service.Usage(err)
	}
	return dbnode.Serve(ctx, cfg, disk, func(ctx context.Context) (net.Listener, error) {
		return (&net.ListenConfig{}).Listen(ctx, "tcp", *listen)
	})
}

func diskOf(engine, data string) (dbnode.Disk, error) {
	switch {
	case engine == "memory":
		return &memory{mem.NewDisk()}, nil
	case engine != "rocksdb":
		return nil, fmt.Errorf("--engine %q: want rocksdb or memory", engine)
	case data == "":
		return nil, errors.New("--data is needed: the directory for this node's data")
	}
	return directory(data), nil
}

// directory is a disk of RocksDB. The store has a directory of its own in it,
// since --data may be a mount point, which can't be set aside.
type directory string

func (d directory) store() string { return filepath.Join(string(d), "store") }

// Open satisfies dbnode.Disk.
func (d directory) Open() (dbnode.Store, error) { return rocks.Open(d.store()) }

// SetAside satisfies dbnode.Disk.
func (d directory) SetAside() (string, error) { return rocks.SetAside(d.store(), time.Now()) }

// Space satisfies dbnode.Disk.
func (d directory) Space() (store.Space, error) { return rocks.SpaceOf(string(d)) }

// memory is a disk that is gone when the process ends.
type memory struct{ disk *mem.Disk }

func (m *memory) Open() (dbnode.Store, error) { return mem.Open(m.disk) }

func (m *memory) Space() (store.Space, error) { return store.Space{}, nil }

func (m *memory) SetAside() (string, error) {
	m.disk = mem.NewDisk()
	return "nothing: it was in memory", nil
}
