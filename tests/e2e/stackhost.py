"""A Docker host with the sample's compose stack and Strongroom on it, and the sample's policies for it."""

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.docker.compose import SAMPLE, ComposeStack
from tests.e2e.opening import Database
from tests.e2e.stronghold import Stronghold

PROJECT = "compose-stack"
PARTS = ("database", "media", "config")
ROLE_PASSWORD = "canary-Zq7'\\:x4417"
STACK_PASSWORD = "canary-Wm3-9926"


@dataclass(frozen=True)
class Host:
    """A Docker host with the sample's stack, and Strongroom on it."""

    hold: Stronghold
    stack: ComposeStack
    store: Path
    isolation: str
    since: int

    @property
    def database(self) -> Database:
        return Database(self.stack.engine, self.stack.container("postgresql"))

    def state(self, service: str) -> str:
        return self.stack.engine.docker(
            "inspect", "--format={{.State.Status}}", self.stack.container(service)
        )

    def answers(self) -> bool:
        """Whether the application does, through nginx."""
        try:
            with urllib.request.urlopen(f"{self.stack.url}/health/", timeout=5) as answer:
                return bool(json.load(answer)["status"] == "ok")
        except OSError:
            return False


def read_policies(store: Path) -> list[dict[str, Any]]:
    """The sample's file as it is, but for the store's folder."""
    text = (SAMPLE / "policies.yaml").read_text()
    assert "path: /backups\n" in text
    return list(yaml.safe_load_all(text.replace("path: /backups\n", f"path: {store}\n")))


def whole_policy(store: Path) -> dict[str, Any]:
    """The sample's three policies as one, with a role and a password of its own."""
    policies = {p["metadata"]["name"]: p for p in read_policies(store) if p["kind"] == "BackupPolicy"}
    sources = [source for part in PARTS for source in policies[f"{PROJECT}-{part}"]["spec"]["sources"]]
    sources[0]["postgres"] |= {
        "user": "shop_backup",
        "passwordSecret": {"name": "shop-db", "key": "password"},
    }
    hooks = {"stop": [{"project": PROJECT, "service": "django-app"}], "stopTimeout": "5s"}
    spec = {"host": "local", "sources": sources, "stores": ["disk"], "hooks": hooks, "backoffLimit": 0}
    body = policies[f"{PROJECT}-database"]
    return body | {"metadata": {"name": "whole"}, "spec": spec}
