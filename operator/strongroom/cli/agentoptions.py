"""The options of an agent, written once: `strongroom agent` takes them, `strongroom up` takes them and passes them on."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from strongroom.agent.allowances import DRILL_IMAGES, OWN_IMAGE, STORE_PLACES, Allowances
from strongroom.agent.settings import Limits

_MEBIBYTE = 2**20
_OPTIONS: tuple[Callable[..., Any], ...] = (
    click.option(
        "--max-jobs",
        type=click.IntRange(1, 64),
        default=2,
        show_default=True,
        help="Jobs that run at the same time.",
    ),
    click.option(
        "--engine",
        help="Docker Engine of this machine (unix:///…). Default: $DOCKER_HOST, or the system's socket.",
    ),
    click.option(
        "--isolation",
        type=click.Choice(["auto", "container", "process"]),
        default="auto",
        show_default=True,
        help="How workers run. auto: in containers where the Engine holds the worker's image, else as processes.",
    ),
    click.option(
        "--worker-image",
        default=OWN_IMAGE,
        show_default=True,
        help="Image of workers in containers. It must be on the host: nothing is pulled.",
    ),
    click.option(
        "--worker-memory",
        type=click.IntRange(64),
        default=Limits.memory_bytes // _MEBIBYTE,
        show_default=True,
        help="MiB of memory for a worker in a container.",
    ),
    click.option(
        "--worker-cpus",
        type=click.FloatRange(0.1),
        default=Limits.cpus,
        show_default=True,
        help="Cores for a worker in a container.",
    ),
    click.option(
        "--allow-image", multiple=True, help="Also start workers from this image; may be repeated (pattern)."
    ),
    click.option(
        "--allow-store",
        multiple=True,
        help=f"Also write to local stores in this folder; may be repeated (pattern). Always allowed: {', '.join(STORE_PLACES)}.",
    ),
    click.option(
        "--allow-bucket",
        multiple=True,
        help="Write to this bucket, `server:port/bucket` or `aws/bucket`; may be repeated (pattern). Default: every one. With the host's own credentials: only those named here.",
    ),
    click.option(
        "--allow-server",
        multiple=True,
        help="Write to this folder on an SSH server, `server:port/folder`; may be repeated (pattern). Default: every one.",
    ),
    click.option(
        "--allow-path",
        multiple=True,
        help="Read this file or folder of the host; may be repeated (pattern). Default: none.",
    ),
    click.option(
        "--allow-volume",
        multiple=True,
        help="Read this named volume; may be repeated (pattern). Default: every one.",
    ),
    click.option(
        "--allow-container",
        multiple=True,
        help="Dump, stop, pause and run commands in this container, by `project/service` or name; may be repeated (pattern). Default: every one.",
    ),
    click.option(
        "--allow-project",
        multiple=True,
        help="The same for every container of this compose project; may be repeated (pattern).",
    ),
    click.option(
        "--allow-root-container",
        multiple=True,
        help="Dump from this container and run commands in it although it is as good as root on the host (privileged, Docker socket, host's files); may be repeated (pattern). Default: none.",
    ),
    click.option(
        "--allow-restore-path",
        multiple=True,
        help="Let restores replace or make this file or folder of the host; may be repeated (pattern). Default: none. With the folder above it, it is exchanged in one step.",
    ),
    click.option(
        "--allow-restore-volume",
        multiple=True,
        help="Let restores replace what is in this named volume; may be repeated (pattern). Default: every one that may be read, but for folders of the host bound as volumes.",
    ),
    click.option(
        "--allow-url",
        multiple=True,
        help="Let health checks fetch from this server, such as `https://shop.example`; may be repeated (pattern). Default: the host's own addresses and its containers'.",
    ),
    click.option(
        "--allow-drill-image",
        multiple=True,
        help=f"Also start throw-away containers for drills from this image; may be repeated (pattern). Always allowed: {DRILL_IMAGES[0]}, and what containers of this host are made from.",
    ),
)


def agent_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: the options above, in their order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def agent_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of AgentSettings that the options decide."""
    everything = Allowances()
    containers = (*options["allow_container"], *(f"{project}/*" for project in options["allow_project"]))
    allowed = Allowances(
        images=(options["worker_image"], *options["allow_image"]),
        stores=(*everything.stores, *options["allow_store"]),
        buckets=tuple(options["allow_bucket"]) or everything.buckets,
        servers=tuple(options["allow_server"]) or everything.servers,
        paths=tuple(options["allow_path"]),
        volumes=tuple(options["allow_volume"]) or everything.volumes,
        containers=containers or everything.containers,
        root_containers=tuple(options["allow_root_container"]),
        restore_paths=tuple(options["allow_restore_path"]),
        restore_volumes=tuple(options["allow_restore_volume"]) or everything.restore_volumes,
        urls=tuple(options["allow_url"]),
        drill_images=(*everything.drill_images, *options["allow_drill_image"]),
    )
    return {
        "max_jobs": options["max_jobs"],
        "engine_url": options["engine"],
        "isolation": options["isolation"],
        "worker_image": options["worker_image"],
        "allowed": allowed,
        "limits": Limits(
            memory_bytes=options["worker_memory"] * _MEBIBYTE, cpus=float(options["worker_cpus"])
        ),
    }


def agent_words(options: Mapping[str, Any]) -> list[str]:
    """The options as words of a command line, for the agent that `up` starts."""
    given = [
        (name, each)
        for name, value in options.items()
        for each in (value if isinstance(value, tuple) else (value,))
        if each is not None
    ]
    # One word each, so that a value may begin with a dash.
    return [f"--{name.replace('_', '-')}={each}" for name, each in given]
