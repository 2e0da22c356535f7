"""Only what pyproject.toml cannot say: the C modules are made by cffi."""

from setuptools import setup

setup(
    cffi_modules=[
        "native/build_native.py:ffibuilder",
        "native/build_libbpf.py:ffibuilder",
    ]
)
