"""How ONNX Runtime opens a model, in one place: what is measured and what ships are opened alike.

The bundle's `detect.py` carries this file: standard library and onnxruntime only.
"""

from __future__ import annotations

import onnxruntime

from paredown.cores import usable_cores

SILENT = 4  # what goes wrong is raised; the runtime's own lines would hold names of nodes as they stand
EXACT_PRODUCTS = "session.x64quantprecision"


def session_options(threads: int = 0, *, exact_products: bool = False) -> onnxruntime.SessionOptions:
    """All graph optimisations, on the CPU. threads: 0 takes all usable physical cores.

    exact_products: kernels whose sums of 8-bit products do not saturate, which are slower. For 8-bit weights
    made for a CPU of another kind; 7-bit weights are left as they are.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # An explicit count: left to itself the runtime counts cores that a container may not use.
    options.intra_op_num_threads = threads or usable_cores()
    options.inter_op_num_threads = 1
    options.log_severity_level = SILENT
    # By default the pool's threads spin for 40 ms after a run, which would disturb the other model of an
    # interleaved timing. Stopping them when a run ends costs nothing that can be measured (yolov8n on two
    # threads: 70.0 ms with and without); allow_spinning=0 costs 7 %.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if exact_products:
        options.add_session_config_entry(EXACT_PRODUCTS, "1")
    return options
