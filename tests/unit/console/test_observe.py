"""The dashboards and rules that ship with the engine fit the metrics it has."""

import json
import re
from importlib.resources import files

import pytest
from ruamel.yaml import YAML

from engine.console.metrics import METRICS

SHIPPED = files("engine.console").joinpath("observe")
BOARDS = sorted(each.name for each in SHIPPED.iterdir() if each.name.endswith(".json"))
SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "info": ("_info",),
    "histogram": ("_bucket", "_count", "_sum"),
}
NAMES = {
    name + suffix: metric
    for name, metric in METRICS.items()
    for suffix in SUFFIXES[metric.kind]
}


def expressions(board):
    found = json.loads(SHIPPED.joinpath(board).read_text())
    return [each["expr"] for panel in found["panels"] for each in panel["targets"]]


def rules():
    text = SHIPPED.joinpath("prometheus-rules.yaml").read_text()
    [group] = YAML(typ="safe", pure=True).load(text)["groups"]
    return group["rules"]


def check(expression):
    used = set(re.findall(r"interop_\w+", expression))
    assert used
    assert used <= set(NAMES), used - set(NAMES)
    known = {"le"}.union(*(NAMES[name].labels for name in used))
    for listed in re.findall(r"by \(([^)]*)\)", expression):
        assert {each.strip() for each in listed.split(",")} <= known
    for matched in re.findall(r"{([^}]*)}", expression):
        assert set(re.findall(r"(\w+)(?:=~|!=|=)", matched)) <= known
    assert expression.count("(") == expression.count(")")


@pytest.mark.parametrize("board", BOARDS)
def test_a_dashboard_asks_for_metrics_and_labels_there_are(board):
    for expression in expressions(board):
        check(expression)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_of_prometheus_asks_for_metrics_and_labels_there_are(rule):
    check(rule["expr"])
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"]["summary"].endswith(".")


def test_every_metric_but_constants_stands_on_a_dashboard():
    used = "\n".join(each for board in BOARDS for each in expressions(board))

    assert [name for name in METRICS if name not in used] == []


def test_there_are_five_dashboards_each_with_its_own_id():
    ids = {json.loads(SHIPPED.joinpath(each).read_text())["uid"] for each in BOARDS}

    assert len(ids) == len(BOARDS) == 5
