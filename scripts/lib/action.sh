#!/bin/sh
# What action.yml runs: one run of goprobe escape, told in three ways. PACKAGES, ARGUMENTS and SARIF
# are the action's inputs; words in the first two are split at spaces, and nothing else is expanded.
set -eu
set -f
# What no file of the project's says, `go test` would be told, too.
if [ -z "$PACKAGES" ] && [ ! -e goprobe.toml ] && ! grep -qs '^\[tool\.goprobe' pyproject.toml; then
    PACKAGES=./...
fi
summary=$(mktemp)
status=0
# shellcheck disable=SC2086
goprobe escape $PACKAGES $ARGUMENTS --format github -o "sarif=$SARIF" -o "markdown=$summary" || status=$?
[ -z "${GITHUB_STEP_SUMMARY:-}" ] || cat "$summary" >>"$GITHUB_STEP_SUMMARY"
[ -z "${GITHUB_OUTPUT:-}" ] || [ ! -e "$SARIF" ] || printf 'sarif=%s\n' "$SARIF" >>"$GITHUB_OUTPUT"
rm -f "$summary"
exit "$status"
