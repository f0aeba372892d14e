"""The quantizers that ptq_peers.py compares: each with its settings, and the runtime that it writes for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OURS = {
    "onnxruntime": "paredown.onnx",
    "openvino": "paredown-openvino.xml",
    "litert": "paredown-litert.tflite",
}
"""What a file for that runtime is timed beside: ours."""


@dataclass(frozen=True)
class Peer:
    """One row of the table. driver "": nothing is done to the float model."""

    tool: str
    variant: str
    driver: str = ""
    environment: str = ""  # "": the one this script runs in
    runtime: str = "onnxruntime"  # that its tool writes for
    settings: Mapping[str, object] = field(default_factory=dict)


def _ort(method: str, tuned: bool) -> Peer:
    variant = f"{method}, {'tuned' if tuned else 'defaults'}"
    return Peer(
        "onnxruntime.quantization",
        variant,
        "onnxruntime_driver",
        "onnxruntime",
        settings={"method": method, "tuned": tuned},
    )


def _pair(tool: str, driver: str, environment: str, runtime: str) -> dict[str, Peer]:
    return {
        f"{driver.removesuffix('_driver')}-{variant}": Peer(
            tool, variant, driver, environment, runtime, {"tuned": variant == "tuned"}
        )
        for variant in ("defaults", "tuned")
    }


PEERS: dict[str, Peer] = {
    "float": Peer("none", "FP32"),
    "paredown": Peer("Paredown", "int8", "paredown_driver", settings={"recipe": "int8"}),
    **{
        f"paredown-{runtime}": Peer(
            "Paredown",
            f"int8, {title}",
            "paredown_driver",
            runtime=runtime,
            settings={"recipe": "int8", "runtime": runtime},
        )
        for runtime, title in (("openvino", "OpenVINO"), ("litert", "LiteRT"))
    },
    **{
        f"ort-{method.lower()}{'-tuned' if tuned else ''}": _ort(method, tuned)
        for method in ("MinMax", "Entropy", "Percentile")
        for tuned in (False, True)
    },
    **_pair("NNCF, OpenVINO", "nncf_openvino_driver", "nncf", "openvino"),
    **_pair("NNCF, ONNX", "nncf_onnx_driver", "nncf", "openvino"),
    **_pair("aimet-onnx", "aimet_driver", "aimet", "onnxruntime"),
    **_pair("ai-edge-quantizer, LiteRT", "ai_edge_driver", "ai-edge", "litert"),
}
