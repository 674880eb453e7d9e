"""The base of every message."""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A frozen value with a JSON form. Unknown fields are ignored, so that either side may be the newer one;
    numbers that JSON does not have (NaN, infinities) are refused: what is passed on must be readable."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)
