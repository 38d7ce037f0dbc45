"""The page of the WebSocket API, its schema and the code name the same methods with the same parameters."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from websockets.sync.client import connect

from realtime.engine import Engine
from realtime.preset import Preset
from realtime.web.methods import all_methods, engine_methods, front_methods
from realtime.web.protocol import Subscription, schema
from realtime.web.server import WebSocketServer
from tests.fixtures.engine import FakeEngine
from tests.fixtures.sources import ArraySource

PAGE = (Path(__file__).parents[2] / "docs" / "websocket.md").read_text(encoding="utf-8")


def documented() -> dict[str, tuple[set[str], set[str]]]:
    """Method → (parameters, those that may be left out), from the tables of the page."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for table in PAGE.split("| method | params | |\n")[1:]:
        for row in table.splitlines()[1:]:
            if not row.startswith("|"):
                break
            methods, params = row.split("|")[1:3]
            names = re.findall(r"`([a-z_]+)`(\?)?", params)
            for method in re.findall(r"`([a-z.]+)`", methods):
                assert method not in found, f"{method} is there twice"
                found[method] = ({n for n, _ in names}, {n for n, mark in names if mark})
    return found


def of_schema(params: dict[str, Any]) -> tuple[set[str], set[str]]:
    names = set(params["properties"])
    return names, names - set(params.get("required", ()))


def test_the_page_has_every_method_with_its_parameters_and_no_other() -> None:
    wanted = {name: of_schema(params) for name, params in all_methods().items()}
    fields = set(Subscription.model_fields)
    assert documented() == wanted | {"subscribe": (fields, fields)}


def test_the_schema_has_every_method() -> None:
    of_methods = {
        c["if"]["properties"]["method"]["const"]: c["then"] for c in schema()["$defs"]["Request"]["allOf"]
    }
    assert set(of_methods) == {*all_methods(), "subscribe"}
    assert of_methods["transport.nudge"] == {
        "properties": {
            "params": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"ms": {"type": "number"}},
                "required": ["ms"],
            }
        },
        "required": ["params"],
    }
    assert "required" not in of_methods["transport.tap"]


def test_the_two_kinds_do_not_hide_each_other() -> None:
    assert not set(engine_methods()) & set(front_methods())


def test_a_real_engine_has_these_commands() -> None:
    engine = Engine(Preset(), ArraySource(np.zeros(480), 48_000))
    assert engine.commands.names == sorted(engine_methods())


def test_a_live_host_has_these_commands_beside_them() -> None:
    command = [sys.executable, "-m", "realtime.cli.main", "live", "--input", "demo", "--no-ui", "--only", "level"]
    command += ["--websocket", "127.0.0.1:0", "--osc-in", "off", "--seconds", "60"]
    host = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert host.stderr is not None
        told = next(line for line in host.stderr if "WebSocket at " in line)
        url = told.split("WebSocket at ")[1].strip().replace("http", "ws", 1) + "ws"
        with connect(url) as client:
            assert json.loads(client.recv(timeout=10.0))["methods"] == sorted(front_methods())
    finally:
        host.terminate()
        host.communicate(timeout=30)


def test_the_served_schema_is_this_one() -> None:
    server = WebSocketServer(FakeEngine(), port=0)
    server.start()
    try:
        with urllib.request.urlopen(server.url + "websocket.schema.json", timeout=10) as answer:
            assert json.load(answer) == schema()
    finally:
        server.stop()
