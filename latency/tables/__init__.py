"""Latency tables: rows, predictors, files, and whether they still hold."""
