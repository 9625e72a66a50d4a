"""Definitions of our kinds on a server of another version: what is dropped, or let through and not known, is named."""

import copy
from dataclasses import replace

from domain_objects import policy, store

from strongroom.api.backuppolicy import BackupPolicySpec
from strongroom.api.crds import build_crds
from strongroom.api.errors import Reason
from strongroom.api.unknownfields import find_unknown
from strongroom.domain.definitions import NEWER, OLDER, find_drift
from strongroom.domain.policies import Surroundings, find_problems


def schema(plural="backuppolicies"):
    (found,) = [crd for crd in build_crds() if crd["metadata"]["name"].startswith(f"{plural}.")]
    return found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def fields(of):
    return of["properties"]["spec"]["properties"]


def test_the_same_definition_has_no_drift_whatever_a_server_adds_to_objects():
    served = copy.deepcopy(schema())
    served["properties"]["metadata"] = {"properties": {"name": {"type": "string"}}}
    assert find_drift(schema(), served) is None


def test_an_older_definition_names_the_fields_that_it_drops():
    served = copy.deepcopy(schema())
    del fields(served)["drill"]
    del fields(served)["sources"]["items"]["properties"]["postgres"]["properties"]["databases"]
    drift = find_drift(schema(), served)
    assert drift.reason == OLDER
    assert "spec.drill" in drift.lacking
    assert "spec.sources[].postgres.databases" in drift.lacking
    assert "strongroom crds" in drift.describe("backuppolicies.strongroom.dev")


def test_a_newer_definition_names_what_this_version_does_not_know():
    served = copy.deepcopy(schema())
    fields(served)["teleport"] = {"type": "boolean"}
    drift = find_drift(schema(), served)
    assert (drift.reason, drift.lacking, drift.unknown) == (NEWER, (), ("spec.teleport",))
    assert "spec.teleport" in drift.describe("backuppolicies.strongroom.dev")


def test_fields_of_a_newer_version_in_an_object_are_found_wherever_they_are():
    spec = policy().spec.to_api()
    assert find_unknown(BackupPolicySpec, spec) == ()
    spec["teleport"] = True
    spec["sources"][0]["postgres"]["faster"] = 1
    assert set(find_unknown(BackupPolicySpec, spec)) == {"spec.teleport", "spec.sources[].postgres.faster"}


def test_a_policy_or_store_that_asks_for_what_is_not_known_is_refused_and_not_half_obeyed():
    known = store()
    problem = next(
        find_problems(replace(policy(), unknown=("spec.teleport",)), Surroundings({"vault": known}))
    )
    assert (problem.reason, problem.blocks) == (Reason.Unsupported, True)
    assert "spec.teleport is set" in problem.message
    newer = replace(known, unknown=("spec.quantum",))
    problem = next(find_problems(policy(), Surroundings({"vault": newer})))
    assert "BackupStore vault: spec.quantum is set" in problem.message
