"""Where jobs run: processes of this machine, or of the nodes of a cluster."""
