#!/usr/bin/env bash
# The book as HTML, together with the pages and sources of the repository that it links to: docs/build.sh [OUT], by default target/book.
# It needs mdBook 0.5, which `mdbook` or $MDBOOK names. (`mdbook build docs` makes the book alone; links out of it then lead nowhere.)
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-target/book}")
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# Everything under the place that it has here, so that relative links stay what they are.
mkdir "$stage/src"
git ls-files -z -- '*.md' 'docs/pictures' crates examples deploy python '*.toml' '.ci' | xargs -0 cp --parents -t "$stage/src"
grep -v '^src' docs/book.toml > "$stage/book.toml"
# A page is called what its file is called: mdBook would make index.html of README.md, which no link expects.
printf '[build]\nuse-default-preprocessors = false\n' >> "$stage/book.toml"

# The table of contents, and behind it what is not in docs/.
{
    sed 's|](|](docs/|' docs/SUMMARY.md
    printf '\n# The repository\n\n'
    for page in $(git ls-files -- '*.md' | grep -v '^docs/'); do
        printf -- '- [%s](%s)\n' "$(sed -n 's/^# //p;T;q' "$page")" "$page"
    done
} > "$stage/src/SUMMARY.md"

"${MDBOOK:-mdbook}" build -d "$out" "$stage"
# mdBook makes a copy of the first page of this, whose links are not of here.
printf '<!doctype html><meta charset="utf-8"><title>Trefoil</title><meta http-equiv="refresh" content="0; url=docs/introduction.html">\n' > "$out/index.html"
echo "$out/index.html"
