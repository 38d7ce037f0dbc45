"""Echo: a job. It takes the last seconds of sound and gives them back, repeated, on the next downbeat.

[plugins.echo] to = "Speakers"; then /sidechain/job/echo over OSC, or job.start over WebSocket.
"""

import numpy as np

from realtime.errors import UserError
from realtime.hosting.kinds import JobPlugin
from realtime.hosting.plugin import AudioInput, Descriptor, Feature, Output


class Echo(JobPlugin):
    """An example to copy: a request with a number, progress, cancelling, and sound as the result."""

    descriptor = Descriptor(
        identifier="echo", name="Echo", description="The last two seconds again, three times, fading",
        maker="Sidechain", license="MIT", version="1.0.0", kind="job",
        input=AudioInput(sample_rate=48_000, channels=2, hop=480, window=96_000),
        outputs=(Output("echo", "audio", rate=48_000.0),),
    )  # fmt: skip

    def run(self, request, block, time, job):
        times = int(request.get("times", 3))
        if not 1 <= times <= 20:
            raise UserError("echo: 'times' must be between 1 and 20")
        parts = []
        for n in range(times):
            if job.cancelled:
                return None
            job.progress(n / times, f"repeat {n + 1}")
            parts.append(block * 0.6**n)
        return [Feature("echo", time, np.concatenate(parts, axis=1))]
