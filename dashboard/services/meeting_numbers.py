"""Meeting numbers and PMIs as people read them."""

_PMI_DIGITS = 10


def grouped(number: int | str | None) -> str:
    """Group a PMI or meeting number as Zoom shows it: "555 123 4567", "912 3456 7890".

    Ten digits are grouped 3-3-4; nine and eleven 3-3-3 and 3-4-4. None gives "".
    """
    if number is None:
        return ""
    digits = str(number)
    second = 3 if len(digits) <= _PMI_DIGITS else 4
    parts = digits[:3], digits[3 : 3 + second], digits[3 + second :]
    return " ".join(part for part in parts if part)
