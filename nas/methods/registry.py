"""The methods by name: a new one is a file and a line here. Importing starts no framework."""

from __future__ import annotations

from nas.methods.evolution import EvolutionMethod
from nas.methods.method import MethodType
from nas.methods.proposals import GateMethod
from nas.methods.random import RandomMethod
from nas.registry import Registry

METHODS: Registry[type[MethodType]] = Registry("method")
METHODS.register("gradient", GateMethod)
METHODS.register("evolution", EvolutionMethod)
METHODS.register("random", RandomMethod)
