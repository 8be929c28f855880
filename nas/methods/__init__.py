"""Search methods behind one interface."""
