"""Shim for tools that still ask for it; the metadata is in pyproject.toml."""

from setuptools import setup

setup()
