"""The fixture `context` of these tests also draws small images in the way of large ones."""

import pytest

import glrast


@pytest.fixture(params=["id", "full", "pieces"])
def context(request, device, gl, monkeypatch):
    """A glrast.Context on the device: once per program, and once from pieces (kernels/rasterize/place.cuh)."""
    if request.param != "pieces":
        return glrast.Context(device, buffers=request.param)
    monkeypatch.setattr(gl, "largest_plain", 0)
    return glrast.Context(device)
