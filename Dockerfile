# syntax=docker/dockerfile:1
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release && cp target/release/xvault /xvault

FROM debian:bookworm-slim
# ssh, ssh-add, ssh-keygen and ssh-agent, mariadb and mariadb-dump, psql and pg_dump are how a worker reads sources. Into the
# servers it loads dumps to check them; none is made or started here.
RUN apt-get update \
    && install -d /etc/postgresql-common \
    && echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf \
    && apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confold ca-certificates mariadb-client \
        mariadb-server-core openssh-client postgresql postgresql-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/xvault --shell /usr/sbin/nologin xvault \
    && install -d -o xvault -g xvault -m 0700 /var/lib/xvault
COPY --from=build /xvault /usr/local/bin/xvault
COPY --chmod=0755 scripts/ready /usr/local/bin/xvault-ready
USER xvault
VOLUME /var/lib/xvault
ENTRYPOINT ["xvault"]
