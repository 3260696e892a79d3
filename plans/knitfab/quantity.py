"""Kubernetes quantities: ``500m``, ``1``, ``10Gi``.

A quantity is sent as it was written where it is already in the form that
Kubernetes would write, and in that form else: ``0.5`` is sent as ``500m``.

Source: Kubernetes, apimachinery, package resource.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

__all__ = ["Quantity", "parse_quantity"]

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_SHAPE = re.compile(r"([+-]?)0*([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)")
_NANO = Fraction(1, 10**9)
_LARGEST_BINARY = 2**63 - 1


class Quantity(NamedTuple):
    """The amount, and the text by which Kubernetes calls it."""

    amount: Fraction
    text: str


def parse_quantity(text: str) -> Quantity:
    """The quantity that ``text`` spells. Raises ValueError, in Kubernetes' words, if it spells none."""
    text = text.strip()
    match = _SHAPE.fullmatch(text)
    if not text or not match:
        raise ValueError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    sign, digits, fraction, suffix = match.groups()
    kind, exponent = _suffix(suffix)
    whole, fraction = digits or "0", fraction or ""
    amount = Fraction(int(whole + fraction), 10 ** len(fraction)) * (
        Fraction(2) ** exponent if kind == "binary" else Fraction(10) ** exponent
    )
    # Too small an amount is rounded up: who asks for some gets some.
    amount = -(-amount // _NANO) * _NANO
    if kind == "binary":
        amount = min(amount, Fraction(_LARGEST_BINARY))
    if _is_canonical(kind, exponent, whole, fraction):
        return Quantity(-amount if sign == "-" else amount, text)
    written = _write(amount, kind)
    return Quantity(-amount if sign == "-" else amount, f"-{written}" if sign == "-" and amount else written)


def _suffix(suffix: str) -> tuple[str, int]:
    if suffix in _DECIMAL:
        return "decimal", _DECIMAL[suffix]
    if suffix in _BINARY:
        return "binary", _BINARY[suffix]
    if re.fullmatch(r"[eE][+-]?[0-9]{1,4}", suffix):
        return "exponent", int(suffix[1:])
    raise ValueError("unable to parse quantity's suffix")


def _is_canonical(kind: str, exponent: int, whole: str, fraction: str) -> bool:
    """Whether Kubernetes keeps the text: a short number that it holds in 64 bits and would write alike."""
    shifted = whole + fraction
    if kind == "binary":
        if fraction or 15 - len(whole) - exponent * 3 // 10 - 1 < 0:
            return False
        return int(whole) % 8 != 0
    scale = exponent - len(fraction)
    if len(shifted) > 18 or scale < -9:
        return False
    return scale % 3 == 0 and not shifted.endswith("000") and not shifted.startswith("0")


def _write(amount: Fraction, kind: str) -> str:
    if not amount:
        return "0"
    if kind == "binary" and amount >= 1024 and amount.denominator == 1:
        number, power = int(amount), 0
        while number % 1024 == 0 and power < 60:
            number, power = number // 1024, power + 10
        return f"{number}{next((name for name, value in _BINARY.items() if value == power), '')}"
    # Nine decimals are all there are.
    digits, exponent = int(amount / _NANO), -9
    while digits % 10 == 0:
        digits, exponent = digits // 10, exponent + 1
    while exponent % 3:
        digits, exponent = digits * 10, exponent - 1
    names = {value: name for name, value in _DECIMAL.items()}
    if kind == "exponent" or exponent not in names:
        return f"{digits}e{exponent}" if exponent else str(digits)
    return f"{digits}{names[exponent]}"
