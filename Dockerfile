# One image, many subcommands: operator, agent, worker, apiserver. `make image` builds it, with these arguments.
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements/runtime.txt requirements/
RUN python3 -m venv /opt/strongroom && /opt/strongroom/bin/pip install --no-cache-dir --no-deps -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN /opt/strongroom/bin/pip install --no-cache-dir --no-deps . \
    && rm -rf /opt/strongroom/bin/pip* /opt/strongroom/lib/python3*/site-packages/pip*

FROM debian:bookworm-slim
# A further source of Debian packages, as a line of sources.list with [signed-by=/etc/apt/keyrings/further.asc], and its key: then the
# PostgreSQL clients of every major that it has are installed, else the one of Debian.
ARG APT_SOURCE=""
ARG APT_KEY=""
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 ca-certificates tar zstd gpg gpg-agent openssl openssh-client rsync \
    && if [ -n "$APT_SOURCE" ]; then \
        mkdir -p /etc/apt/keyrings && echo "$APT_KEY" >/etc/apt/keyrings/further.asc \
        && echo "$APT_SOURCE" >/etc/apt/sources.list.d/further.list && apt-get update; \
    fi \
    && apt-get install -y --no-install-recommends '?name(^postgresql-client-[0-9]+$)' \
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin strongroom
COPY --from=build /opt/strongroom /opt/strongroom
COPY scripts/image-contents.sh /usr/local/bin/
RUN image-contents.sh >/opt/strongroom/contents.tsv
ENV PATH=/opt/strongroom/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
ENTRYPOINT ["strongroom"]
