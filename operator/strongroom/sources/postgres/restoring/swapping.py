"""Names exchanged: two renames in one transaction, while nobody is connected to the database.

The rename itself locks the database: from then on who connects waits, and afterwards gets what has the name. Sessions that were
there before are ended by another session until it goes through. So nothing is left half done, whoever is killed.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from strongroom.api.errors import Reason, StrongroomError
from strongroom.sources.postgres.restoring.quoting import literals
from strongroom.sources.postgres.restoring.reaching import Reach

_TRIES = 8
_PAUSE_SECONDS = 0.05
_END = """
select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity
where datname in ({names}) and pid <> pg_catalog.pg_backend_pid()
"""

log = logging.getLogger(__name__)


def rename_alone(reach: Reach, statements: Sequence[str], *names: str) -> None:
    """Run the statements in one transaction while sessions in these databases are ended. TargetInUse if they keep coming.

    The server waits five seconds for others to leave before it refuses; then it is tried again.
    """
    failure: StrongroomError | None = None
    for _ in range(_TRIES):
        try:
            with _ending_sessions(reach, names), reach.open_entry(*names) as session:
                session.run("begin")
                for statement in statements:
                    session.run(statement)
                session.run("commit")
        except StrongroomError as error:
            if error.reason is not Reason.TargetInUse:
                raise
            failure = error
        else:
            return
    raise failure or StrongroomError(Reason.TargetInUse, "not tried")


@contextmanager
def _ending_sessions(reach: Reach, names: Sequence[str]) -> Iterator[None]:
    """Inside, another session ends all that are in these databases, again and again."""
    over = threading.Event()
    with reach.open_entry(*names) as session:

        def end() -> None:
            try:
                while not over.wait(_PAUSE_SECONDS):
                    session.rows(_END.format(names=literals(list(names))))
            except StrongroomError as error:
                log.warning("sessions cannot be ended: %s", error.message)

        thread = threading.Thread(target=end, name="ending sessions", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
