package arch

import (
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// TestTheHouseIsAsPlanned reads this very module.
func TestTheHouseIsAsPlanned(t *testing.T) {
	findings, err := check(os.DirFS("../.."), "github.com/dyad-db/dyad")
	require.NoError(t, err)
	for _, finding := range findings {
		t.Error(finding)
	}
}

// tree is a small house that keeps the plan, with some files put in or replaced.
func tree(changed map[string]string) fstest.MapFS {
	files := map[string]string{
		"go.mod":                       "module m\n",
		"pkg/user/user.go":             "// Package user is what a user is.\npackage user\n",
		"pkg/register/register.go":     "// Package register is the protocol.\npackage register\n\nimport \"math\"\n",
		"pkg/wire/wire.go":             "// Package wire is what travels.\npackage wire\n\nimport \"m/pkg/register\"\n",
		"pkg/nodeclient/client.go":     "// Package nodeclient calls nodes.\npackage nodeclient\n\nimport (\n\"net/http\"\n\"m/pkg/wire\"\n)\n\nvar _ http.Client\n",
		"dbnode/dbnode.go":             "// Package dbnode wires a node.\npackage dbnode\n\nimport (\n\"m/dbnode/replica\"\n\"m/pkg/service\"\n)\n",
		"dbnode/replica/replica.go":    "// Package replica keeps records.\npackage replica\n\nimport (\n\"context\"\n\"m/pkg/register\"\n)\n",
		"dbnode/store/rocks/rocks.go":  "// Package rocks is RocksDB.\npackage rocks\n\nimport \"github.com/linxGnu/grocksdb\"\n",
		"gateway/api/api.go":           "// Package api is the REST API.\npackage api\n\nimport \"github.com/gin-gonic/gin\"\n",
		"gateway/cmd/gateway/main.go":  "// Command gateway runs one.\npackage main\n\nimport (\n\"os\"\n\"m/gateway\"\n)\n\nfunc main() { os.Exit(1) }\n",
		"tests/e2e/e2e_test.go":        "// Package e2e is the proof.\npackage e2e\n\nimport (\n\"m/dbnode\"\n\"m/gateway\"\n)\n",
		"tools/go.mod":                 "module m/tools\n",
		"tools/tool.go":                "package undocumented\n",
		"pkg/register/testdata/bad.go": "no Go at all",
	}
	maps.Copy(files, changed)
	fsys := fstest.MapFS{}
	for name, content := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

func TestAHouseThatKeepsThePlanHasNoFinding(t *testing.T) {
	findings, err := check(tree(nil), "m")
	require.NoError(t, err)
	require.Empty(t, findings)
}

// TestEveryRuleBites breaks the small house in one place and wants exactly one finding, with its reason.
func TestEveryRuleBites(t *testing.T) {
	long := func(n int) string { return strings.Repeat("\t_ = 0\n", n) }
	for name, broken := range map[string]struct{ path, source, finding string }{
		"core has a clock":         {"pkg/register/x.go", "package register\n\nimport \"time\"\n", "no clock"},
		"core has chance":          {"pkg/register/x.go", "package register\n\nimport \"math/rand/v2\"\n", "no chance"},
		"core looks up":            {"pkg/user/x.go", "package user\n\nimport \"m/pkg/register\"\n", "nothing of this module"},
		"wire has a transport":     {"pkg/wire/x.go", "package wire\n\nimport \"net/http\"\n", "not how"},
		"pkg looks up":             {"pkg/nodeclient/x.go", "package nodeclient\n\nimport \"m/dbnode\"\n", "never a service"},
		"a part has a transport":   {"dbnode/replica/x.go", "package replica\n\nimport \"net/http\"\n", "HTTP stays in the api packages"},
		"a part calls nodes":       {"dbnode/replica/x.go", "package replica\n\nimport \"m/pkg/nodeclient\"\n", "wired above"},
		"node knows gateway":       {"dbnode/x.go", "package dbnode\n\nimport \"m/gateway\"\n", "services meet on the wire"},
		"node's test does":         {"dbnode/x_test.go", "package dbnode\n\nimport \"m/gateway\"\n", "services meet on the wire"},
		"gateway program does":     {"gateway/cmd/gateway/x.go", "package main\n\nimport \"m/dbnode\"\n", "services meet on the wire"},
		"a service carries tests":  {"gateway/api/x.go", "package api\n\nimport \"m/tests/e2e\"\n", "declares itself"},
		"a program with mocks":     {"dbnode/x.go", "package dbnode\n\nimport \"m/dbnode/replica/mocks\"\n", "mocks are for tests"},
		"RocksDB elsewhere":        {"dbnode/x.go", "package dbnode\n\nimport \"github.com/linxGnu/grocksdb\"\n", "a detail of one engine"},
		"cgo elsewhere":            {"dbnode/x.go", "package dbnode\n\nimport \"C\"\n", "cgo lives in one package"},
		"Gin elsewhere":            {"tests/e2e/x_test.go", "package e2e\n\nimport \"github.com/gin-gonic/gin/binding\"\n", "a detail of the gateway's API"},
		"retries elsewhere":        {"gateway/api/x.go", "package api\n\nimport \"github.com/hashicorp/go-retryablehttp\"\n", "pooling, deadlines and retries"},
		"a client elsewhere":       {"gateway/api/x.go", "package api\n\nimport h \"net/http\"\n\nvar _ = h.DefaultClient\n", "pooling, deadlines and retries"},
		"environment below main":   {"dbnode/x.go", "package dbnode\n\nimport \"os\"\n\nvar _ = os.Getenv(\"X\")\n", "read in main and its frame only"},
		"flags below main":         {"dbnode/x.go", "package dbnode\n\nimport \"flag\"\n", "read in main and its frame only"},
		"a package without layer":  {"pkg/misc/x.go", "// Package misc is all sorts.\npackage misc\n", "is in no layer"},
		"a package without a word": {"dbnode/repair/x.go", "package repair\n", "does not introduce itself"},
		"only tests, and no word":  {"tests/e2e/e2e_test.go", "package e2e\n", "does not introduce itself"},
		"two introductions":        {"dbnode/x.go", "// Package dbnode is something else.\npackage dbnode\n", "more than once"},
		"a long file":              {"dbnode/x.go", "package dbnode\n" + strings.Repeat("\n", maxFileLines), "has 401 lines"},
		"a long function":          {"dbnode/x.go", "package dbnode\n\nfunc f() {\n" + long(maxFuncLines+1) + "}\n", "f has 61 lines"},
		"a mark without a reason":  {"dbnode/x.go", "package dbnode\n\n// f.\n//\n" + funlenMark + " \nfunc f() {\n" + long(maxFuncLines+1) + "}\n", "f has 61 lines"},
	} {
		t.Run(name, func(t *testing.T) {
			findings, err := check(tree(map[string]string{broken.path: broken.source}), "m")
			require.NoError(t, err)
			require.Len(t, findings, 1, "%v", findings)
			require.Contains(t, findings[0], broken.finding)
		})
	}
}

// TestWhatIsAllowedPasses has what comes closest to each rule without breaking it.
func TestWhatIsAllowedPasses(t *testing.T) {
	for name, fine := range map[string]struct{ path, source string }{
		"a reason for a long file":     {"dbnode/x.go", "// " + inOnePiece + "it is one table.\n\npackage dbnode\n" + strings.Repeat("\n", maxFileLines)},
		"a reason for a long function": {"dbnode/x.go", "package dbnode\n\n// f.\n//\n" + funlenMark + "one switch\nfunc f() {\n" + strings.Repeat("\t_ = 0\n", maxFuncLines+1) + "}\n"},
		"comments don't count":         {"dbnode/x.go", "package dbnode\n\nfunc f() {\n" + strings.Repeat("\t// why\n", maxFuncLines+1) + "}\n"},
		"generated code":               {"gateway/api/x.go", "// Code generated by mockery. DO NOT EDIT.\n\npackage api\n" + strings.Repeat("\n", maxFileLines)},
		"a long test":                  {"dbnode/x_test.go", "package dbnode\n\nfunc f() {\n" + strings.Repeat("\t_ = 0\n", maxFuncLines+1) + "}\n"},
		"a test of the core may time":  {"pkg/register/x_test.go", "package register\n\nimport \"time\"\n"},
		"a test with a word":           {"dbnode/x_test.go", "// How a node is tested.\npackage dbnode\n"},
		"mocks":                        {"dbnode/replica/mocks/x.go", "// Package mocks stands in.\npackage mocks\n\nimport \"m/pkg/register\"\n"},
		"a test's mocks":               {"dbnode/replica/x_test.go", "package replica\n\nimport \"m/dbnode/replica/mocks\"\n"},
		"a test's own package":         {"dbnode/x_test.go", "package dbnode_test\n\nimport \"m/dbnode\"\n"},
		"a test with a client":         {"gateway/api/x_test.go", "package api\n\nimport \"net/http\"\n\nvar _ http.Client\n"},
		"a test with a proof's tool":   {"gateway/api/x_test.go", "package api\n\nimport \"m/tests/e2e\"\n"},
		"an API serves HTTP":           {"gateway/api/x.go", "package api\n\nimport \"net/http\"\n\nvar _ http.Handler\n"},
	} {
		t.Run(name, func(t *testing.T) {
			findings, err := check(tree(map[string]string{fine.path: fine.source}), "m")
			require.NoError(t, err)
			require.Empty(t, findings)
		})
	}
}
