"""The application of a drill: which database it is started on, and what keeps it from being started."""

from collections.abc import Iterator

from strongroom.api.backuppolicy import BackupPolicySpec
from strongroom.api.drills import Drill, DrillApplication
from strongroom.api.sources import PostgresSource


def build_application(spec: BackupPolicySpec) -> DrillApplication | None:
    """The drill's, with its database said."""
    application = spec.drill.application if spec.drill is not None else None
    return application and application.model_copy(update={"database": _find_database(spec, application)})


def find_application_trouble(spec: BackupPolicySpec) -> Iterator[str]:
    """What is wrong with it, in words that name the field and the way out."""
    drill = spec.drill
    if drill is None or (application := drill.application) is None:
        return
    where = "spec.drill.application"
    database = _find_database(spec, application)
    if database is None:
        yield f"{where}.database: name the database that it works on: the policy's sources name none or several"
        return
    holders = {name: each for name, each in _servers(spec, drill).items() if _may_hold(each, database)}
    if not holders:
        yield f'{where}.database: no source that is drilled has a database "{database}"'
    elif len(holders) > 1:
        yield f'{where}.database: "{database}" may be in sources {", ".join(holders)}: name one of them in spec.drill.sources'
    elif drill.image is None and next(iter(holders.values())).host is not None:
        yield (
            f"{where}: it is started beside a throw-away server in a container, and that of source {next(iter(holders))} would be "
            "made of the host's own programs: set spec.drill.image"
        )


def find_pod_trouble(drill: Drill) -> str | None:
    """What of a drill a pod cannot do, in words; None where it can do all of it."""
    if drill.application is not None:
        return (
            "spec.drill.application: applications are started in containers of a Docker host, and the cluster drills: "
            "leave it out, or set spec.host."
        )
    return None


def _find_database(spec: BackupPolicySpec, application: DrillApplication) -> str | None:
    if application.database is not None or spec.drill is None:
        return application.database
    servers = list(_servers(spec, spec.drill).values())
    named = [name for each in servers for name in each.databases]
    tells_all = all(each.databases and not each.labelled for each in servers)
    return named[0] if tells_all and len(named) == 1 else None


def _servers(spec: BackupPolicySpec, drill: Drill) -> dict[str, PostgresSource]:
    """Sources that are drilled and have databases."""
    drilled = [each for each in spec.sources if not drill.sources or each.name in drill.sources]
    return {each.name: each.postgres for each in drilled if each.postgres is not None}


def _may_hold(source: PostgresSource, database: str) -> bool:
    return not source.databases or database in source.databases
