#!/bin/sh
# Compares the contract with the main branch's last state before this one: origin/main where it is known and differs,
# else the commit before. In a first commit, or a copy without history, there is nothing to break.
set -eu
base=$(git rev-parse -q --verify origin/main 2>/dev/null || true)
head=$(git rev-parse -q --verify HEAD 2>/dev/null || true)
if [ -z "$base" ] || [ "$base" = "$head" ]; then
    base=$(git rev-parse -q --verify HEAD~1 2>/dev/null || true)
fi
if [ -z "$base" ] || ! git cat-file -e "$base:proto" 2>/dev/null; then
    echo "buf breaking: no earlier contract to compare with"
    exit 0
fi
# An archive rather than buf's git input, which clones: a shallow checkout is enough.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
git archive "$base" proto | tar -x -C "$folder"
buf breaking proto --against "$folder/proto"
echo "buf breaking: nothing breaks against $base"
