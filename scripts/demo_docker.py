"""`make demo-docker`: the sample compose stack on a Docker Engine of its own, backed up and opened with stock tools.

In .demo-docker/: Engine, stack, `strongroom up`, the sample's three policies, three backups, and what they hold compared with the
stack, byte by byte. Ends all that it started. KEEP=1 waits for Ctrl-C before it does. Needs root, for the Engine.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.docker.compose import ComposeStack, running_stack
from tests.docker.engine import ROOT, missing, running_engine
from tests.images.build import images

DEMO = ROOT / ".demo-docker"
POLICIES = ROOT / "manifests/samples/compose-stack/policies.yaml"
PROJECT = "compose-stack"
BIN = Path(sys.executable).parent
START_SECONDS = 60


def main() -> None:
    if reason := missing():
        raise SystemExit(f"demo-docker: {reason}")
    shutil.rmtree(DEMO, ignore_errors=True)
    (DEMO / "store").mkdir(parents=True, mode=0o700)
    say("A Docker Engine of its own, with images built from Debian packages")
    with running_engine(images()) as engine:
        say("A compose stack: PostgreSQL, an application with /health/, nginx, a volume of media")
        with running_stack(engine, DEMO / "stack", PROJECT) as stack:
            stack.seed(orders=5000, files=400)
            show(stack, ["curl", "--silent", "--show-error", f"{stack.url}/health/"])
            show(stack, ["docker", "ps", "--format", "table {{.Names}}\t{{.Image}}\t{{.Status}}"])
            say("strongroom up: API server, operator and agent")
            with running_strongroom(stack):
                tell(stack)
                if os.environ.get("KEEP"):
                    wait_for_user(stack)
    say("Done; everything that was started is stopped, .demo-docker/store is left to look at")


def tell(stack: ComposeStack) -> None:
    show(stack, ["kubectl", "wait", "--for=condition=Ready", "dockerhost/local", "--timeout=60s"])
    say("What the agent found: a database that no policy covers")
    show(
        stack,
        ["kubectl", "wait", "--for=condition=DatabasesCovered=false", "dockerhost/local", "--timeout=60s"],
    )
    show(stack, ["kubectl", "get", "dockerhosts"])
    say("The sample's policies: database daily, media weekly, configuration on demand")
    policies = DEMO / "policies.yaml"
    policies.write_text(POLICIES.read_text().replace("path: /backups", f"path: {DEMO / 'store'}"))
    show(stack, ["kubectl", "apply", "-f", str(policies)])
    show(stack, ["kubectl", "wait", "--for=condition=DatabasesCovered", "dockerhost/local", "--timeout=60s"])
    say("One backup of each, now")
    for part in ("database", "media", "config"):
        show(stack, ["strongroom", "backup", f"{PROJECT}-{part}", "--wait"])
    say("Am I safe?")
    show(stack, ["kubectl", "get", "bp,br,bs,dh"])
    show(stack, ["strongroom", "status"])
    say("The artifacts open without Strongroom, and hold what the stack holds")
    compare_database(stack)
    compare_tree(stack, "media", stack.volume("media"))
    compare_config(stack)


def compare_database(stack: ComposeStack) -> None:
    """Restored by the container's own pg_restore beside the original; all of both, as SQL, must be the same."""
    dump = plain("database", "*.dump.zst")
    container = stack.container("postgresql")
    inside = ["docker", "exec", "--interactive", container]
    owner = run(stack, [*inside, "sh", "-c", 'printf %s "$POSTGRES_USER"'])
    database = run(stack, [*inside, "sh", "-c", 'printf %s "$POSTGRES_DB"'])
    run(stack, [*inside, "createdb", "-U", owner, "restored"])
    print(f"$ docker exec -i … pg_restore -U {owner} -d restored --exit-on-error < {dump.name}")
    with dump.open("rb") as content:
        subprocess.run(
            [*inside, "pg_restore", "-U", owner, "-d", "restored", "--exit-on-error"],
            stdin=content, env=environment(stack), check=True,
        )  # fmt: skip
    contents = [
        data_of(stack, [*inside, "pg_dump", "-U", owner, "--data-only", name])
        for name in (database, "restored")
    ]
    if contents[0] != contents[1]:
        raise SystemExit("demo-docker: the restored database differs")
    run(stack, [*inside, "dropdb", "-U", owner, "restored"])
    rows = sum(1 for line in contents[0] if "\t" in line)
    print(f"the same {rows} rows in the restored database")


