"""A network as data: records, text, shapes, operations and weights."""
