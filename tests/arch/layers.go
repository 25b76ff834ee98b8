// Package arch holds the house to its plan: who may import whom, where the heavy libraries live, and how
// long a file may be. `go test ./tests/arch` fails where the code leaves the plan, and says why the rule is
// there.
//
// Invariants: it reads source files only, so it sees files of every build tag; a package that is in no layer
// is itself a finding, so the table below is always the whole house.
package arch

import "strings"

// layer is one kind of package. Import paths are relative to the module; "x/..." stands for x and all below it,
// ".../x" for every x below something.
type layer struct {
	name     string
	packages []string
	may      []string // imports from this module that its packages may have
	never    []string // imports from outside that they may not; each also covers what is below it
	why      string
}

// layers is the table of ARCHITECTURE.md. The most specific pattern of a package decides.
//
//nolint:funlen // it is one table
func layers() []layer {
	core := []string{"pkg/user", "pkg/register", "pkg/placement", "pkg/digest"}
	return []layer{
		{
			name: "core", packages: core, may: nil,
			never: []string{
				"context", "crypto/rand", "log", "math/rand", "net", "os", "runtime", "sync", "syscall", "time",
			},
			why: "the core is values in, values out: no clock, no chance, no I/O, nothing of this module",
		},
		{
			name: "drive", packages: []string{"pkg/drive"}, may: core,
			never: []string{"net", "os", "log"},
			why:   "the driver obeys the core's effects through interfaces; it knows no transport",
		},
		{
			name: "wire", packages: []string{"pkg/wire"}, may: core,
			never: []string{"net/http"},
			why:   "wire says what travels, not how; it knows the core alone",
		},
		{
			name: "nodeclient", packages: []string{"pkg/nodeclient"}, may: append([]string{"pkg/wire"}, core...),
			why: "the client of a node knows the core and what travels, never a service",
		},
		{
			name: "service", packages: []string{"pkg/service"}, may: core,
			why: "a process's frame is the same for every process; it knows none of them",
		},
		{
			name: "node parts", packages: []string{"dbnode/replica", "dbnode/repair", "dbnode/store/..."},
			may:   append([]string{"dbnode/store", "pkg/drive"}, core...),
			never: []string{"net/http", "net/rpc"},
			why:   "parts declare the interfaces they need and are wired above; HTTP stays in the api packages",
		},
		{
			name: "membership", packages: []string{"dbnode/membership"},
			may:   append([]string{"dbnode/replica"}, core...),
			never: []string{"net/http", "net/rpc"},
			why:   "who may vote is decided from what the replica knows and the peers said, never from how they were asked",
		},
		{
			name: "gateway parts", packages: []string{"gateway/coordinator"},
			may:   append([]string{"pkg/drive"}, core...),
			never: []string{"net/http", "net/rpc"},
			why:   "parts declare the interfaces they need and are wired above; HTTP stays in the api packages",
		},
		{
			name: "APIs", packages: []string{"dbnode/api", "gateway/api"}, may: append([]string{"pkg/wire"}, core...),
			why: "an API turns requests into calls of interfaces that it declares itself",
		},
		{
			name: "mocks", packages: []string{".../mocks"}, may: append([]string{"pkg/drive", "pkg/wire"}, core...),
			why: "a mock stands in for an interface of the package beside it",
		},
		{
			name: "node wiring", packages: []string{"dbnode"}, may: []string{"dbnode/...", "pkg/..."},
			why: "services meet on the wire, not in Go",
		},
		{
			name: "gateway wiring", packages: []string{"gateway"}, may: []string{"gateway/...", "pkg/..."},
			why: "services meet on the wire, not in Go",
		},
		{
			name: "node program", packages: []string{"dbnode/cmd/..."}, may: []string{"dbnode/...", "pkg/..."},
			why: "services meet on the wire, not in Go",
		},
		{
			name: "gateway program", packages: []string{"gateway/cmd/..."}, may: []string{"gateway/...", "pkg/..."},
			why: "services meet on the wire, not in Go",
		},
		{
			name: "whole clusters", packages: []string{"ctl/...", "deployments/..."},
			may: []string{"dbnode/...", "gateway/...", "ctl/...", "deployments/...", "pkg/..."},
			why: "what we ship carries no tests",
		},
		{
			name: "proofs", packages: []string{"tests/..."}, may: []string{"..."},
		},
	}
}

// home is a place that a library, a name of one, or cgo is kept to, with the reason.
type home struct {
	imports string   // import path from outside the module; covers what is below it
	names   []string // only these exported names of it; nil for all of it
	in      []string // packages that may have it
	tests   bool     // test files anywhere may too
	why     string
}

func homes() []home {
	mains := []string{"gateway/cmd/...", "dbnode/cmd/...", "ctl/...", "tests/...", "pkg/service"}
	return []home{
		{imports: "github.com/linxGnu/grocksdb", in: []string{"dbnode/store/rocks"}, why: "RocksDB is a detail of one engine"},
		{imports: "github.com/hanwen/go-fuse", in: []string{"tests/storage/powercut"}, why: "a mounted filesystem is for proofs alone"},
		{imports: "C", in: []string{"dbnode/store/rocks"}, why: "cgo lives in one package, so that all else builds without it"},
		{imports: "github.com/gin-gonic", in: []string{"gateway/api"}, why: "Gin is a detail of the gateway's API"},
		{imports: "github.com/gin-contrib", in: []string{"gateway/api"}, why: "Gin is a detail of the gateway's API"},
		{
			imports: "github.com/hashicorp/go-retryablehttp", in: []string{"pkg/nodeclient"},
			why: "one package owns pooling, deadlines and retries of node calls",
		},
		{
			imports: "net/http", names: []string{"Client", "Transport", "DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm"},
			in: []string{"pkg/nodeclient", "ctl/...", "tests/..."}, tests: true,
			why: "one package owns pooling, deadlines and retries of node calls",
		},
		{
			imports: "os", names: []string{"Getenv", "LookupEnv", "Environ", "Exit", "Args"}, in: mains, tests: true,
			why: "flags and environment are read in main and its frame only; everything below takes a Config",
		},
		{imports: "flag", in: mains, tests: true, why: "flags and environment are read in main and its frame only; everything below takes a Config"},
	}
}

// covers reports whether a pattern ("pkg/wire", "dbnode/...", ".../mocks", "...") stands for the package.
func covers(pattern, pkg string) bool {
	if end, ok := strings.CutPrefix(pattern, ".../"); ok {
		return strings.HasSuffix(pkg, "/"+end)
	}
	below, tree := strings.CutSuffix(pattern, "...")
	if !tree {
		return pattern == pkg
	}
	return strings.HasPrefix(pkg+"/", below)
}

func coversAny(patterns []string, pkg string) bool {
	for _, pattern := range patterns {
		if covers(pattern, pkg) {
			return true
		}
	}
	return false
}

// within reports whether an import path is root or below it.
func within(root, path string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// layerOf returns the layer of a package: that of its longest pattern.
func layerOf(pkg string) (found layer, ok bool) {
	longest := -1
	for _, l := range layers() {
		for _, pattern := range l.packages {
			if covers(pattern, pkg) && len(pattern) > longest {
				found, ok, longest = l, true, len(pattern)
			}
		}
	}
	return found, ok
}
