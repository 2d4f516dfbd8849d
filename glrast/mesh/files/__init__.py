"""Mesh files, one module a format: `read` gives the fields of a `Mesh`, `encode` the bytes of one."""
