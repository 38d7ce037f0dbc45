"""The C interface of Vamp plugins, as ctypes sees it: structures of ``vamp/vamp.h``, API version 2.

References
----------
C. Cannam: Vamp plugin SDK, ``vamp/vamp.h`` (2006). Names and order of the fields are those of the header.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_float, c_int, c_uint, c_void_p
from typing import Any

API_VERSION = 2

ONE_PER_STEP, FIXED_RATE, VARIABLE_RATE = 0, 1, 2
TIME_DOMAIN, FREQUENCY_DOMAIN = 0, 1

Floats = POINTER(c_float)
Handle = c_void_p


class ParameterDescriptor(Structure):
    """``VampParameterDescriptor``."""

    _fields_ = [
        ("identifier", c_char_p),
        ("name", c_char_p),
        ("description", c_char_p),
        ("unit", c_char_p),
        ("minimum", c_float),
        ("maximum", c_float),
        ("default", c_float),
        ("is_quantized", c_int),
        ("quantize_step", c_float),
        ("value_names", POINTER(c_char_p)),
    ]


class OutputDescriptor(Structure):
    """``VampOutputDescriptor``; its last field exists from API version 2 on."""

    _fields_ = [
        ("identifier", c_char_p),
        ("name", c_char_p),
        ("description", c_char_p),
        ("unit", c_char_p),
        ("has_fixed_bin_count", c_int),
        ("bin_count", c_uint),
        ("bin_names", POINTER(c_char_p)),
        ("has_known_extents", c_int),
        ("minimum", c_float),
        ("maximum", c_float),
        ("is_quantized", c_int),
        ("quantize_step", c_float),
        ("sample_type", c_int),
        ("sample_rate", c_float),
        ("has_duration", c_int),
    ]


class CFeature(Structure):
    """``VampFeature``; a union with the smaller ``VampFeatureV2``, which is not read."""

    _fields_ = [
        ("has_timestamp", c_int),
        ("sec", c_int),
        ("nsec", c_int),
        ("value_count", c_uint),
        ("values", Floats),
        ("label", c_char_p),
    ]


class FeatureList(Structure):
    """``VampFeatureList``."""

    _fields_ = [("count", c_uint), ("features", POINTER(CFeature))]


class PluginDescriptor(Structure):
    """``VampPluginDescriptor``."""

    _fields_ = [
        ("api_version", c_uint),
        ("identifier", c_char_p),
        ("name", c_char_p),
        ("description", c_char_p),
        ("maker", c_char_p),
        ("version", c_int),
        ("copyright", c_char_p),
        ("parameter_count", c_uint),
        ("parameters", POINTER(POINTER(ParameterDescriptor))),
        ("program_count", c_uint),
        ("programs", POINTER(c_char_p)),
        ("input_domain", c_int),
        ("instantiate", CFUNCTYPE(Handle, c_void_p, c_float)),  # is given this descriptor
        ("cleanup", CFUNCTYPE(None, Handle)),
        ("initialise", CFUNCTYPE(c_int, Handle, c_uint, c_uint, c_uint)),
        ("reset", CFUNCTYPE(None, Handle)),
        ("get_parameter", CFUNCTYPE(c_float, Handle, c_int)),
        ("set_parameter", CFUNCTYPE(None, Handle, c_int, c_float)),
        ("get_current_program", CFUNCTYPE(c_uint, Handle)),
        ("select_program", CFUNCTYPE(None, Handle, c_uint)),
        ("get_preferred_step_size", CFUNCTYPE(c_uint, Handle)),
        ("get_preferred_block_size", CFUNCTYPE(c_uint, Handle)),
        ("get_min_channel_count", CFUNCTYPE(c_uint, Handle)),
        ("get_max_channel_count", CFUNCTYPE(c_uint, Handle)),
        ("get_output_count", CFUNCTYPE(c_uint, Handle)),
        ("get_output_descriptor", CFUNCTYPE(POINTER(OutputDescriptor), Handle, c_uint)),
        ("release_output_descriptor", CFUNCTYPE(None, POINTER(OutputDescriptor))),
        ("process", CFUNCTYPE(POINTER(FeatureList), Handle, POINTER(Floats), c_int, c_int)),
        ("get_remaining_features", CFUNCTYPE(POINTER(FeatureList), Handle)),
        ("release_feature_set", CFUNCTYPE(None, POINTER(FeatureList))),
    ]


def text(raw: bytes | None) -> str:
    """A C string as text; empty where there is none."""
    return (raw or b"").decode("utf-8", "replace").strip()


def descriptors(library: ctypes.CDLL) -> list[Any]:
    """Pointers to the descriptors of all plugins of a library; raises ``AttributeError`` if it is none of Vamp."""
    get = library.vampGetPluginDescriptor
    get.argtypes, get.restype = [c_uint, c_uint], POINTER(PluginDescriptor)
    found: list[Any] = []
    while len(found) < 1000 and (pointer := get(API_VERSION, len(found))):
        found.append(pointer)
    return found
