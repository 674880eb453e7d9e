"""The base of every message."""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A frozen value with a JSON form. Unknown fields are ignored, so that either side may be the newer one."""

    model_config = ConfigDict(frozen=True, extra="ignore")
