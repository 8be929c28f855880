"""The page, the terminal's table and the plots of a run."""
