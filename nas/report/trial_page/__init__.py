"""The page about a search by trials, a module for each part of it."""
