"""Training one network: recipe, schedule, loop, checkpoints and evaluation."""
