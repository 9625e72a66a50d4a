"""Query parameters of writes: dryRun, fieldManager, fieldValidation, force."""

from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.apiserver import fielderrors
from strongroom.apiserver.http import statuses
from strongroom.apiserver.http.requests import Request

META_GROUP = "meta.k8s.io"
_VALIDATIONS = ("Ignore", "Strict", "Warn")
_TRUE = ("1", "t", "T", "true", "TRUE", "True")


@dataclass(frozen=True)
class WriteOptions:
    """How to write; `manager` is what managedFields will name."""

    dry_run: bool
    manager: str
    field_validation: str
    force: bool | None
    """None when the request does not say."""
    field_manager: str
    """As asked for; empty when the manager comes from the User-Agent."""


def parse_write_options(request: Request, kind: str) -> WriteOptions:
    """Read and check them; `kind` is CreateOptions, UpdateOptions or PatchOptions, for the text of the 422."""
    query = request.query
    errors = dry_run_errors(query.getlist("dryRun"))
    field_manager = query.get("fieldManager", "")
    validation = query.get("fieldValidation", "")
    if len(field_manager.encode()) > 128:
        errors.append(fielderrors.too_long("fieldManager", 128))
    elif not field_manager.isprintable():
        errors.append(
            fielderrors.invalid("fieldManager", field_manager, "should only contain printable characters")
        )
    if validation and validation not in _VALIDATIONS:
        errors.append(fielderrors.not_supported("fieldValidation", validation, ["", *_VALIDATIONS]))
    if errors:
        raise statuses.invalid(kind, META_GROUP, "", errors)
    return WriteOptions(
        dry_run=bool(query.getlist("dryRun")),
        manager=field_manager or manager_of(request.headers.get("user-agent", "")),
        field_validation=validation or "Warn",
        force=parse_bool(query["force"]) if "force" in query else None,
        field_manager=field_manager,
    )


def dry_run_errors(values: Sequence[str]) -> list[fielderrors.FieldError]:
    """Only `All` is known."""
    return [fielderrors.not_supported("dryRun", value, ["All"]) for value in values if value != "All"]


def parse_bool(text: str) -> bool:
    """As Go's strconv, with everything else false."""
    return text in _TRUE


def manager_of(user_agent: str) -> str:
    """The program's name in a User-Agent, cut to 128 printable bytes."""
    name = "".join(c for c in user_agent.split("/", maxsplit=1)[0] if c.isprintable())
    return name.encode()[:128].decode(errors="ignore")
