package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	maxFileLines = 400
	maxFuncLines = 60

	// inOnePiece in the first comment of a long file introduces the reason for its length.
	inOnePiece = "In one piece because "
	// funlenMark does so for a long function: the same words also satisfy the linter.
	funlenMark = "//nolint:funlen // "
)

// file is one parsed source file.
type file struct {
	path  string // from the root of the module, slashes
	pkg   string // import path relative to the module; "" at its root
	test  bool
	lines int
	ast   *ast.File
	set   *token.FileSet
}

// check reads the module under root and returns its findings, sorted; none means that the plan is kept.
// Folders named testdata, hidden folders and nested modules are not part of the module.
func check(root fs.FS, module string) ([]string, error) {
	files, err := parse(root)
	if err != nil {
		return nil, err
	}
	var findings []string
	packages := map[string][]file{}
	for _, f := range files {
		packages[f.pkg] = append(packages[f.pkg], f)
		findings = append(findings, checkImports(f, module)...)
		findings = append(findings, checkHomes(f)...)
		findings = append(findings, checkLengths(f)...)
	}
	for pkg, members := range packages {
		findings = append(findings, checkPackage(pkg, members)...)
	}
	slices.Sort(findings)
	return findings, nil
}

func parse(root fs.FS) ([]file, error) {
	var files []file
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			_, noModule := fs.Stat(root, path.Join(name, "go.mod"))
			hidden := strings.HasPrefix(entry.Name(), ".") || strings.HasPrefix(entry.Name(), "_")
			if name != "." && (entry.Name() == "testdata" || hidden || noModule == nil) {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, name, source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		pkg := path.Dir(name)
		if pkg == "." {
			pkg = ""
		}
		files = append(files, file{
			path: name, pkg: pkg, test: strings.HasSuffix(name, "_test.go"),
			lines: strings.Count(string(source), "\n"), ast: tree, set: set,
		})
		return nil
	})
	return files, err
}

// checkImports holds a file to the layer of its package.
func checkImports(f file, module string) []string {
	l, ok := layerOf(f.pkg)
	if !ok {
		return nil // checkPackage reports it
	}
	may, never := l.may, l.never
	if f.test {
		// A test may lean on its whole service, on the shared packages and on the tools of the proofs.
		top, _, _ := strings.Cut(f.pkg, "/")
		may, never = append([]string{top + "/...", "pkg/...", "tests/..."}, may...), nil
	}
	var findings []string
	for _, path := range imports(f) {
		own, inside := strings.CutPrefix(path, module+"/")
		if inside && own != f.pkg && !coversAny(may, own) {
			findings = append(findings, fmt.Sprintf("%s (%s) imports %s: %s", f.path, l.name, own, l.why))
		}
		if inside && !f.test && covers(".../mocks", own) {
			findings = append(findings, fmt.Sprintf("%s imports %s: mocks are for tests", f.path, own))
		}
		for _, banned := range never {
			if within(banned, path) {
				findings = append(findings, fmt.Sprintf("%s (%s) imports %s: %s", f.path, l.name, path, l.why))
			}
		}
	}
	return findings
}

// checkHomes holds libraries to the packages that they are kept to.
func checkHomes(f file) []string {
	var findings []string
	for _, h := range homes() {
		if coversAny(h.in, f.pkg) || h.tests && f.test {
			continue
		}
		for _, path := range imports(f) {
			if !within(h.imports, path) {
				continue
			}
			if h.names == nil {
				findings = append(findings, fmt.Sprintf("%s imports %s, kept to %s: %s", f.path, path, strings.Join(h.in, ", "), h.why))
			} else if path == h.imports {
				for _, name := range used(f, path, h.names) {
					findings = append(findings, fmt.Sprintf("%s uses %s.%s, kept to %s: %s", f.path, path, name, strings.Join(h.in, ", "), h.why))
				}
			}
		}
	}
	return findings
}

// imports returns the import paths of a file.
func imports(f file) []string {
	var paths []string
	for _, spec := range f.ast.Imports {
		if path, err := strconv.Unquote(spec.Path.Value); err == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

// used returns those names of the imported package that the file mentions, each once.
func used(f file, imported string, names []string) []string {
	local := path.Base(imported)
	for _, spec := range f.ast.Imports {
		if spec.Name != nil && spec.Path.Value == strconv.Quote(imported) {
			local = spec.Name.Name
		}
	}
	var found []string
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			x, plain := s.X.(*ast.Ident)
			if plain && x.Name == local && slices.Contains(names, s.Sel.Name) && !slices.Contains(found, s.Sel.Name) {
				found = append(found, s.Sel.Name)
			}
		}
		return true
	})
	return found
}

// checkPackage asks for a layer, and for exactly one introduction.
func checkPackage(pkg string, files []file) []string {
	var findings []string
	if _, ok := layerOf(pkg); !ok {
		findings = append(findings, fmt.Sprintf("%q is in no layer: give it one in tests/arch/layers.go and in ARCHITECTURE.md", pkg))
	}
	// The introduction stands in the package itself; where there are only tests, in one of them.
	only := slices.IndexFunc(files, func(f file) bool { return !f.test }) < 0
	var introduced []string
	for _, f := range files {
		if f.test == only && f.ast.Doc != nil {
			introduced = append(introduced, f.path)
		}
	}
	switch {
	case len(introduced) == 0:
		findings = append(findings, fmt.Sprintf("package %q does not introduce itself: say its one job and its invariants in a doc comment", pkg))
	case len(introduced) > 1:
		slices.Sort(introduced)
		findings = append(findings, fmt.Sprintf("package %q introduces itself more than once: %s", pkg, strings.Join(introduced, ", ")))
	}
	return findings
}

// checkLengths asks for a reason where a file, or a function outside tests, is long.
func checkLengths(f file) []string {
	if ast.IsGenerated(f.ast) {
		return nil
	}
	var findings []string
	if f.lines > maxFileLines && (len(f.ast.Comments) == 0 || !strings.Contains(f.ast.Comments[0].Text(), inOnePiece)) {
		findings = append(findings, fmt.Sprintf("%s has %d lines (at most %d): split it by its ideas, or begin its first comment with %q and the reason",
			f.path, f.lines, maxFileLines, inOnePiece))
	}
	for _, decl := range f.ast.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Body == nil || f.test {
			continue
		}
		if lines := codeLines(f, fn); lines > maxFuncLines && !excused(fn) {
			findings = append(findings, fmt.Sprintf("%s: %s has %d lines (at most %d): split it, or write above it %s and the reason",
				f.path, fn.Name.Name, lines, maxFuncLines, funlenMark))
		}
	}
	return findings
}

// codeLines counts the lines of a function's body less those of comments, as the linter does.
func codeLines(f file, fn *ast.FuncDecl) int {
	between := func(first, last token.Pos) int { return f.set.Position(last).Line - f.set.Position(first).Line }
	lines := between(fn.Body.Lbrace, fn.Body.Rbrace) - 1
	for _, comment := range f.ast.Comments {
		if comment.Pos() > fn.Body.Lbrace && comment.End() < fn.Body.Rbrace {
			lines -= between(comment.Pos(), comment.End()) + 1
		}
	}
	return lines
}

// excused reports whether a function says why it is long.
func excused(fn *ast.FuncDecl) bool {
	if fn.Doc == nil {
		return false
	}
	return slices.ContainsFunc(fn.Doc.List, func(c *ast.Comment) bool {
		why, ok := strings.CutPrefix(c.Text, funlenMark)
		return ok && strings.TrimSpace(why) != ""
	})
}
