from datetime import UTC, datetime

from strongroom.controllers.measures import HostMeasures, Measures, PolicyMeasures, StoreHealth, StoreMeasures
from strongroom.controllers.metrics import PolicyCollector
from strongroom.controllers.tally import Tally

NOW = datetime(2026, 11, 22, 2, tzinfo=UTC)
HOUR = 3600.0


def fresh(last_success: float) -> float:
    measures = Measures()
    measures.policies["default", "orders"] = PolicyMeasures(
        ready=True, last_success=last_success, max_age=24 * HOUR
    )
    families = PolicyCollector(measures, Tally(), lambda: NOW).collect()
    (family,) = [each for each in families if each.name == "strongroom_policy_fresh"]
    return family.samples[0].value


def test_a_policy_is_fresh_while_its_newest_backup_is_young_enough():
    assert fresh(NOW.timestamp() - 23 * HOUR) == 1
    assert fresh(NOW.timestamp() - 25 * HOUR) == 0


def test_a_backup_from_the_future_makes_no_policy_fresh():
    assert fresh(NOW.timestamp() + 60) == 1
    assert fresh(NOW.timestamp() + 365 * 24 * HOUR) == 0


def samples(measures: Measures, name: str) -> list[tuple[dict[str, str], float]]:
    families = PolicyCollector(measures, Tally(), lambda: NOW).collect()
    return [
        (each.labels, each.value) for family in families if family.name == name for each in family.samples
    ]


def test_a_policy_on_demand_is_neither_fresh_nor_stale_unless_it_asks_for_an_age():
    measures = Measures()
    measures.policies["default", "config"] = PolicyMeasures(ready=True, on_demand=True)
    assert samples(measures, "strongroom_policy_fresh") == []
    measures.policies["default", "config"] = PolicyMeasures(ready=True, on_demand=True, max_age=HOUR)
    assert samples(measures, "strongroom_policy_fresh")[0][1] == 0


def test_copies_tell_store_by_store_and_are_satisfied_no_longer_than_they_are_young_enough():
    stores = {"disk": StoreMeasures(3, 0, 5.0), "usb": StoreMeasures(0, 2)}
    told = {"copies_satisfied": True, "stores": stores, "catch_ups_pending": 1, "catch_ups_failed": 2}
    measures = Measures()
    for name, until in (("young", NOW.timestamp() + 1), ("old", NOW.timestamp() - 1)):
        measures.policies["default", name] = PolicyMeasures(ready=True, copies_satisfied_until=until, **told)

    def of(name: str) -> list[tuple[str, float]]:
        """The last label's value, for the policy `young`."""
        found = samples(measures, f"strongroom_policy_{name}")
        return [(list(label.values())[-1], value) for label, value in found if label["policy"] == "young"]

    satisfied = samples(measures, "strongroom_policy_copies_satisfied")
    assert {labels["policy"]: value for labels, value in satisfied} == {"young": 1, "old": 0}
    assert of("copies") == [("disk", 3), ("usb", 0)]
    assert of("copies_lacking") == [("disk", 0), ("usb", 2)]
    assert of("copy_last_success_timestamp_seconds") == [("disk", 5)]
    assert of("catch_ups") == [("pending", 1), ("failed", 2)]


def test_what_does_not_count_is_told_once_somebody_has_looked():
    measures = Measures()
    for name, found in (("signed", 3), ("clean", 0), ("new", None)):
        measures.policies["default", name] = PolicyMeasures(ready=True, untrusted_points=found)
    told = samples(measures, "strongroom_policy_untrusted_points")
    assert {labels["policy"]: value for labels, value in told} == {"signed": 3, "clean": 0}


def test_hosts_tell_what_can_be_known_of_them():
    measures = Measures(
        hosts={
            ("default", "web-1"): HostMeasures(ready=True, engine_ready=True, uncovered=2),
            ("default", "web-2"): HostMeasures(ready=True, engine_ready=False),
            ("default", "web-3"): HostMeasures(ready=False),
        }
    )

    def by_host(name: str) -> dict[str, float]:
        return {labels["host"]: value for labels, value in samples(measures, f"strongroom_host_{name}")}

    assert by_host("uncovered_databases") == {"web-1": 2}
    assert by_host("engine_ready") == {"web-1": 1, "web-2": 0}
    assert by_host("ready") == {"web-1": 1, "web-2": 1, "web-3": 0}


def test_runs_are_counted_from_nought_so_that_the_first_failure_is_an_increase():
    measures = Measures()
    measures.policies["default", "orders"] = PolicyMeasures(ready=True)
    found = {labels["outcome"]: value for labels, value in samples(measures, "strongroom_runs")}
    assert found == {"Succeeded": 0, "Failed": 0, "Partial": 0, "Skipped": 0}


def test_a_store_is_ready_or_not_and_tells_nothing_while_nobody_has_looked():
    measures = Measures()
    measures.stores["default", "disk"] = StoreHealth(ready=True, free_bytes=7, last_contact=5.0)
    measures.stores["default", "bucket"] = StoreHealth(ready=False)
    measures.stores["default", "new"] = StoreHealth()
    ready = {labels["store"]: value for labels, value in samples(measures, "strongroom_store_ready")}
    assert ready == {"disk": 1, "bucket": 0}
    assert samples(measures, "strongroom_store_free_bytes") == [
        ({"namespace": "default", "store": "disk"}, 7)
    ]