def data_of(stack: ComposeStack, command: Sequence[str]) -> list[str]:
    """Lines of a dump that hold data: newer pg_dumps write a random word into `\\restrict`."""
    return [
        line
        for line in run(stack, command).splitlines()
        if not line.startswith(("--", "\\restrict", "\\unrestrict"))
    ]


def compare_tree(stack: ComposeStack, name: str, original: Path) -> None:
    target = DEMO / f"{name}.extracted"
    target.mkdir()
    show(stack, ["tar", "--extract", "--file", str(plain(name, "*.tar.zst")), "--directory", str(target)])
    show(stack, ["diff", "--recursive", "--no-dereference", str(original), str(target)])
    print(f"the same {sum(1 for path in target.rglob('*') if path.is_file())} files, byte by byte")


def compare_config(stack: ComposeStack) -> None:
    target = DEMO / "config.extracted"
    target.mkdir()
    show(stack, ["tar", "--extract", "--file", str(plain("config", "*.tar.zst")), "--directory", str(target)])
    found = [path for path in target.rglob("*") if path.is_file()]
    for path in found:
        original = Path("/") / path.relative_to(target)
        if path.read_bytes() != original.read_bytes():
            raise SystemExit(f"demo-docker: {original} differs")
    names = ", ".join(sorted(str(path.relative_to(target / str(stack.folder).lstrip("/"))) for path in found))
    print(f"the same {len(found)} files: {names}")


def plain(part: str, pattern: str) -> Path:
    """The newest artifact of that policy, decompressed by zstd."""
    (found,) = [
        path
        for path in (DEMO / "store/default" / f"{PROJECT}-{part}").rglob(pattern)
        if "globals" not in path.name
    ]
    target = DEMO / found.name.removesuffix(".zst")
    print(f"$ zstd -d {found.relative_to(DEMO)}")
    subprocess.run(["zstd", "-q", "-d", str(found), "-o", str(target)], check=True)
    return target


@contextmanager
def running_strongroom(stack: ComposeStack) -> Iterator[None]:
    command = [
        str(BIN / "strongroom"),
        "up",
        "--state",
        str(DEMO / "state"),
        "--metrics-port",
        "0",
        "--tick-seconds",
        "2",
    ]
    command += ["--engine", stack.engine.url, "--allow-store", str(DEMO / "store")]
    with (DEMO / "up.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while run(stack, ["kubectl", "get", "dockerhost", "local"], check=False) == "":
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"demo-docker: strongroom did not start; see {DEMO / 'up.log'}")
            time.sleep(0.2)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def wait_for_user(stack: ComposeStack) -> None:
    say("Left running until Ctrl-C")
    print(f"  export KUBECONFIG={DEMO / 'state/kubeconfig'} DOCKER_HOST={stack.engine.url} PATH={BIN}:$PATH")
    print(f"  curl {stack.url}/health/")
    try:
        signal.pause()
    except KeyboardInterrupt:
        print()


def environment(stack: ComposeStack) -> dict[str, str]:
    path = f"{BIN}:{os.environ['PATH']}"
    return {
        **stack.environment(),
        "PATH": path,
        "KUBECONFIG": str(DEMO / "state/kubeconfig"),
        "COLUMNS": "160",
    }


def show(stack: ComposeStack, command: Sequence[str]) -> None:
    print("$", *command, flush=True)
    subprocess.run(command, env=environment(stack), check=True)


def run(stack: ComposeStack, command: Sequence[str], *, check: bool = True) -> str:
    done = subprocess.run(command, env=environment(stack), capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise SystemExit(f"demo-docker: {' '.join(command)}: {done.stderr}")
    return done.stdout.strip() if done.returncode == 0 else ""


def say(what: str) -> None:
    print(f"\n\033[1m== {what}\033[0m", flush=True)


if __name__ == "__main__":
    main()
