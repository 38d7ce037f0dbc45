"""Forms made from the host's own schemas: fields, ranges, defaults and choices come from there."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLineEdit,
    QSpinBox,
    QWidget,
)

LABELS = {
    "to": "outputs", "offset_ms": "offset", "low": "input low", "high": "input high", "out_low": "output low",
    "out_high": "output high", "attack_ms": "attack", "release_ms": "release", "rate": "most a second",
    "note_ms": "note length", "pulse_ms": "pulse length", "ahead_ms": "ahead",
}  # fmt: skip


class Form(QWidget):
    """A row for each field of a settings class.

    Parameters
    ----------
    model : type of BaseModel
    skip : tuple of str
        Fields that are not for a person.
    offers : mapping of str to list of str
        Texts to choose from (others may be typed).
    """

    changed = Signal()

    def __init__(
        self, model: type[BaseModel], skip: tuple[str, ...] = (), offers: Mapping[str, list[str]] | None = None
    ) -> None:
        super().__init__()
        self._model = model
        self._fields: dict[str, QWidget] = {}
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        layout.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        for name, info in model.model_fields.items():
            if name in skip:
                continue
            field = self._field(name, info, list((offers or {}).get(name, ())))
            if field is None:
                continue
            title = LABELS.get(name, name.removesuffix("_ms").replace("_", " "))
            field.setAccessibleName(title)
            if info.description:
                field.setToolTip(info.description)
            self._fields[name] = field
            layout.addRow(title, field)

    def _field(self, name: str, info: FieldInfo, offers: list[str]) -> QWidget | None:
        kind = _bare(info.annotation)
        if get_origin(kind) is Literal:
            return self._combo([str(c) for c in get_args(kind)], False)
        if offers:
            return self._combo(offers, True)
        if kind is bool:
            box = QCheckBox()
            box.toggled.connect(lambda _: self.changed.emit())
            return box
        if kind in (int, float):
            return self._number(name, info, kind is int)
        if kind is str or get_origin(kind) is list:
            line = QLineEdit()
            line.editingFinished.connect(self.changed)
            if get_origin(kind) is list:
                line.setPlaceholderText("separated by commas")
            return line
        return None

    def _combo(self, offers: list[str], free: bool) -> QComboBox:
        box = QComboBox()
        box.addItems(offers)
        box.setEditable(free)
        box.setMinimumContentsLength(8)
        (box.editTextChanged if free else box.currentTextChanged).connect(lambda _: self.changed.emit())
        return box

    def _number(self, name: str, info: FieldInfo, whole: bool) -> QWidget:
        low, high = _range(info)
        box: QSpinBox | QDoubleSpinBox
        if whole:
            box = QSpinBox()
            box.setRange(round(low), round(high))
        else:
            box = QDoubleSpinBox()
            box.setDecimals(2)
            box.setRange(low, high)
        if name.endswith("_ms"):
            box.setSuffix(" ms")
            box.setSingleStep(1)
        if _optional(info.annotation):
            box.setSpecialValueText("none")
            box.setMinimum(box.minimum() - 1)  # type: ignore[arg-type]
        box.setKeyboardTracking(False)
        box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        box.valueChanged.connect(lambda _: self.changed.emit())
        return box

    def show_values(self, values: Mapping[str, Any]) -> None:
        """Fill in; what is missing gets its default. Says nothing of changes."""
        for name, field in self._fields.items():
            info = self._model.model_fields[name]
            value = values.get(name, info.get_default(call_default_factory=True))
            field.blockSignals(True)
            if isinstance(field, QComboBox):
                at = field.findText(str(value))
                if at >= 0:
                    field.setCurrentIndex(at)
                elif field.isEditable():
                    field.setEditText(str(value or ""))
            elif isinstance(field, QCheckBox):
                field.setChecked(bool(value))
            elif isinstance(field, (QSpinBox, QDoubleSpinBox)):
                shown = field.minimum() if value is None else value
                field.setValue(round(shown) if isinstance(field, QSpinBox) else float(shown))  # type: ignore[arg-type]
            elif isinstance(field, QLineEdit):
                field.setText(", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value or ""))
            field.blockSignals(False)

    def values(self) -> dict[str, Any]:
        """What is filled in, without what is at its default."""
        found: dict[str, Any] = {}
        for name, field in self._fields.items():
            info = self._model.model_fields[name]
            value: Any = None
            if isinstance(field, QComboBox):
                value = field.currentText().strip()
            elif isinstance(field, QCheckBox):
                value = field.isChecked()
            elif isinstance(field, (QSpinBox, QDoubleSpinBox)):
                nothing = _optional(info.annotation) and field.value() == field.minimum()
                value = None if nothing else field.value()
            elif isinstance(field, QLineEdit):
                value = _parsed(field.text(), info)
            if value != info.get_default(call_default_factory=True):
                found[name] = value
        return found

    def field(self, name: str) -> QWidget:
        """The control of a field."""
        return self._fields[name]


def _bare(annotation: Any) -> Any:
    """A type without ``| None`` and without its metadata."""
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [a for a in get_args(annotation) if a is not type(None)]
        return _bare(inner[0]) if len(inner) == 1 else None
    return annotation


def _optional(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation)


def _range(info: FieldInfo) -> tuple[float, float]:
    low, high = -1_000_000.0, 1_000_000.0
    for limit in info.metadata:
        low = float(getattr(limit, "ge", low))
        low = float(getattr(limit, "gt", low - 0.01)) + 0.01
        high = float(getattr(limit, "le", high))
    return low, high


def _parsed(text: str, info: FieldInfo) -> Any:
    kind = _bare(info.annotation)
    if get_origin(kind) is list:
        parts = [p.strip() for p in text.split(",") if p.strip()]
        inner = get_args(kind)[0]
        return [int(p) if inner is int and p.lstrip("-").isdigit() else p for p in parts]
    text = text.strip()
    return None if not text and _optional(info.annotation) else text
