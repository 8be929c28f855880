"""The methods by name: a new one is a file and a line here. Importing starts no framework."""

from __future__ import annotations

from nas.registry import Registry
from nas.search.evolution import EvolutionMethod
from nas.search.method import MethodType
from nas.search.proposals import GateMethod
from nas.search.random import RandomMethod

METHODS: Registry[type[MethodType]] = Registry("method")
METHODS.register("gradient", GateMethod)
METHODS.register("evolution", EvolutionMethod)
METHODS.register("random", RandomMethod)
