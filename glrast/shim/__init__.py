"""Run a script that imports nvdiffrast, as it is, on glrast: `python -m glrast.shim SCRIPT ARGS`.

The folder names/ goes to the front of the module path, there and in every process that the script starts:
`nvdiffrast` and `nvdiffrast.torch` in it are glrast's functions under those names.
"""
