"""HTTP for the rate limiters that have names."""

from fastapi import APIRouter

from nexus.manager.access import Viewer
from nexus.manager.limits.bodies import PresetBody, PresetList, stored
from nexus.manager.limits.presets import PRESETS, Preset

router = APIRouter(prefix="/v1/rate-limiter-presets", tags=["rate-limiters"])


@router.get("")
async def list_presets(_actor: Viewer) -> PresetList:
    """Rate limiters that have names, for drives and for NICs: send what they hold, or any other."""
    return PresetList(items=[_body(preset) for preset in PRESETS], next_cursor=None)


def _body(preset: Preset) -> PresetBody:
    return PresetBody.model_validate(
        {
            "name": preset.name,
            "device": preset.device,
            "description": preset.description,
            "rate_limiter": stored(preset.limiter, device=preset.device),
        }
    )
