"""`python -m strongroom.apiserver --state DIR [--port N] [--crds FILE-OR-FOLDER …]`: the server alone, for development."""

from pathlib import Path
from typing import Any

import click
import yaml

from strongroom.apiserver.serve import run_apiserver
from strongroom.apiserver.settings import Settings


@click.command()
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for database, keys and kubeconfigs.",
)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=0, help="0 keeps the port of the last start.")
@click.option(
    "--crds",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="CRD files or folders of them.",
)
def main(state: Path, host: str, port: int, crds: tuple[Path, ...]) -> None:
    """Serve the embedded Kubernetes API."""
    run_apiserver(Settings(state, host=host, port=port, crds=[*_project_crds(), *_read_crds(crds)]))


def _project_crds() -> list[dict[str, Any]]:
    from strongroom.api import crds

    return list(crds.build_crds())


def _read_crds(paths: tuple[Path, ...]) -> list[dict[str, Any]]:
    files = [file for path in paths for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]
    return [document for file in files for document in yaml.safe_load_all(file.read_text()) if document]


if __name__ == "__main__":
    main()
