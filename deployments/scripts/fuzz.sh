#!/usr/bin/env bash
# fuzz.sh DURATION: lets each fuzz target look for bad inputs for that long, one after the other, and prints how
# many it tried. An input that fails is kept in testdata/fuzz beside the target, where every `go test` tries it
# again. Exit code 1 if there was one.
set -euo pipefail
cd "$(dirname "$0")/../.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
targets=0 executions=0 findings=0
while IFS=: read -r file target; do
  code=0
  go test -tags nomsgpack -run '^$' -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 100x "./${file%/*}" >"$log" 2>&1 || code=$?
  tried=$(sed -nE 's/.*execs: ([0-9]+).*/\1/p' "$log" | tail -n 1)
  kept=$(sed -nE 's/.*\(total: ([0-9]+)\).*/\1/p' "$log" | tail -n 1)
  printf '%-24s %-22s %9d executions, corpus of %d' "${file%/*}" "$target" "${tried:-0}" "${kept:-0}"
  if [ "$code" -eq 0 ]; then echo; else
    printf ', FAILED\n'
    cat "$log"
    findings=$((findings + 1))
  fi
  targets=$((targets + 1)) executions=$((executions + ${tried:-0}))
done < <(grep -roE --include='*_test.go' '^func Fuzz[A-Za-z]+' . | sed -E 's#^\./##; s/func //' | sort)
echo "fuzzing: $targets targets of $1 each, $executions executions, $findings findings"
[ "$targets" -gt 0 ] && [ "$findings" -eq 0 ]
