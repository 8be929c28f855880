"""Where jobs run: processes of this machine, behind a protocol that others can speak."""
