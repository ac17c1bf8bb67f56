"""Numbers as a person reads and types them."""

import math

INFINITE = "∞"

DECIMAL_COMMA = """
() => document.addEventListener("beforeinput", (event) => {
    if (event.target.type === "number" && event.data?.includes(",")) {
        event.preventDefault();
        document.execCommand("insertText", false, event.data.replaceAll(",", "."));
    }
})
"""
"""Lets a comma stand for a point in the page's number boxes; some browsers would pass over it and make 05 of 0,5."""


def fixed(value: float, digits: int, signed: bool = False) -> str:
    """A number with so many decimals; what rounds to zero has no sign.

    Args:
        value: may be infinite, but not NaN.
        signed: write "+" before what is above zero, too.
    """
    rounded = round(value, digits)
    sign = "-" if rounded < 0 else "+" if signed and rounded > 0 else ""
    return sign + (INFINITE if math.isinf(rounded) else f"{abs(rounded):.{digits}f}")


def decibels(value: float) -> str:
    """PSNR in dB; that of a face without any error is infinite."""
    return f"{fixed(value, 2)} dB"
