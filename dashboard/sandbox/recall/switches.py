"""The simulated Recall's switches: what its documents leave open or contradict."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

Answer = Annotated[int, Field(ge=200, le=599)]


class Switches(BaseModel):
    """Every switch at its default.

    Attributes:
        duplicate_client_id: Whether a second app may have a client id that is already
            there (docs/contracts/recall.md 3.1: unknown).
        reconnect: What connecting the same user again does: `upsert` (201, same id),
            `upsert_200`, or the legacy 400 of `conflict` (3.5).
        refresh_ahead: Whether access-token refreshes with less than 5 min left.
        meeting_sync: How every meeting sync ends, unless Zoom refuses.
        webhook_answer: `ok`, or the status the receiver answers with instead.
        max_age_s: Oldest accepted x-zm-request-timestamp in seconds; None is any.
        rate_limits: Whether the limits of 1.5 hold.
        error_envelope: `drf`, or `invalid_request_data` around field errors (1.7).
        credit_spent: Whether every API call is answered 402.
        page_size: Items a page of every list.
    """

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    duplicate_client_id: Literal["allow", "refuse"] = "allow"
    reconnect: Literal["upsert", "upsert_200", "conflict"] = "upsert"
    refresh_ahead: bool = True
    meeting_sync: Literal["completes", "fails"] = "completes"
    webhook_answer: Literal["ok"] | Answer = "ok"
    max_age_s: Annotated[int, Field(ge=0)] | None = None
    rate_limits: bool = True
    error_envelope: Literal["drf", "invalid_request_data"] = "drf"
    credit_spent: bool = False
    page_size: Annotated[int, Field(ge=1, le=1000)] = 20


def turned(switches: Switches, values: dict[str, Any]) -> Switches:
    """Return `switches` with `values` set.

    Raises:
        ValueError: A name is unknown or a value is not one of its values; the
            message is a sentence for whoever sent it.
    """
    try:
        return Switches.model_validate({**switches.model_dump(), **values})
    except ValidationError as error:
        first = error.errors()[0]
        sentence = f"Switch {first['loc'][0]!r}: {first['msg']}."
        raise ValueError(sentence) from None
