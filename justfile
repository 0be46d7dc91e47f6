# Without just: ./justw <recipe>

just := just_executable()

# List every recipe
default:
    @{{ just }} --list --unsorted

# Start everything here (compiles first): a private PostgreSQL, hub and worker. State is kept in .xvault/, Ctrl-C stops it
dev *args: (needs "dev")
    cargo run --locked -- dev {{ args }}

# Run every test against real servers; arguments go to cargo test
test *args: (needs "test")
    cargo test --locked {{ args }}

# Check formatting and lints
lint:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings

# Format the code
fmt:
    cargo fmt

# What continuous integration runs
ci: lint test

# Measure speed and memory against stock tools; BENCH_SCALE=0.01 for a quick look; `bench queue`: the queue alone
bench *args: (needs "bench")
    @sh scripts/queue-peers
    cargo bench --locked --bench product -- {{ args }}

# Harm real hubs, workers and PostgreSQL at random while people order work, then audit everything: just chaos [rounds] [seed]
chaos rounds="200" seed="": (needs "test")
    CHAOS_ROUNDS={{ rounds }} CHAOS_SEED={{ seed }} cargo test --locked --test suite chaos::a_fleet_survives_anything -- --exact --nocapture

# Check dependencies: advisories, licences, sources
deny:
    @command -v cargo-deny >/dev/null || test -x .tools/bin/cargo-deny || cargo install cargo-deny --locked --root .tools
    PATH="$PWD/.tools/bin:$PATH" cargo deny --locked check

# Build the binary as it is shipped: target/release/xvault
release:
    cargo build --locked --release

# Build the container image
docker tag="xvault":
    docker build --tag {{ tag }} .

# Write .env with fresh secrets for docker-compose.yml
compose-env:
    sh scripts/compose-env

# Install the packages that a recipe needs, if they are missing
[private]
needs set:
    @sh scripts/packages {{ set }}
