"""Whether this machine allows what an order asks of it: decided from its allowances and one look at the host.

A control plane that fell into wrong hands must not become root here: it can have done only what was allowed on the machine.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from strongroom.agent.allowances import Allowances, matches, matches_path
from strongroom.agent.asks import (
    Ask,
    BucketAsk,
    ContainerAsk,
    DrillImageAsk,
    PathAsk,
    ProjectAsk,
    RestorePathAsk,
    RestoreProjectAsk,
    RestoreVolumeAsk,
    ServerAsk,
    StoreAsk,
    UrlAsk,
    VolumeAsk,
)
from strongroom.agent.hostview import HostView, resolve_patterns
from strongroom.agent.urls import EVERYWHERE, origin_of
from strongroom.api.errors import Reason, StrongroomError
from strongroom.api.labels import COMPOSE_FOLDER_LABEL, COMPOSE_PROJECT_LABEL, POLICY_LABEL
from strongroom.engine.hostrights import opens_the_host
from strongroom.engine.inspection import Inspected, Mount

_SHARED = {"/media", "/mnt", "/srv", "/tmp"}  # noqa: S108  places of the host
"""Of many, and so no project's own folder."""


@dataclass(frozen=True)
class Permissions:
    """Allowances, with the links in their patterns of paths followed."""

    allowed: Allowances
    stores: tuple[str, ...]
    paths: tuple[str, ...]
    own: tuple[PurePosixPath, ...] = ()
    """Folders of the agent itself, links followed: whoever writes there decides what it does next."""
    restore_paths: tuple[str, ...] = ()

    def check_image(self, what: str, image: str) -> None:
        """Raise HostForbids for an image that workers may not be started from."""
        if not matches(image, self.allowed.images):
            raise _forbidden(what, f"image {image}", f"--allow-image {image}")

    def check(self, asks: Sequence[Ask], view: HostView) -> None:
        """Raise HostForbids for the first thing that is not allowed. Containers are judged as far as the view shows them."""
        for ask in asks:
            for what, option in self._refusals(ask, view):
                reason = Reason.UrlForbidden if isinstance(ask, UrlAsk) else Reason.HostForbids
                raise _forbidden(ask.what, what, option, reason)

    def may_restore(self, path: PurePosixPath) -> bool:
        """Whether a restore may replace or make what lies there, links followed."""
        return matches_path(path, self.restore_paths)

    def reach(self, asks: Sequence[Ask], view: HostView) -> tuple[str, ...]:
        """Networks that health checks may fetch from, besides the machine's own addresses."""
        urls = [ask.url for ask in asks if isinstance(ask, UrlAsk)]
        if any(self._is_named(url) for url in urls):
            return EVERYWHERE
        return view.networks.containers if urls else ()

    def _refusals(self, ask: Ask, view: HostView) -> Iterator[tuple[str, str]]:
        """What is not allowed, and the option that would allow it."""
        match ask:
            case StoreAsk(path=path):
                yield from _outside(path, view, self.stores, "--allow-store")
                yield from self._in_the_way(path, view)
            case BucketAsk() | ServerAsk():
                yield from self._remote(ask)
            case PathAsk(path=path):
                yield from _outside(path, view, self.paths, "--allow-path")
            case VolumeAsk(name=name):
                yield from self._volume(name, view)
            case RestorePathAsk() | RestoreVolumeAsk() | RestoreProjectAsk() | UrlAsk() | DrillImageAsk():
                yield from self._restoring(ask, view)
            case ProjectAsk():
                for each in view.containers.get(ask, ()):
                    yield from self._membership(each)
                    yield from self._identity(ask, each, view)
                    yield from self._project(each, view)
            case ContainerAsk():
                for each in view.containers.get(ask, ()):
                    yield from self._membership(each)
                    yield from self._identity(ask, each, view)
                    yield from self._container(ask, each, view)

    def _restoring(
        self,
        ask: RestorePathAsk | RestoreVolumeAsk | RestoreProjectAsk | UrlAsk | DrillImageAsk,
        view: HostView,
    ) -> Iterator[tuple[str, str]]:
        match ask:
            case RestorePathAsk(path=path):
                yield from self._restored(path, view)
            case RestoreVolumeAsk(name=name):
                yield from self._restored_volume(name, view)
            case RestoreProjectAsk():
                for each in view.containers.get(ask, ()):
                    yield from self._membership(each)
                    yield from self._identity(ask, each, view)
                    folder = [each.folder] if each.folder and own_folder(each, view) is not None else []
                    for name in (*folder, *each.project_files):
                        yield from self._restored(name, view)
            case UrlAsk():
                yield from self._url(ask, view)
            case DrillImageAsk(image=image):
                known = view.images is None or image in view.images
                if not known and not matches(image, self.allowed.drill_images):
                    yield (
                        f"image {image}, which no container here is made from,",
                        f"--allow-drill-image {image}",
                    )

    def _restored(self, path: str, view: HostView) -> Iterator[tuple[str, str]]:
        """A restore decides what lies there afterwards: with a project's files, what its containers may do to the host."""
        yield from _outside(path, view, self.restore_paths, "--allow-restore-path")
        yield from self._in_the_way(path, view)

    def _restored_volume(self, name: str, view: HostView) -> Iterator[tuple[str, str]]:
        yield from self._volume(name, view)
        if not matches(name, self.allowed.restore_volumes):
            yield f"a restore into volume {name}", f"--allow-restore-volume {name}"
        folder = view.bound.get(name)
        if folder is not None and not self.may_restore(folder):
            yield f"volume {name} (which is {folder} of the host)", f"--allow-restore-path {folder}"

    def _url(self, ask: UrlAsk, view: HostView) -> Iterator[tuple[str, str]]:
        try:
            origin = origin_of(ask.url)
        except ValueError as error:
            raise StrongroomError(Reason.UrlForbidden, f"{ask.what}: {error}") from error
        stranger = view.networks.strangers.get(ask.url)
        if stranger is not None and not self._is_named(ask.url):
            words = f"{origin} ({stranger} is neither an address of the host nor of its containers)"
            yield words, f"--allow-url {origin}"

    def _is_named(self, url: str) -> bool:
        return matches(origin_of(url), self.allowed.urls)

    def _remote(self, ask: BucketAsk | ServerAsk) -> Iterator[tuple[str, str]]:
        if isinstance(ask, ServerAsk):
            if not matches(ask.address, self.allowed.servers):
                yield f"folder {ask.address}", f"--allow-server {ask.address}"
            return
        named = [pattern for pattern in self.allowed.buckets if pattern != "*"]
        if not matches(ask.address, self.allowed.buckets):
            yield f"bucket {ask.address}", f"--allow-bucket {ask.address}"
        elif ask.own_credentials and not matches(ask.address, named):
            words = f"bucket {ask.address} with this host's own credentials (accessKeySecret is not set)"
            yield words, f"--allow-bucket {ask.address}"

    def _in_the_way(self, path: str, view: HostView) -> Iterator[tuple[str, str]]:
        real = view.real(path)
        for own in self.own:
            if real.is_relative_to(own) or own.is_relative_to(real):
                yield f"{path} (the agent keeps its own files in {own})", "another --state"

    def _project(self, each: Inspected, view: HostView) -> Iterator[tuple[str, str]]:
        folder = own_folder(each, view)
        for name in each.project_files:
            if folder is None or not view.real(name).is_relative_to(folder):
                yield from _outside(name, view, self.paths, "--allow-path")

    def _container(self, ask: ContainerAsk, each: Inspected, view: HostView) -> Iterator[tuple[str, str]]:
        if ask.path is not None and (mount := each.mount_of(ask.path)) is not None:
            yield from self._mounted(mount, ask.path, each, view, restores=ask.use == "restore")
            return
        is_free = not ask.runs_programs(each) or each.root_reason is None
        if not is_free and not matches(each.container.name, self.allowed.root_containers):
            words = f"a program in {each.container}, for {each.root_reason},"
            yield words, f"--allow-root-container {each.container.name}"

    def _mounted(
        self, mount: Mount, path: str, each: Inspected, view: HostView, *, restores: bool
    ) -> Iterator[tuple[str, str]]:
        """A path in a container that is really one of a volume or of the host: whoever writes there may have put a link in."""
        real = view.real(mount.host_path(path))
        in_volume = mount.volume is not None and real.is_relative_to(view.real(mount.source))
        if restores:
            inside = self._restored_volume(mount.volume or "", view)
            yield from inside if in_volume else self._restored(mount.host_path(path), view)
            return
        if mount.volume is not None and in_volume:
            yield from self._volume(mount.volume, view)
            return
        folder = own_folder(each, view)
        if mount.volume is not None or folder is None or not real.is_relative_to(folder):
            yield from _outside(mount.host_path(path), view, self.paths, "--allow-path")

    def _volume(self, name: str, view: HostView) -> Iterator[tuple[str, str]]:
        if not matches(name, self.allowed.volumes):
            yield f"volume {name}", f"--allow-volume {name}"
        folder = view.bound.get(name)
        if folder is not None and opens_the_host(folder) and not matches_path(folder, self.paths):
            yield f"volume {name} (which is {folder} of the host)", f"--allow-path {folder}"

    def _membership(self, each: Inspected) -> Iterator[tuple[str, str]]:
        own = each.container
        names = [own.name, *([f"{own.project}/{own.service}"] if own.project else [])]
        if not any(matches(name, self.allowed.containers) for name in names):
            yield str(own), f"--allow-container {names[-1]}"

    def _identity(
        self, ask: ContainerAsk | ProjectAsk | RestoreProjectAsk, each: Inspected, view: HostView
    ) -> Iterator[tuple[str, str]]:
        named = [pattern for pattern in self.allowed.containers if pattern != "*"]
        if _passes_for_another(ask, each, view) and not matches(each.container.name, named):
            words = f"{each.container}, which passes for this by labels of its image alone,"
            yield words, f"--allow-container {each.container.name}"


