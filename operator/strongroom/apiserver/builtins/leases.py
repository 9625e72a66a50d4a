"""Leases: who holds what, renewed to stay alive."""

from strongroom.apiserver import fielderrors
from strongroom.apiserver.builtins.columns import builtin_columns
from strongroom.apiserver.builtins.rules import BuiltinRules
from strongroom.apiserver.fielderrors import FieldError
from strongroom.apiserver.metaschemas import integer, record, text, time
from strongroom.apiserver.resources import Object, Resource
from strongroom.apiserver.schema import StructuralSchema


class LeaseRules(BuiltinRules):
    """Leases."""

    columns = builtin_columns(("Holder", ".spec.holderIdentity", "Who holds the lease."))
    micro_times = ("spec.acquireTime", "spec.renewTime")
    schema = StructuralSchema(
        record(
            "Lease defines a lease concept.",
            spec=record(
                "What is held, by whom and until when.",
                holderIdentity=text("Identity of the holder."),
                leaseDurationSeconds=integer(
                    "How long others must wait after renewTime before they may take it."
                ),
                acquireTime=time("When the lease was last acquired."),
                renewTime=time("When the holder last renewed it."),
                leaseTransitions=integer("How often the lease has changed hands."),
                strategy=text("How holders are elected."),
                preferredHolder=text("Who should get it next."),
            ),
        )
    )

    def validate_create(self, obj: Object) -> list[FieldError]:
        spec = obj.get("spec") or {}
        errors = self.schema.validate(obj)
        if spec.get("leaseDurationSeconds", 1) <= 0:
            value = spec["leaseDurationSeconds"]
            errors.append(fielderrors.invalid("spec.leaseDurationSeconds", value, "must be greater than 0"))
        if spec.get("leaseTransitions", 0) < 0:
            value = spec["leaseTransitions"]
            errors.append(
                fielderrors.invalid("spec.leaseTransitions", value, "must be greater than or equal to 0")
            )
        return errors


RESOURCE = Resource("coordination.k8s.io", "v1", "leases", "Lease", LeaseRules())
