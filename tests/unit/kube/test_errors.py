import pytest

from strongroom.kube import errors, kinds
from strongroom.kube.following import LONGEST_PAUSE_SECONDS, pause_seconds


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "BadRequest", errors.Invalid),
        (401, "Unauthorized", errors.Forbidden),
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (409, "AlreadyExists", errors.AlreadyExists),
        (409, "Conflict", errors.Conflict),
        (410, "Expired", errors.Gone),
        (422, "Invalid", errors.Invalid),
        (429, "TooManyRequests", errors.Unavailable),
        (500, "InternalError", errors.Unavailable),
        (504, "Timeout", errors.Unavailable),
    ],
)
def test_each_refusal_is_of_its_class(status, reason, kind):
    error = errors.error_from_status(status, {"reason": reason, "message": "why"})
    assert type(error) is kind
    assert (error.status, error.reason, error.message) == (status, reason, "why")


def test_a_proxys_page_is_an_error_with_a_bounded_message():
    error = errors.error_from_body(502, b"<html>" + b"x" * 5000)
    assert isinstance(error, errors.Unavailable)
    assert len(error.message) <= 1024
    assert isinstance(errors.error_from_body(404, b"[]"), errors.NotFound)


def test_paths_are_those_of_the_api():
    assert kinds.SECRETS.path("ns", "s") == "/api/v1/namespaces/ns/secrets/s"
    assert kinds.JOBS.path("ns", "j", "status") == "/apis/batch/v1/namespaces/ns/jobs/j/status"
    assert kinds.RUNS.path(None) == "/apis/strongroom.dev/v1alpha1/backupruns"
    assert kinds.NAMESPACES.path("ignored", "ns") == "/api/v1/namespaces/ns"
    assert (kinds.JOBS.api_version, kinds.SECRETS.resource, kinds.JOBS.resource) == (
        "batch/v1",
        "secrets",
        "jobs.batch",
    )


def test_pauses_grow_and_stay_bounded():
    for failures in (0, 1, 5, 1000):
        assert 0 < pause_seconds(failures) <= LONGEST_PAUSE_SECONDS
    assert pause_seconds(1000) >= LONGEST_PAUSE_SECONDS / 2
