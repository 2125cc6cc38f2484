"""The description of a converted file, derived from that of the deployed one."""

from __future__ import annotations

from dataclasses import replace

from edge.files.model_file import sha256_of
from edge.models.spec import Network
from export.convert.operators import minimal_runtimes


def described(network: Network, format: str, data: bytes) -> Network:
    """The description of a file that was converted from the float model.

    Float files take RGB pixels 0..255 as float32; all other fields are those of the deployed one.
    """
    expects = replace(
        network.input, dtype="float32", mean=(0.0,) * 3, std=(1.0,) * 3, colour_order="rgb",
        layout="nhwc", batch=1,
    )  # fmt: skip
    return replace(
        network,
        format=format,
        sha256=sha256_of(data),
        input=expects,
        outputs={role: role for role in network.outputs},
        minimal_runtimes=minimal_runtimes(data, format),
    )
