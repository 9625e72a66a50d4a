# One image, many subcommands: operator, agent, worker, apiserver.
FROM debian:bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements/runtime.txt requirements/
RUN python3 -m venv /opt/strongroom && /opt/strongroom/bin/pip install --no-cache-dir --no-deps -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN /opt/strongroom/bin/pip install --no-cache-dir --no-deps .

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 postgresql-client ca-certificates tar zstd gpg gpg-agent openssl openssh-client rsync \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin strongroom
COPY --from=build /opt/strongroom /opt/strongroom
ENV PATH=/opt/strongroom/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
ENTRYPOINT ["strongroom"]
