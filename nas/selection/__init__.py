"""Which network wins: goals, exact choice, feasibility, races and baselines."""
