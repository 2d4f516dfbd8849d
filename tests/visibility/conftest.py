"""The fixture `context` of these tests is that of tests/ops."""

from tests.ops.conftest import context

__all__ = ["context"]