def build_permissions(allowed: Allowances, own: Sequence[Path] = ()) -> Permissions:
    """With the links in the patterns followed as they lead now; looks at the file system. `own`: the agent's folders."""
    return Permissions(
        allowed,
        stores=resolve_patterns(allowed.stores),
        paths=resolve_patterns(allowed.paths),
        own=tuple(PurePosixPath(each.resolve()) for each in own),
        restore_paths=resolve_patterns(allowed.restore_paths),
    )


def own_folder(each: Inspected, view: HostView) -> PurePosixPath | None:
    """The working folder of the container's compose project, resolved; None where it has none, or far too wide a one.

    Whoever made an image must not choose what of the host is a project's: such a label counts for nothing.
    """
    if not each.folder or COMPOSE_FOLDER_LABEL in _claims(each, view):
        return None
    folder = view.real(each.folder)
    return None if opens_the_host(folder) or str(folder) in _SHARED else folder


def _claims(each: Inspected, view: HostView) -> frozenset[str]:
    return view.claimed.get(each.container.id, frozenset())


def _passes_for_another(
    ask: ContainerAsk | ProjectAsk | RestoreProjectAsk, each: Inspected, view: HostView
) -> bool:
    """Whether only its image says so: whoever made that could have a password sent in.

    Images that compose has built bear names of project and service, too; the project's folder is on containers alone.
    """
    claims = _claims(each, view)
    if isinstance(ask, ContainerAsk) and ask.selector is None:
        return POLICY_LABEL in claims
    if isinstance(ask, ContainerAsk) and ask.selector is not None and ask.selector.name is not None:
        return False
    return COMPOSE_PROJECT_LABEL in claims and (not each.folder or COMPOSE_FOLDER_LABEL in claims)


def _outside(path: str, view: HostView, patterns: Sequence[str], option: str) -> Iterator[tuple[str, str]]:
    real = view.real(path)
    if not matches_path(real, patterns):
        yield path if str(real) == path else f"{path} (which leads to {real})", f"{option} {real}"


def _forbidden(ask: str, what: str, option: str, reason: Reason = Reason.HostForbids) -> StrongroomError:
    return StrongroomError(
        reason,
        f"{ask}: {what} is not allowed on this host: start its agent with {option}, or choose another",
    )
