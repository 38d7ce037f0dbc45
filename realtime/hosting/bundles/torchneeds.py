"""torch, if it is there, as the host wants it."""

from __future__ import annotations

from types import ModuleType

from realtime.errors import UserError


def torch_for(plugin: str) -> ModuleType:
    """The module, with one thread. Imported only here: it takes seconds and is an extra.

    Raises
    ------
    UserError
        It is not installed.
    """
    try:
        import torch
    except ImportError as e:
        raise UserError(
            f"bundle '{plugin}' needs torch: pip install 'sidechain[torch]', or export it to ONNX"
        ) from e
    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)  # more would wait for each other, and take the cores of the sound
    return torch
