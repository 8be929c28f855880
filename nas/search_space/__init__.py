"""Search spaces: choices between records, and the named spaces."""
