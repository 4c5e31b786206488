# The parts of `.ci/run`, by name.

# List the recipes.
default:
    @just --list --justfile {{justfile()}}

# Format, lints with warnings denied, licences: everything but tests.
check:
    cargo fmt --check
    cargo clippy --locked --all-targets --all-features -- -D warnings
    cargo deny --locked check bans licenses sources

# Every test, or those whose names match: `just test tls::`.
test *filter:
    tests/run {{filter}}

# Make the snapshots and golden files again from what the code gives now. Read the difference before you keep it.
golden:
    INSTA_UPDATE=always PROBITY_UPDATE=1 cargo test --locked --test it

# Make the generated pages again: checks/README.md and the help in README.md.
docs:
    PROBITY_UPDATE=1 cargo test --locked --test it -- catalogue help

# Fuzz every parser of foreign bytes for so many seconds each, or one: `just fuzz 60 x509`.
fuzz seconds="10" *targets:
    tests/fuzz/run {{seconds}} {{targets}}

# Begin a check: `just new-check tls.alpn` writes checks/tls/alpn.yaml, which fails its tests until it is written.
new-check id:
    #!/usr/bin/env bash
    set -euo pipefail
    file="checks/$(tr . / <<<"{{id}}").yaml"
    [ ! -e "$file" ] || { echo "$file is there already"; exit 1; }
    mkdir -p "$(dirname "$file")"
    sed 's/^id: .*/id: {{id}}/' checks/tls/compression.yaml >"$file"
    echo "wrote $file, a copy of tls.compression: change every line, then \`just test catalogue::\` and \`just docs\`"

# All of it, as on a machine that has nothing yet.
ci:
    bash .ci/run
