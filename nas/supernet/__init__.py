"""All networks of a space in one set of weights: model, views, draws and scores."""
