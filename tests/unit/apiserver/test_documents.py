"""Bodies: what Go would read, read alike; what could hurt, refused."""

import pytest

from strongroom.apiserver.http.jsons import decode_json
from strongroom.apiserver.http.statuses import StatusError
from strongroom.apiserver.http.yamls import decode_yaml


def test_duplicate_keys_are_named_with_their_path_and_the_last_wins():
    found = decode_json(b'{"a":{"b":1,"b":2},"c":[{"d":1,"d":2}],"c":3}')
    assert found.value == {"a": {"b": 2}, "c": 3}
    assert found.problems == ('duplicate field "a.b"', 'duplicate field "c[0].d"', 'duplicate field "c"')
    assert decode_yaml(b"a: 1\na: 2\n").problems == ('duplicate field "a"',)


def test_yaml_is_read_as_json():
    text = b"day: 2026-11-22\nyes_: yes\n1: one\ntrue: t\nnull: n\noctal: 0o7\nblob: !!binary aGk=\nm: &m {x: 1}\nn: {<<: *m, y: 2}\n"
    assert decode_yaml(text).value == {
        "day": "2026-11-22",
        "yes_": True,
        "1": "one",
        "true": "t",
        "null": "n",
        "octal": "0o7",
        "blob": "hi",
        "m": {"x": 1},
        "n": {"x": 1, "y": 2},
    }
    assert decode_yaml(b"").value is None
    assert decode_yaml(b"{a: b}").value == {"a": "b"}
    assert decode_yaml(b"a: !!python/object/apply:os.system [ls]").value == {"a": ["ls"]}


def test_lone_surrogates_are_replaced():
    assert decode_json(b'{"\\ud800a":["\\udfff"]}').value == {
        "\N{REPLACEMENT CHARACTER}" * 3 + "a": ["\N{REPLACEMENT CHARACTER}" * 3]
    }


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"a": ' + b"[" * 100_000,
        b'{"a": "\xff"}',
        b'{"a": 1} {"b": 2}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"",
    ],
)
def test_json_that_cannot_be_kept_is_refused(body):
    with pytest.raises(StatusError) as refusal:
        decode_json(body)
    assert refusal.value.code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"a: .inf",
        b"a: &a [*a]",
        b"a: b: c",
        b"{[1]: 2}",
        b"--- 1\n--- 2\n",
        b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + b"".join(
            b"%c: &%c [" % (n + 1, n + 1) + b",".join([b"*%c" % n] * 10) + b"]\n" for n in range(97, 105)
        ),
    ],
)
def test_yaml_that_cannot_be_kept_is_refused(body):
    with pytest.raises(StatusError) as refusal:
        decode_yaml(body)
    assert refusal.value.code == 400
