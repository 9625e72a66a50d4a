"""The order of stopping, from what compose has noted."""

from collections.abc import Sequence

import pytest

from strongroom.api.labels import COMPOSE_DEPENDS_ON_LABEL, COMPOSE_PROJECT_LABEL, COMPOSE_SERVICE_LABEL
from strongroom.engine.containers import Container
from strongroom.engine.dependencies import needed_services, order_for_stopping


def container(service: str, needs: str = "", project: str = "shop") -> Container:
    labels = {COMPOSE_PROJECT_LABEL: project, COMPOSE_SERVICE_LABEL: service, COMPOSE_DEPENDS_ON_LABEL: needs}
    return Container(id=service, name=service, image="x", state="running", labels=labels)


DB = container("db")
APP = container("app", "db:service_healthy:false")
WEB = container("web", "app:service_started:true,cache:service_started:false")


@pytest.mark.parametrize("given", [[DB, APP, WEB], [WEB, DB, APP], [APP, WEB, DB]])
def test_what_depends_on_another_stops_before_it(given: Sequence[Container]) -> None:
    assert order_for_stopping(given) == [WEB, APP, DB]


def test_without_a_dependency_the_given_order_stands() -> None:
    one, two = container("one"), container("two")
    assert order_for_stopping([two, one]) == [two, one]


def test_a_service_of_the_same_name_in_another_project_is_another() -> None:
    other = container("db", project="other")
    assert order_for_stopping([other, APP]) == [other, APP]


def test_a_circle_keeps_everyone() -> None:
    egg, hen = container("egg", "hen:service_started:false"), container("hen", "egg:service_started:false")
    assert order_for_stopping([egg, hen]) == [egg, hen]


def test_a_container_without_labels_needs_nothing() -> None:
    assert needed_services({}) == []
