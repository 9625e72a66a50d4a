"""POST: make an object, or answer a question that is asked by creating one (reviews)."""

from strongroom.apiserver.handlers.bodies import check_place, read_written_object
from strongroom.apiserver.handlers.calls import Call, answer_object
from strongroom.apiserver.handlers.options import parse_write_options
from strongroom.apiserver.handlers.writes import Creation, create_object, refuse_invalid
from strongroom.apiserver.http.responses import Response


async def create(call: Call) -> Response:
    """201 with the object."""
    if call.target.subresource:
        return _answer_question(call)
    options = parse_write_options(call.request, "CreateOptions")
    obj, warnings = read_written_object(call.request, call.resource, options)
    check_place(obj, call.target, name=False)
    if call.resource.rules.transient:
        return answer_object(call, call.resource.rules.answer(obj, call.request.user), 201, warnings)
    creation = Creation(call.cluster, call.resource, call.target.namespace, call.request.user, options)
    stored = await create_object(creation, obj)
    return answer_object(call, stored, 201, [*warnings, *call.resource.rules.warnings(stored.object)])


def _answer_question(call: Call) -> Response:
    """201 with the answer about the object that the path names. Raises 404 when there is none."""
    question = call.resource.questions[call.target.subresource]
    options = parse_write_options(call.request, "CreateOptions")
    obj, warnings = read_written_object(call.request, question, options)
    check_place(obj, call.target, name=bool(obj["metadata"].get("name")))
    refuse_invalid(question, obj, question.rules.validate_create(obj))
    return answer_object(call, question.rules.answer_about(obj, call.read().object), 201, warnings)
