"""The WebSocket protocol, version 1: what goes over the wire, as text messages of JSON.

Described for people in ``docs/websocket.md``, for programs in ``docs/websocket.schema.json``, which
:func:`schema` makes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from realtime.bus import Event, Value
from realtime.web.methods import all_methods

VERSION = 1

ErrorCode = Literal["malformed", "refused", "internal"]
Pattern = Annotated[str, Field(max_length=100)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Request(_Strict):
    """A client calls a command of the host."""

    id: int | Annotated[str, Field(max_length=64)] = Field(description="given back in the reply")
    method: str = Field(min_length=1, max_length=64)
    params: dict[str, Any] = Field(default_factory=dict)


class Subscription(_Strict):
    """Parameters of ``subscribe``: what this client wants; patterns are ``*``, ``plugin.*``, ``plugin.output``."""

    events: list[Pattern] = Field(default=["*"], max_length=100)
    values: list[Pattern] = Field(default=["*"], max_length=100)
    rate: float = Field(20.0, ge=0.0, le=100.0, description="snapshots a second; 0 = none")
    status: bool = Field(True, description="the host's status once a second")
    batch: bool = Field(False, description="events that are due together come as one ``batch`` message")


class Hello(_Strict):
    """First message of the server."""

    type: Literal["hello"]
    protocol: int
    server: Literal["sidechain"]
    version: str
    limits: dict[str, float]
    methods: list[str] = Field(description="commands of this front process, besides the engine's")
    status: dict[str, Any]


class EventMessage(_Strict):
    """Something happened, or will at `time`; in order, without holes but for those that ``missed`` admits."""

    type: Literal["event"]
    sequence: int
    time: float | None = Field(description="stream seconds")
    emitted: float | None = Field(description="stream seconds at which the host knew it")
    plugin: str
    output: str
    value: float | list[float | None] | None
    label: str | None


class ValuesMessage(_Strict):
    """Newest values by ``plugin.output``: a number, a list, or a text for labels."""

    type: Literal["values"]
    time: float | None = Field(description="stream seconds of the newest")
    values: dict[str, float | list[float | None] | str | None]


class StatusMessage(_Strict):
    """State of the host: input, plugins, outputs, transport."""

    type: Literal["status"]
    status: dict[str, Any]


class Missed(_Strict):
    """Events were lost before this message, because the host's log ran over."""

    type: Literal["missed"]
    events: int


class Batch(_Strict):
    """Messages of type ``event`` and ``missed``, in order, for clients that asked for ``batch``."""

    type: Literal["batch"]
    messages: list[EventMessage | Missed]


class Fault(_Strict):
    """Why a call failed: the message is malformed, the host refuses (wrong parameter …), or a fault of ours."""

    code: ErrorCode
    message: str


class Reply(_Strict):
    """Answer to a request: `result`, or `error`."""

    type: Literal["reply"]
    id: int | str | None
    result: Any = None
    error: Fault | None = None


ServerMessage = Annotated[
    Hello | EventMessage | ValuesMessage | StatusMessage | Missed | Batch | Reply, Field(discriminator="type")
]


class MalformedError(ValueError):
    """A message that is not a request; `id` is its id where it has one."""

    def __init__(self, message: str, identifier: int | str | None = None) -> None:
        super().__init__(message)
        self.id = identifier


def parse_request(text: str | bytes) -> Request:
    """A client's message. Raises :class:`MalformedError`."""
    if isinstance(text, bytes):
        raise MalformedError("binary message; send JSON text")
    try:
        data = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as e:
        raise MalformedError(f"not JSON: {str(e)[:80]}") from e
    given = data.get("id") if isinstance(data, dict) else None
    identifier = given if isinstance(given, (int, str)) and not isinstance(given, bool) else None
    try:
        return Request.model_validate(data)
    except ValidationError as e:
        raise MalformedError(_first(e), identifier) from e


def parse_subscription(params: Mapping[str, Any]) -> Subscription:
    """Parameters of ``subscribe``. Raises :class:`MalformedError`."""
    try:
        return Subscription.model_validate(dict(params))
    except ValidationError as e:
        raise MalformedError(_first(e)) from e


def event_text(event: Event) -> str:
    """An event as a message."""
    return dumps(
        {
            "type": "event",
            "sequence": event.sequence,
            "time": event.time,
            "emitted": event.emitted,
            "plugin": event.plugin,
            "output": event.output,
            "value": event.value,
            "label": event.label,
        }
    )


def batch_text(texts: Iterable[str]) -> str:
    """Messages, already made, as one."""
    return '{"type":"batch","messages":[' + ",".join(texts) + "]}"


def values_text(values: Mapping[str, Value], patterns: Iterable[str] = ("*",)) -> str:
    """Newest values as a message; only those that match."""
    wanted = Matcher(patterns)
    chosen = {n: v for n, v in values.items() if wanted(n)}
    return dumps(
        {
            "type": "values",
            "time": max((v.time for v in chosen.values()), default=None),
            "values": {n: v.label if v.value is None else v.value for n, v in chosen.items()},
        }
    )


def reply_text(identifier: int | str | None, result: Any) -> str:
    """A successful answer."""
    return dumps({"type": "reply", "id": identifier, "result": result})


def error_text(identifier: int | str | None, code: ErrorCode, message: str) -> str:
    """An error as an answer."""
    return dumps({"type": "reply", "id": identifier, "error": {"code": code, "message": message}})


def dumps(data: Any) -> str:
    """Compact, valid JSON: what is not finite becomes null, what is unknown its text."""
    try:
        return _STRICT.encode(data)
    except ValueError:
        return _STRICT.encode(_finite(data))


class Matcher:
    """Whether a name ``plugin.output`` is among patterns."""

    def __init__(self, patterns: Iterable[str]) -> None:
        chosen = list(patterns)
        self._all = "*" in chosen
        self._names = frozenset(p for p in chosen if not p.endswith("*"))
        self._starts = tuple(p[:-1] for p in chosen if p.endswith(".*"))

    def __call__(self, name: str) -> bool:
        return self._all or name in self._names or name.startswith(self._starts)


def schema() -> dict[str, Any]:
    """JSON schema of all messages, both ways."""
    adapter: TypeAdapter[Any] = TypeAdapter(ServerMessage | Request | Subscription)
    made = adapter.json_schema(ref_template="#/$defs/{model}")
    definitions = made["$defs"]
    definitions["Request"]["allOf"] = [
        _params(name, params)
        for name, params in [("subscribe", {"$ref": "#/$defs/Subscription"}), *all_methods().items()]
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Sidechain WebSocket protocol, version {VERSION}",
        "description": "Server messages carry 'type'; client messages are requests.",
        "oneOf": [
            {"$ref": f"#/$defs/{m.__name__}"}
            for m in (Hello, EventMessage, ValuesMessage, StatusMessage, Missed, Batch, Reply, Request)
        ],
        "$defs": definitions,
    }


def _params(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """That requests of this method have these parameters."""
    wanted: dict[str, Any] = {"properties": {"params": params}}
    if "required" in params:
        wanted["required"] = ["params"]
    return {"if": {"properties": {"method": {"const": method}}}, "then": wanted}


_STRICT = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=False, default=str)


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, Mapping):
        return {str(k): _finite(v) for k, v in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(v) for v in data]
    return data


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(p) for p in first["loc"])
    return f"'{where}': {first['msg']}" if where else str(first["msg"])


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))
