"""How onnxruntime runs beside sound: on the calling thread alone, without spinning, denormals as zero."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from realtime.errors import UserError

if TYPE_CHECKING:
    import onnxruntime


def session_options() -> onnxruntime.SessionOptions:
    """Options of every session in the host; onnxruntime's own log is off, faults are told by whoever opens."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    options.log_severity_level = 4
    return options


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """A model file, ready to run.

    Raises
    ------
    UserError
        If it cannot be read as a model.
    """
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(str(path), session_options(), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own for every cause
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: not a readable ONNX model ({said}); fetch it again") from error
