"""The device behind generated records: it takes for a token what the token model says, with known terms."""

from dataclasses import dataclass

import numpy as np

from models.shape import TransformerShape
from scripts.records import ArtifactFacts, DeviceKind


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratedDevice:
    """A device whose price of a layer is known.

    Attributes:
        attention_ns_per_byte: for cache bytes counted once for every query head.
        run_noise: standard deviation of a run's speed, relative; a run is slow or fast as a whole.
        step_noise: of a step inside a run, relative.
        drift_per_run: relative slow-down from one run of the queue to the next.
        throttle: relative slow-down at the end of the sustained phase.
    """

    device_id: str = "phone-1"
    model: str = "Generated Phone"
    kind: DeviceKind = DeviceKind.FAKE
    os_build: str = "generated/1"
    t0_ns: float = 100_000.0
    tau_ns: float = 40_000.0
    weight_bytes_per_s: float = 30e9
    kv_bytes_per_s: float = 15e9
    attention_ns_per_byte: float = 0.0
    probe_bytes_per_s: float = 36e9
    run_noise: float = 0.03
    step_noise: float = 0.01
    drift_per_run: float = 0.0
    throttle: float = 0.2

    def token_ns(self, artifact: ArtifactFacts, context: np.ndarray) -> np.ndarray:
        """Time of a token at each context, without noise: the model of a token."""
        assert isinstance(artifact.shape, TransformerShape)
        fixed = self.t0_ns + self.tau_ns * artifact.shape.num_passes
        weights = artifact.weight_bytes_read / self.weight_bytes_per_s * 1e9
        queries = artifact.shape.num_heads / artifact.shape.num_kv_heads
        per_byte = 1e9 / self.kv_bytes_per_s + queries * self.attention_ns_per_byte
        return fixed + weights + context * (artifact.kv_bytes_per_position * per_byte)
