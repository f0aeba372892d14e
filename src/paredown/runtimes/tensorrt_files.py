"""Engines of TensorRT, built of ONNX files; and the command for it, where they are built elsewhere."""

from __future__ import annotations

import time
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import onnx

from paredown.errors import TargetError, UnsupportedModel
from paredown.files import write_whole
from paredown.protocols import Artifact
from paredown.runtimes import proto
from paredown.runtimes.artifact import as_it_is, of_files, stem_of
from paredown.runtimes.tensorrt_rules import PAIRS, require_rules

PRECISIONS = ("", "float16")
BUILD = "build.txt"
STRONG = 11  # of TensorRT: from here on a graph says all its types itself
TEXT = """The engine is built on the device that runs it, by the TensorRT there. In this folder:

    {command}

trtexec comes with TensorRT; JetPack has it in /usr/src/tensorrt/bin. The command is for TensorRT 8.5 to 10.
{newer}
The float part is computed in {said}, which is how the model was judged.
{faster}
"""


def write(model: bytes | Path, folder: Path, precision: str, *, here: bool) -> Artifact:
    """STEM.engine where TensorRT is `here`; else the ONNX file and, beside it, build.txt.

    Raises: UnsupportedModel where the model breaks a rule or TensorRT refuses it.
    """
    start = time.perf_counter()
    parsed = proto.parse(model)
    require_rules(parsed)
    integers = any(node.op_type in PAIRS for node in parsed.graph.node)
    engine = folder / f"{stem_of(model)}.engine"
    if here:
        write_whole(engine, engine_of(parsed, precision, integers=integers))
        return of_files((engine,), build_s=time.perf_counter() - start)
    if isinstance(model, bytes):
        path = folder / f"{stem_of(model)}.onnx"
        write_whole(path, model)
    else:
        path = model
    text = instructions(path.name, engine.name, precision, integers=integers)
    write_whole(folder / BUILD, text.encode())
    note = f"no engine is built on this machine: {folder / BUILD} says how to build it on the device"
    return replace(as_it_is(path, "TensorRT"), note=note)


def instructions(source: str, engine: str, precision: str, *, integers: bool) -> str:
    """What build.txt says. integers: whether the model has Q/DQ pairs."""
    flags = [*(["--int8"] if integers else []), *(["--fp16"] if precision else []), "--noTF32"]
    begin = f"trtexec --onnx={source} --saveEngine={engine}"
    newer = f"From TensorRT {STRONG} on no flag says a precision: {begin} --noTF32"
    if precision:
        newer = f"TensorRT {STRONG} takes float16 from the graph alone, and this graph is written in float32."
    faster = (
        "" if precision else f"Faster, and not what was judged: {begin} {' '.join([*flags[:-1], '--fp16'])}"
    )
    said = "float16 where TensorRT finds it faster" if precision else "float32 (--noTF32: not in fewer bits)"
    return TEXT.format(command=f"{begin} {' '.join(flags)}", newer=newer, said=said, faster=faster)


def engine_of(model: onnx.ModelProto, precision: str, *, integers: bool) -> bytes:
    """The engine that TensorRT builds of the model for the GPU of this machine. It takes minutes.

    Raises: UnsupportedModel with TensorRT's own words; TargetError where this TensorRT has not the precision.
    """
    trt = import_module("tensorrt")
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    network = builder.create_network(_network_flags(trt))
    parser = trt.OnnxParser(network, trt.Logger(trt.Logger.ERROR))
    if not parser.parse(model.SerializeToString()):
        said = "; ".join(str(parser.get_error(i).desc()) for i in range(parser.num_errors))
        raise UnsupportedModel("TensorRT's parser refused the model", got=said)
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    wanted = [*(["INT8"] if integers else []), *(["FP16"] if precision else [])]
    for name in wanted:
        if hasattr(trt.BuilderFlag, name):
            config.set_flag(getattr(trt.BuilderFlag, name))
        elif name == "FP16":
            raise TargetError(
                f"TensorRT {trt.__version__} takes float16 from the graph alone",
                got=precision,
                expected="''",
                hint="TensorRT 10 or older can choose float16 itself, as those of JetPack are",
            )
    built = builder.build_serialized_network(network, config)
    if built is None:
        raise UnsupportedModel("TensorRT could not build an engine of the model")
    return bytes(built)


def _network_flags(trt: Any) -> int:
    """Before TensorRT 10 the batch must be said to be part of the shapes, as it always is since."""
    flag = getattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH", None)
    old = int(str(trt.__version__).split(".")[0]) < 10
    return 1 << int(flag) if old and flag is not None else 0
