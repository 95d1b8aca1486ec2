"""The only door to compiled code: what this machine can run, what is in use, and one call for a whole step.

The instruction set is chosen when it is first needed: the widest that this machine can run, or the one that the
environment variable TRAINSTATION_ISA names (scalar, avx2, avx512, neon).
"""

from __future__ import annotations

from trainstation.kernels.arrays import PAGE_PART, address, copy_beside, zeros_beside
from trainstation.kernels.functions import (
    MAPS,
    average,
    bias_relu,
    cross_entropy,
    map_elements,
    normalize,
    normalize_grad,
    softmax,
    softmax_grad,
)
from trainstation.kernels.halves import narrow, widen
from trainstation.kernels.isa import active, cpu, get_include, isa, isa_name, isas, use
from trainstation.kernels.objects import REFERENCE, offset_of
from trainstation.kernels.rules import Rule, find_rule, load, rules
from trainstation.kernels.step import (
    BFLOAT16_STATE,
    BLOCK,
    DEFAULT_FP_MODE,
    DONE,
    EIGHT_BIT_STATE,
    FLOAT32,
    FLOAT64,
    NONFINITE,
    OTHER,
    SLOT,
    Call,
    Scalars,
    default_fp_mode,
    power,
    restore_fp_mode,
    run_rule,
    squares,
)
from trainstation.kernels.tensors import Tensors
from trainstation.kernels.threads import get_num_threads, set_num_threads
from trainstation.kernels.windows import Axis, Windows, gather, spread

__all__ = [
    "BFLOAT16_STATE",
    "BLOCK",
    "DEFAULT_FP_MODE",
    "DONE",
    "EIGHT_BIT_STATE",
    "FLOAT32",
    "FLOAT64",
    "MAPS",
    "NONFINITE",
    "OTHER",
    "PAGE_PART",
    "REFERENCE",
    "SLOT",
    "Axis",
    "Call",
    "Rule",
    "Scalars",
    "Tensors",
    "Windows",
    "active",
    "address",
    "average",
    "bias_relu",
    "copy_beside",
    "cpu",
    "cross_entropy",
    "default_fp_mode",
    "find_rule",
    "gather",
    "get_include",
    "get_num_threads",
    "isa",
    "isa_name",
    "isas",
    "load",
    "map_elements",
    "narrow",
    "normalize",
    "normalize_grad",
    "offset_of",
    "power",
    "restore_fp_mode",
    "rules",
    "run_rule",
    "set_num_threads",
    "softmax",
    "softmax_grad",
    "spread",
    "squares",
    "use",
    "widen",
    "zeros_beside",
]
