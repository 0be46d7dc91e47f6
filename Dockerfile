# syntax=docker/dockerfile:1
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release && cp target/release/xvault /xvault

FROM debian:bookworm-slim
# ssh, ssh-add, ssh-keygen and ssh-agent, mariadb and mariadb-dump, psql and pg_dump are how a worker reads sources. Into the
# servers it loads dumps to check them; none is made or started here. Debian has one version of PostgreSQL; its project's
# own archive has the others, and a server must be dumped by programs that are not older than it is.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates postgresql-common \
    && sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf \
    && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
    && apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confold mariadb-client \
        mariadb-server-core openssh-client postgresql-18 postgresql-client-15 postgresql-client-16 postgresql-client-17 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/xvault --shell /usr/sbin/nologin xvault \
    && install -d -o xvault -g xvault -m 0700 /var/lib/xvault
COPY --from=build /xvault /usr/local/bin/xvault
COPY --chmod=0755 scripts/ready /usr/local/bin/xvault-ready
USER xvault
VOLUME /var/lib/xvault
ENTRYPOINT ["xvault"]
