#!/usr/bin/env bash
# The stories of tests/cluster on a new cluster of the program `kind`, deleted at the end. For those who can pull its node image.
set -euo pipefail
cd "$(dirname "$0")/.."
readonly name=strongroom-test postgres=${POSTGRES_IMAGE:-postgres:15}

need() { command -v "$1" >/dev/null || { echo "test-kind: the program $1 is missing; $2" >&2; exit 1; }; }
need kind "see https://kind.sigs.k8s.io"
need docker "kind runs its nodes as containers"
docker info >/dev/null 2>&1 || { echo "test-kind: no Docker Engine answers" >&2; exit 1; }

scripts/setup.sh --tests
scripts/image.sh
docker image inspect "$postgres" >/dev/null 2>&1 || docker pull --quiet "$postgres"
folder=$(mktemp -d)
trap 'kind delete cluster --name "$name" >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT
kind create cluster --name "$name" --kubeconfig "$folder/kubeconfig" --wait 180s
kind load docker-image --name "$name" strongroom:dev "$postgres"
address=$(docker network inspect kind --format '{{range .IPAM.Config}}{{println .Gateway}}{{end}}' | grep -m 1 '\.')
.venv/bin/python -m pytest tests/cluster --kubeconfig "$folder/kubeconfig" --postgres-image "$postgres" --node-address "$address" "$@"
