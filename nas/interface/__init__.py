"""What programs and users call: searching, retraining, and a run as an object."""
